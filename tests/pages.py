"""The commands and programs that the documents show, and the folder in which they are run."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pth_files import save_networks
from tests.support.extractors import SIDE, SmallExtractor, draw, save_program
from tests.support.rating import write_answers
from tests.support.videos import make_video
from tests.support.zips import zipped_set

ROOT = Path(__file__).parent.parent
BESIDES = {  # what a test adds to what a page says, so that it takes a second: the last of two that contradict counts
    "train": "--device cpu --set schedule.max_steps=2 --set data.size=32 --set data.load_size=36 "
    "--set generator.width=4 --set generator.blocks=1 --set discriminator.width=4 --set discriminator.layers=2",
    "compare": "--size 32",
    "demo": "--quick",
    "rate": "--size 32 --count 2",
    "evaluate": f"--extractor eye.pt2 --extractor-size {SIDE}",
}


def read(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, kind: str) -> list[str]:
    """Return the blocks of a kind, `sh` or `python`, that a page shows."""
    return re.findall(rf"```{kind}\n(.*?)```", read(page), re.DOTALL)


def shell_lines(page: str) -> list[str]:
    """Return every command line that a page shows, whole and without its comment."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    return [line.partition("#")[0].strip() for line in text.splitlines() if line.strip()]


def commands(page: str) -> list[str]:
    """Return the lines of a page that run cyclegan."""
    return [line for line in shell_lines(page) if line.startswith("cyclegan ")]


def shortened(line: str) -> str:
    """Return a page's line as a test runs it."""
    command, pipe, files = line.partition(" < ")
    return f"{command} {BESIDES.get(line.split()[1], '')}{pipe}{files}"


def fill(folder: Path) -> None:
    """Put into a folder what the pages' lines take for granted."""
    for seed, name in enumerate(("horses", "zebras", "xrays")):
        draw(folder / name, 40, seed, side=40)
    few = ("photos", "inbox", "translated", "truth", "trainA", "trainB", "testA", "testA_zebras", "testB")
    for seed, name in enumerate((*few, "days/trainA", "days/trainB")):
        draw(folder / name, 8, seed)
    for picture in (folder / "xrays").iterdir():
        Image.fromarray(np.asarray(Image.open(picture).convert("L"), np.uint16) * 257).save(picture)
    for name in ("photo.jpg", "zebra.jpg", "in.png", "sky.png"):
        Image.open(folder / "testB" / "0.png").save(folder / name)
    make_video(folder / "clip.mp4")
    write_answers(folder / "answers-one.json", ("horses2zebras", "monet"), [(0, "left"), (1, "left")])
    save_networks(folder)
    save_networks(folder / "their_run")
    save_program(SmallExtractor(), folder / "eye.pt2")
    (folder / "days2nights.zip").write_bytes(zipped_set())
