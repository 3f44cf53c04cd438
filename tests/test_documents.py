"""What the documents say is so."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from cyclegan.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines(page: str = README) -> list[str]:
    """Return every command line that a page shows."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_command_in_the_readme_exists_and_every_command_is_in_the_readme():
    in_table = set(re.findall(r"^\| `cyclegan (\w+)", README, re.MULTILINE))
    exist = typer.main.get_command(app).commands.keys()
    assert in_table == exist
    assert {line.split()[1] for line in shell_lines() if line.startswith("cyclegan ")} <= exist


def test_ci_runs_the_readme_s_test_command_and_the_checks():
    tests = next(line for line in shell_lines() if line.endswith("scripts/test"))
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in script if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == [tests, 'PATH="$PWD/.venv/bin:$PATH" scripts/check']


@pytest.mark.parametrize("page", ["README.md", "docs/using-models-elsewhere.md", "docs/ui.md"])
def test_every_option_in_a_page_exists(page: str):
    commands = typer.main.get_command(app).commands
    for line in shell_lines((ROOT / page).read_text(encoding="utf-8")):
        if line.startswith("cyclegan "):
            command = commands[line.split()[1]]
            assert set(re.findall(r"--[\w-]+", line)) <= {name for option in command.params for name in option.opts}


def test_every_link_to_a_file_leads_somewhere():
    for page in [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "datasets/README.md",
        ROOT / "checkpoints/README.md",
    ]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), (page.name, target)


def test_no_file_names_a_package_registry_s_address():
    pattern = re.compile(r"(index-url|find-links)|(pypi\.org|pythonhosted)", re.IGNORECASE)
    for name in ("pyproject.toml", "constraints.txt", "README.md", ".ci/run", "scripts/test", "scripts/check"):
        assert not pattern.search((ROOT / name).read_text(encoding="utf-8")), name


def test_development_brings_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    everything = re.search(r"\[(.*)\]", extras["all"][0])
    assert everything is not None
    assert set(everything[1].split(",")) == extras.keys() - {"all", "dev"}
    assert "cyclegan[all]" in extras["dev"]
