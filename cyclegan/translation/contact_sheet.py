"""A contact sheet: pictures by rows, the models that translated them by columns, with captions."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from cyclegan.images import Picture, with_bits, with_channels
from cyclegan.text import printable

FONT_SIZE, LINE, GAP = 14, 20, 8  # pixels: of letters, of a line of text, between cells
MIN_COLUMN = 144  # pixels of width, so that captions of small pictures can be read
BLACK, GREY = (0, 0, 0), (110, 110, 110)


@dataclass(frozen=True)
class SheetRow:
    """A picture and its translations, all of one size."""

    caption: str
    cells: Sequence[Image.Image]


def draw_sheet(columns: Sequence[Sequence[str]], rows: Sequence[SheetRow]) -> Image.Image:
    """Return the sheet; `columns` are the lines of text above each column, the first of them in black."""
    width = max(MIN_COLUMN, *(row.cells[0].width for row in rows))
    head = LINE * max(map(len, columns)) + GAP
    sheet = Image.new(
        "RGB",
        (GAP + len(columns) * (width + GAP), head + sum(row.cells[0].height + LINE + GAP for row in rows)),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(columns):
        for line, text in enumerate(lines):
            left, top = GAP + column * (width + GAP), GAP // 2 + line * LINE
            draw_text(draw, (left, top), text, width, GREY if line else BLACK)
    top = head
    for row in rows:
        for column, cell in enumerate(row.cells):
            sheet.paste(cell, (GAP + column * (width + GAP), top))
        top += row.cells[0].height
        draw_text(draw, (GAP, top), row.caption, width, GREY)
        top += LINE + GAP
    return sheet


def draw_text(
    draw: ImageDraw.ImageDraw, position: tuple[int, int], text: str, width: int, color: tuple[int, int, int]
) -> None:
    """Write one line, shortened at its end to so many pixels."""
    font = ImageFont.load_default(FONT_SIZE)
    text = printable(text)
    if font.getlength(text) > width:
        while text and font.getlength(f"{text}…") > width:
            text = text[:-1]
        text = f"{text}…"
    draw.text(position, text, color, font)


def cell_of(picture: Picture) -> Image.Image:
    """Return a picture as RGB of 8 bits; transparent parts become white."""
    cell = Image.fromarray(with_channels(with_bits(picture.pixels, 8), 3))
    if picture.alpha is None:
        return cell
    alpha = with_bits(picture.alpha[..., None], 8)[..., 0]
    return Image.composite(cell, Image.new("RGB", cell.size, "white"), Image.fromarray(alpha))
