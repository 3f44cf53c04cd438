"""The documents say what is true of the program."""

import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from itertools import chain, count
from pathlib import Path

import pytest
import typer

from cyclegan import translation, web
from cyclegan.cli import app
from cyclegan.config import PRESETS, Config
from cyclegan.data.sets import DataSet, known_sets
from cyclegan.images import FORMATS
from cyclegan.images.formats import ImageFormat
from cyclegan.translation import watch
from tests.pages import ROOT, blocks, commands, fill, read, shell_lines, shortened
from tests.support.file_server import Page, serving
from tests.support.zips import zipped_set

README = "README.md"
ELSEWHERE = "docs/using-models-elsewhere.md"  # tests/test_export.py runs its lines and checks their results
HISTORY = "docs/experiments.md"  # names files of its time
UI = "docs/ui.md"  # tests/web runs its program, which needs a server
PAGES = [
    README,
    "CONTRIBUTING.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
]
SHOWING = [page for page in PAGES if page != ELSEWHERE and (commands(page) or blocks(page, "python"))]
RUN = "cyclegan train horses/ zebras/"  # the run that every page assumes
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def prepared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_shape_checks: None) -> Iterator[Path]:
    """Fill a folder with the files that the pages assume, serve downloads, and interrupt endless commands."""
    fill(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    waits = count(1)

    def wait(_seconds: float) -> None:
        if next(waits) % 3 == 0:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(translation, "watch", partial(watch, sleep=wait))
    monkeypatch.setattr(web, "serve", lambda *_: None)
    with serving() as server:
        server.pages["/set.zip"] = Page(zipped_set())
        monkeypatch.setitem(known_sets(), "horse2zebra", DataSet(name="horse2zebra", urls=(server.url("/set.zip"),)))
        yield tmp_path


@pytest.mark.parametrize("page", SHOWING)
def test_every_command_and_program_of_a_page_runs(page: str, prepared_folder: Path, command, monkeypatch):
    for line in [RUN, *commands(page)]:
        result = (
            run_in_a_shell(line, prepared_folder)
            if {"<", "*"} & set(line)
            else command(*shlex.split(shortened(line))[1:])
        )
        assert result.returncode == (130 if "--watch" in line else 0), (line, result.stderr)
    monkeypatch.chdir(prepared_folder)
    for block in blocks(page, "python") if page != UI else []:
        exec(compile(block, page, "exec"), {})


def run_in_a_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell."""
    line = f'"{sys.executable}" -m {shortened(line)}'
    return subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)


def test_the_readme_lists_every_command_and_no_other():
    assert set(re.findall(r"^\| `cyclegan (\w+)", read(README), re.MULTILINE)) == COMMANDS.keys()


def test_every_option_of_every_command_is_documented():
    text = re.split(r"^## `cyclegan (\w+)`$", read("docs/commands.md"), flags=re.MULTILINE)
    documented = dict(zip(text[1::2], text[2::2], strict=True))
    assert documented.keys() == COMMANDS.keys()
    for name, command in COMMANDS.items():
        options = {word for option in command.params for word in option.opts if word.startswith("--")}
        assert options - set(re.findall(r"--[a-z-]+", documented[name])) == {"--quiet", "--json"}, name


def test_every_setting_is_documented_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| (.*?) \|", read("docs/settings.md"), re.MULTILINE))
    settings = {
        f"{section.name}.{field.name}": getattr(getattr(Config(), section.name), field.name)
        for section in fields(Config)
        for field in fields(getattr(Config(), section.name))
    }
    assert rows == {name: as_documented(value) for name, value in settings.items()}


def test_every_preset_is_documented():
    assert re.findall(r"^\| `(\w+)` \|", read("docs/settings.md"), re.MULTILINE) == list(PRESETS)


def as_documented(value: object) -> str:
    """Return a default as the page writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"


def test_ci_runs_the_readme_s_test_command_and_the_checks():
    tests = next(line for line in shell_lines(README) if line.endswith("scripts/test"))
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in script if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == [tests, 'PATH="$PWD/.venv/bin:$PATH" scripts/check']


def test_every_link_to_a_file_leads_somewhere():
    for page in (*PAGES, "datasets/README.md", "checkpoints/README.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", read(page)):
            if "://" not in target:
                assert ((ROOT / page).parent / target).exists(), (page, target)


def test_every_file_that_a_document_names_exists():
    named = [
        (page, path) for page in PAGES if page != HISTORY for path in re.findall(r"`([\w/]+/\w+\.py)`", read(page))
    ]
    assert len(named) > 60
    for page, path in named:
        assert (ROOT / path).is_file() or (ROOT / "cyclegan" / path).is_file(), (page, path)


def test_no_file_names_a_package_registry_s_address():
    pattern = re.compile(r"(index-url|find-links)|(pypi\.org|pythonhosted)", re.IGNORECASE)
    for name in ("pyproject.toml", "constraints.txt", "README.md", ".ci/run", "scripts/test", "scripts/check"):
        assert not pattern.search((ROOT / name).read_text(encoding="utf-8")), name


def test_the_development_extra_includes_every_other():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    everything = re.search(r"\[(.*)\]", extras["all"][0])
    assert everything is not None
    assert set(everything[1].split(",")) == extras.keys() - {"all", "dev"}
    assert "cyclegan[all]" in extras["dev"]


def test_every_dependency_is_bounded_and_its_reason_documented():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = "".join(
        line.split("|")[1] for line in read("docs/decisions/0009-what-we-depend-on.md").splitlines() if "|" in line
    )
    for requirement in [*project["dependencies"], *chain(*project["optional-dependencies"].values())]:
        name = re.match(r"[\w-]+", requirement)[0]
        if name != "cyclegan":
            assert re.search(r">=[\d.]+,<[\d.]+$", requirement), requirement
            assert re.search(rf"(?<![\w-]){name}(?![\w-])", reasons), name


def test_no_test_is_skipped_for_a_missing_package():
    for path in (ROOT / "tests").rglob("*.py"):
        assert "importorskip" + "(" not in path.read_text(encoding="utf-8"), path.name


def test_the_documented_formats_are_those_of_the_program():
    rows = [
        line.split("|")[2:8] for line in read("docs/formats.md").splitlines() if line.count("|") == 8 and "`." in line
    ]
    expected = [
        [
            " ".join(f"`{suffix}`" for suffix in kind.suffixes),
            f"`{FORMATS[kind.written_as].suffixes[0]}`" if kind.written_as else "as it is",
            "" if kind.written_as else bits_of(kind),
            "" if kind.written_as else "yes" if kind.alpha else "no",
            "" if kind.written_as else "yes" if kind.profile else "no",
            "" if kind.written_as else "all" if kind.animated else "first",
        ]
        for kind in FORMATS.values()
    ]
    assert [[cell.strip() for cell in row] for row in rows] == expected


def bits_of(kind: ImageFormat) -> str:
    """Return how many bits of a level a format holds, as the table says it."""
    if kind.bits == 16:
        return "16"
    return "8, grey 16" if {"I;16", "I"} & {*kind.modes} else "8"
