"""One sheet of uploaded pictures translated by several models, as `cyclegan compare` draws it."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cyclegan.errors import DataError
from cyclegan.images import write_picture
from cyclegan.text import printable
from cyclegan.translation import ComparedModel, compare_models
from cyclegan.web.translating import MAX_PICTURES_PER_REQUEST, MAX_PIXELS_ON_PAGE, Workspace, message_of

MAX_MODELS = 12  # columns of a sheet


def compare_uploads(
    workspace: Workspace,
    pictures: Sequence[Path],
    models: Sequence[ComparedModel],
    on_picture: Callable[[], object],
) -> tuple[Path | None, list[str]]:
    """Draw the sheet; return its file, None where no picture can be read, and messages about those that cannot."""
    if not 0 < len(pictures) <= MAX_PICTURES_PER_REQUEST:
        raise DataError(f"these are {len(pictures)} pictures.", f"Upload 1 to {MAX_PICTURES_PER_REQUEST} at a time.")
    if not 0 < len(models) <= MAX_MODELS:
        raise DataError(f"these are {len(models)} models.", f"Choose 1 to {MAX_MODELS}.")
    comparison = compare_models(
        pictures, models, device=workspace.device, max_pixels=MAX_PIXELS_ON_PAGE, on_picture=on_picture
    )
    messages = [message_of(error) for error in comparison.failed]
    for path in pictures:  # users know their pictures by name, not by the path of the upload
        messages = [message.replace(printable(path), printable(path.name)) for message in messages]
    if not comparison.sheet:
        return None, messages
    sheet = Path(tempfile.mkdtemp(prefix="compared-", dir=workspace.folder)) / "comparison.png"
    write_picture(comparison.sheet, sheet, "PNG")
    return sheet, messages
