"""Draw docs/demo.jpg from a demo's pictures: scripts/demo_sheet.py [datasets/demo]."""

import sys
from pathlib import Path

from PIL import Image

from cyclegan.data.synthetic import DOMAINS

COLUMNS, CELL, GAP = 7, 128, 6  # pictures in a row; pixels of one, and between two


def main() -> None:
    """Three rows for each direction: a held-out picture, its translation, the truth."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "datasets/demo")
    names = sorted(path.name for path in (folder / "held_out" / DOMAINS[0]).glob("*.png"))
    step = CELL + GAP
    sheet = Image.new("RGB", (COLUMNS * step - GAP, 6 * step + 2 * GAP), "white")
    for half, (source, target) in enumerate((DOMAINS, DOMAINS[::-1])):
        rows = (folder / "held_out" / source, folder / "translated" / target, folder / "held_out" / target)
        for column, name in enumerate(names[half * COLUMNS : (half + 1) * COLUMNS]):
            for row, place in enumerate(rows):
                picture = Image.open(place / name).resize((CELL, CELL), Image.Resampling.BICUBIC)
                sheet.paste(picture, (column * step, (3 * half + row) * step + 3 * GAP * half))
    sheet.save("docs/demo.jpg", quality=90)


if __name__ == "__main__":
    main()
