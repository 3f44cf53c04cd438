"""Draw docs/demo.jpg from a demo's pictures: scripts/demo_sheet.py [datasets/demo]."""

import sys
from pathlib import Path

from PIL import Image

from cyclegan.data.synthetic import SEASONS

COLUMNS, CELL, GAP = 4, 112, 4  # pictures in a row of a half; pixels of one, and between two
STEP = CELL + GAP


def main() -> None:
    """Two halves, one for each direction, of three rows: held-out pictures, their translations, the truth."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "datasets/demo")
    names = sorted(path.name for path in (folder / "held_out" / SEASONS[0]).glob("*.png"))
    sheet = Image.new("RGB", (2 * COLUMNS * STEP + 2 * GAP, 3 * STEP - GAP), "white")
    for half, (source, target) in enumerate((SEASONS, SEASONS[::-1])):
        rows = (folder / "held_out" / source, folder / "translated" / target, folder / "held_out" / target)
        for column, name in enumerate(names[half * COLUMNS : (half + 1) * COLUMNS]):
            for row, place in enumerate(rows):
                picture = Image.open(place / name).resize((CELL, CELL), Image.Resampling.BICUBIC)
                sheet.paste(picture, (column * STEP + half * (COLUMNS * STEP + 3 * GAP), row * STEP))
    sheet.save("docs/demo.jpg", quality=90)


if __name__ == "__main__":
    main()
