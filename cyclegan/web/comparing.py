"""One sheet of uploaded pictures translated by several models, as `cyclegan compare` draws it."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cyclegan.errors import DataError
from cyclegan.images import write_picture
from cyclegan.translation import ComparedModel, compare_models
from cyclegan.web.translating import MAX_PIXELS_ON_PAGE, Workspace, check_count, message_of, with_names

MAX_MODELS = 12  # columns of a sheet


def compare_uploads(
    workspace: Workspace,
    pictures: Sequence[Path],
    models: Sequence[ComparedModel],
    on_picture: Callable[[], object],
) -> tuple[Path | None, list[str]]:
    """Draw the sheet; return its file, None where no picture can be read, and messages about those that cannot."""
    check_count(pictures)
    if not 0 < len(models) <= MAX_MODELS:
        raise DataError(f"these are {len(models)} models.", f"Choose 1 to {MAX_MODELS}.")
    comparison = compare_models(
        pictures, models, device=workspace.device, max_pixels=MAX_PIXELS_ON_PAGE, on_picture=on_picture
    )
    messages = with_names(list(map(message_of, comparison.failed)), pictures)
    if not comparison.sheet:
        return None, messages
    sheet = Path(tempfile.mkdtemp(prefix="compared-", dir=workspace.folder)) / "comparison.png"
    write_picture(comparison.sheet, sheet, "PNG")
    return sheet, messages
