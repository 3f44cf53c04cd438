"""Preparation of an evaluation: the published Inception weights, and the translations of a model."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from cyclegan.atomic import PARTIAL
from cyclegan.data.download import OnProgress, fetch, host_of
from cyclegan.errors import DownloadError, disk_errors
from cyclegan.evaluation import PictureFolder, check_enough
from cyclegan.evaluation.extractors import (
    INCEPTION_SHA256,
    WEIGHT_FILE_NAMES,
    cached_inception,
    inception_url,
    missing_inception,
    sha256_of,
    torch_cache,
)
from cyclegan.images import Picture, with_channels
from cyclegan.translation import Translator


def fetch_inception(*, on_begin: Callable[[str], object], on_progress: OnProgress) -> Path:
    """Return the published Inception weights in torch's cache; download and check them if they are missing.

    An interrupted download is continued. `on_begin` gets the name of the server before it is contacted.
    """
    if cached := cached_inception():
        return cached
    host = host_of(inception_url())
    staging = torch_cache() / f".cyclegan-inception{PARTIAL}"
    with disk_errors(staging):
        staging.mkdir(parents=True, exist_ok=True)
    on_begin(host)
    weights = staging / WEIGHT_FILE_NAMES[0]
    try:
        fetch([inception_url()], weights, on_progress=on_progress)
    except DownloadError as error:
        raise missing_inception(f", and {str(error).rstrip('.')}") from error
    if (sha256 := sha256_of(weights)) == INCEPTION_SHA256:
        with disk_errors(torch_cache()):
            weights = weights.rename(torch_cache() / weights.name)
    shutil.rmtree(staging, ignore_errors=True)
    if not weights.exists():
        raise missing_inception(f", and {host} sent another file: its SHA-256 is {sha256}")
    return weights


@contextmanager
def translated_folder(
    translator: Translator, source: PictureFolder, *, on_picture: Callable[[], object] = lambda: None
) -> Iterator[PictureFolder]:
    """Yield a temporary folder with a translation of every picture of a folder, at its size, as PNG of 8 bits."""
    with tempfile.TemporaryDirectory(prefix="cyclegan-", ignore_cleanup_errors=True) as folder:
        for name, path in source.by_name.items():
            pixels = source.read(path)
            if pixels is not None:
                output = with_channels(translator.translate_picture(Picture(pixels)).pixels, 3)
                target = Path(folder, f"{name}.png")
                with disk_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(output).save(target)
            on_picture()
        check_enough(source)
        yield PictureFolder(Path(folder), source.size)
