"""A folder that is emptied while a command reads it: a message for each file or the folder, and no internal error."""

import shutil
from itertools import count

import pytest
from PIL import Image

from tests.cli.shared import TINY
from tests.support.models import write_model

COMMANDS = {
    "train": ("train", "horses", "zebras", *TINY),
    "translate": ("translate", "horses", "--model", "m.safetensors", "--device", "cpu"),
    "inspect": ("inspect", "horses", "zebras"),
}


@pytest.mark.parametrize("emptied", [("before", 0), ("before", 3), ("after", 0), ("after", 4)])
@pytest.mark.parametrize("name", COMMANDS)
def test_an_emptied_folder_is_named(name: str, emptied: tuple[str, int], folders, command, monkeypatch):
    write_model(folders[0].parent / "m.safetensors")
    opened, open_picture = count(), Image.open

    def empty(moment: str, opening: int) -> None:
        if (moment, opening) == emptied:
            for path in folders[0].iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def opening_last(*arguments, **options) -> Image.Image:
        opening = next(opened)
        empty("before", opening)
        try:
            return open_picture(*arguments, **options)
        finally:
            empty("after", opening)

    monkeypatch.setattr(Image, "open", opening_last)
    result = command(*COMMANDS[name])
    assert "internal error" not in result.stderr + result.stdout
    assert result.returncode in (0, 1, 2)
    if result.returncode:
        assert "cyclegan: " in result.stderr
        assert "horses" in result.stderr
