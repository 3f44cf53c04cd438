"""Folders and answers for the tests of rating sheets."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

COLORS = {"crimson": (220, 20, 60), "indigo": (75, 0, 130)}  # of the pictures of two folders


def draw_folder(folder: Path, color: str) -> Path:
    """Draw eight flat pictures, of a folder's own color or, of photographs, each of another gray."""
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    for number in range(8):
        image = Image.new("RGB", (48, 32), COLORS.get(color, (30 * number,) * 3))
        image.save(folder / "deep" / f"{number}.png")
    return folder


def write_answers(
    path: Path, candidates: tuple[str, str], trials: Sequence[tuple[int, str | None]], rater: str = "first"
) -> Path:
    """Write the answers to a sheet; of each trial, the candidate on the left and the answer."""
    key = {"candidates": candidates, "trials": [["name", left] for left, _ in trials]}
    saved = {
        "kind": "cyclegan ratings",
        "format": 1,
        "sheet": "sheet",
        "key": base64.b64encode(json.dumps(key).encode()).decode(),
        "rater": rater,
        "answers": [answer for _, answer in trials],
    }
    path.write_text(json.dumps(saved))
    return path
