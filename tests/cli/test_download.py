"""`cyclegan download`, and `cyclegan train` on what it brought."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cyclegan.cli import download
from cyclegan.config import load_settings
from tests.cli.shared import TINY, assert_a_sentence
from tests.support.file_server import Page, serving
from tests.support.zips import zipped_set


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


def test_list_shows_sizes_and_licences(command):
    lines = command("download", "--list").stdout.splitlines()
    assert len(lines) == 14
    assert lines[0].split(maxsplit=3)[:3] == ["horse2zebra", "116.9", "MB"]
    assert lines[-1].endswith("CC BY-NC 4.0")
    listed = json.loads(command("download", "--list", "--json").stdout)
    assert {"name", "size", "licence", "sha256", "urls"} <= listed[0].keys()


def test_list_does_not_import_torch():
    code = (
        "import sys; sys.argv = ['cyclegan', 'download', '--list', '--quiet']\n"
        "from cyclegan.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'torch', 'PIL', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_set_is_downloaded_and_trained_on_by_its_name(command, server, tmp_path):
    server.pages["/s.zip"] = Page(zipped_set())
    result = command("download", "days2nights", "--from", server.url("/s.zip"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("Train on it with: cyclegan train days2nights\n")
    assert f"{Path('datasets/days2nights')} (2 in testA, 2 in testB, 2 in trainA, 2 in trainB)" in result.stdout
    assert "days2nights: 0.0 MB of 0.0 MB" in result.stderr

    trained = command("train", "days2nights", *TINY, "--json", "--quiet")
    assert json.loads(trained.stdout)["run"] == str(Path("checkpoints/days2nights"))
    settings = load_settings(tmp_path / "checkpoints" / "days2nights" / "config.toml")["data"]
    assert (settings["name_a"], settings["name_b"]) == ("days", "nights")
    assert settings["folder_a"] == str(tmp_path / "datasets" / "days2nights" / "trainA")


def test_the_test_pictures_validate_by_default(command, server, tmp_path):
    server.pages["/s.zip"] = Page(zipped_set())
    command("download", "days2nights", "--from", server.url("/s.zip"))
    dry = ("train", "days2nights", *TINY, "--dry-run")
    test_a, test_b = (str(tmp_path / "datasets" / "days2nights" / name) for name in ("testA", "testB"))
    assert f"validation  2 held-out pictures in {test_a} and 2 in {test_b}" in command(*dry).stdout
    for otherwise in (
        ("--validate", 0),
        ("--set", "data.validate=0"),
        ("--validate-a", test_b, "--validate-b", test_a),
    ):
        assert f"in {test_a} and 2 in {test_b}" not in command(*dry, *otherwise).stdout
    (tmp_path / "datasets" / "days2nights" / "testB" / "1.png").unlink()
    assert "validation" not in command(*dry).stdout


def test_a_folder_with_the_paper_s_layout_is_trained_on(command, folders, tmp_path):
    (tmp_path / "mine" / "train").mkdir(parents=True)
    shutil.copytree(folders[0], tmp_path / "mine" / "train" / "A")
    shutil.copytree(folders[1], tmp_path / "mine" / "train" / "B")
    dry = command("train", "mine", *TINY, "--dry-run").stdout
    assert "domain A  A: 5 pictures in" in dry
    assert dry.rstrip().endswith(str(Path("checkpoints/mine")))


def test_one_folder_that_is_no_data_set_is_an_error(command, folders):
    assert_a_sentence(command("train", "horse2zebra"), "not downloaded yet: cyclegan download horse2zebra")
    assert_a_sentence(command("train", "hrse2zebra"), "no downloaded data set hrse2zebra", "Did you mean horse2zebra?")
    assert_a_sentence(command("train", "horses"), "horses holds no trainA and trainB", "cyclegan train horses/ zebras/")


def test_json_and_quiet(command, server, tmp_path):
    server.pages["/s.zip"] = Page(zipped_set())
    options = ("--from", server.url("/s.zip"), "--folder", "elsewhere", "--quiet")
    said = command("download", "s", *options, "--json")
    assert json.loads(said.stdout) == {
        "folder": str(Path("elsewhere/s")),
        "pictures": {"testA": 2, "testB": 2, "trainA": 2, "trainB": 2},
        "new": True,
    }
    quiet = command("download", "t", *options)
    assert (quiet.stdout, quiet.stderr, said.stderr) == ("", "", "")


def test_download_errors(command, tmp_path):
    assert_a_sentence(command("download"), "no data set is named", "--list")
    assert_a_sentence(command("download", "horse2zebr"), "no data set called horse2zebr", "Did you mean horse2zebra?")
    assert_a_sentence(command("download", "x", "--from", "missing.zip"), "there is no file missing.zip")
    (tmp_path / "datasets").touch()
    (tmp_path / "a.zip").write_bytes(zipped_set())
    assert_a_sentence(command("download", "x", "--from", "a.zip"), "datasets", "cannot be written")


def test_ctrl_c_keeps_the_partial_download(command, server, tmp_path, monkeypatch):
    server.pages["/s.zip"] = Page(zipped_set(each=20), cuts=[30_000])

    def interrupt(_here: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "plain_lines", lambda _name: interrupt)
        result = command("download", "s", "--from", server.url("/s.zip"))
    assert_a_sentence(result, "The same command resumes the download.", status=130)
    assert not (tmp_path / "datasets" / "s").exists()
    assert command("download", "s", "--from", server.url("/s.zip")).returncode == 0
    assert server.asked[-1][2] == 206


def test_bars_show_bytes_and_files():
    with download.bars() as show:
        show("s", 10, 100)
        show("unpacking", 1, None)
