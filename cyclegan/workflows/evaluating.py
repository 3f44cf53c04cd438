"""Evaluating a model: the pictures are redrawn as PNG files are, and these are compared."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from cyclegan.errors import disk_errors
from cyclegan.evaluation import Folder, check_enough
from cyclegan.images import Picture, with_channels
from cyclegan.translation import Translator


@contextmanager
def translated_by(
    translator: Translator, source: Folder, *, on_picture: Callable[[], object] = lambda: None
) -> Iterator[Folder]:
    """Yield a temporary folder with every picture of a folder redrawn, at the size that it asks for, in 8 bits."""
    with tempfile.TemporaryDirectory(prefix="cyclegan-", ignore_cleanup_errors=True) as place:
        for name, path in source.by_name.items():
            pixels = source.read(path)
            if pixels is not None:
                redrawn = with_channels(translator.redraw_picture(Picture(pixels)).pixels, 3)
                target = Path(place, f"{name}.png")
                with disk_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(redrawn).save(target)
            on_picture()
        check_enough(source)
        yield Folder(Path(place), source.size)
