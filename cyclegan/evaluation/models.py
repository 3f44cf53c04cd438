"""What an evaluation needs first: the extractor's weights, and a model's pictures, redrawn as PNG files are."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from cyclegan.atomic import PARTIAL
from cyclegan.data.download import Progress, fetch, host_of
from cyclegan.errors import DownloadError, disk_errors
from cyclegan.evaluation import Folder, check_enough
from cyclegan.evaluation.extractors import (
    CACHED_AS,
    INCEPTION_SHA256,
    cached_inception,
    inception_cache,
    inception_url,
    sha256_of,
    without_inception,
)
from cyclegan.images import Picture, with_channels
from cyclegan.translation import Translator


def fetched_inception(*, on_begin: Callable[[str], object], on_progress: Progress) -> Path:
    """Return the published Inception weights from torch's cache; where they are not in it, download and check them.

    What an interrupted download left is continued. `on_begin` is told the server's name before that is asked.
    """
    if cached := cached_inception():
        return cached
    host = host_of(inception_url())
    aside = inception_cache() / f".cyclegan-inception{PARTIAL}"
    with disk_errors(aside):
        aside.mkdir(parents=True, exist_ok=True)
    on_begin(host)
    fetched = aside / CACHED_AS[0]
    try:
        fetch([inception_url()], fetched, on_progress=on_progress)
    except DownloadError as error:
        raise without_inception(f", and {str(error).rstrip('.')}") from error
    if (found := sha256_of(fetched)) == INCEPTION_SHA256:
        with disk_errors(inception_cache()):
            fetched = fetched.rename(inception_cache() / fetched.name)
    shutil.rmtree(aside, ignore_errors=True)
    if not fetched.exists():
        raise without_inception(f", and {host} sent something else: its SHA-256 is {found}")
    return fetched


@contextmanager
def translated_by(
    translator: Translator, source: Folder, *, on_picture: Callable[[], object] = lambda: None
) -> Iterator[Folder]:
    """Yield a temporary folder with every picture of a folder redrawn, at the size that it asks for, in 8 bits."""
    with tempfile.TemporaryDirectory(prefix="cyclegan-", ignore_cleanup_errors=True) as place:
        for name, path in source.by_name.items():
            pixels = source.read(path)
            if pixels is not None:
                redrawn = with_channels(translator.translate_picture(Picture(pixels)).pixels, 3)
                target = Path(place, f"{name}.png")
                with disk_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(redrawn).save(target)
            on_picture()
        check_enough(source)
        yield Folder(Path(place), source.size)
