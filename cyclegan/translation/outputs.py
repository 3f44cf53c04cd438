"""Where translations go: checked before any work is done, and packed as a .zip archive where that is asked for."""

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

from cyclegan.atomic import atomic_write, file_suffix, require_writable
from cyclegan.errors import CycleganError, DataError, printable
from cyclegan.images import FORMAT_OF
from cyclegan.translation.pipeline import TranslateResult
from cyclegan.translation.ray_data import address_of
from cyclegan.translation.scores import write_scores
from cyclegan.translation.targets import SUFFIXES, Target

ARCHIVE = ".zip"
A_FOLDER = "Name a folder, which may exist already, or a .zip archive."


def is_archive(output: Path | None) -> bool:
    """Tell whether an output names an archive; a folder of such a name stays one."""
    return output is not None and output.suffix.lower() == ARCHIVE and not output.is_dir()


def check_output_name(inputs: Sequence[Path], output: Path, image_format: str | None) -> None:
    """Raise an error for an output that is named like a file and would become a folder, or a file of another format."""
    suffix, name = file_suffix(output), printable(output)
    try:
        is_folder = output.is_dir()
    except OSError as error:  # the name is too long, for example
        raise DataError(f"{name} cannot be written to: {error.strerror}.", "Choose another --output.") from error
    if not suffix or is_folder or suffix == ARCHIVE or address_of(output):
        return
    if suffix not in SUFFIXES:
        raise DataError(f"{name} is named like a file of a format that cannot be written.", A_FOLDER)
    if len(inputs) > 1 or inputs[0].is_dir() or address_of(inputs[0]):
        raise DataError(f"{name} is named like a single file, and a folder is needed.", A_FOLDER)
    if image_format and FORMAT_OF.get(suffix) != FORMAT_OF[f".{image_format}"]:
        raise DataError(f"{name} and --format {image_format} contradict each other.", "Leave one of them out.")


def check_places(targets: Iterable[Target], *, overwrite: bool) -> None:
    """Raise an error if a folder of this machine that translations go to cannot be written to."""
    for root in sorted({target.root for target in targets if overwrite or not os.path.lexists(target.path)}):
        if not address_of(root):
            require_writable(root)


def translate_into_archive(
    archive: Path, translate: Callable[[Path], TranslateResult], interrupted: Callable[[], bool]
) -> TranslateResult:
    """Have a folder filled, scores included, and make it an archive, whole or not at all.

    An interruption leaves no archive, and neither does a translation in which every picture failed.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cyclegan-", dir=archive.parent) as folder:
        result = _named_after(archive, Path(folder), translate(Path(folder)))
        if interrupted():
            note = f"{printable(archive)} was not written, because the translation was interrupted."
            return replace(result, done=[], notes=[*result.notes, note])
        if result.done:
            with atomic_write(archive) as aside:
                _pack(Path(folder), aside)
        return result


def _pack(folder: Path, archive: Path) -> None:
    """Write the files of a folder into an archive; uncompressed, because pictures are compressed already."""
    with ZipFile(archive, "w", strict_timestamps=False) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = os.fsencode(path.relative_to(folder).as_posix())
                packed.write(path, name.decode("utf-8", "replace"))  # an archive holds no other names


def _named_after(archive: Path, folder: Path, result: TranslateResult) -> TranslateResult:
    """Return a result whose targets and messages name the archive instead of the folder; its scores are written."""
    write_scores(result.scores)

    def moved(target: Target) -> Target:
        return replace(target, path=archive / target.path.relative_to(folder), root=archive)

    def renamed(error: CycleganError) -> CycleganError:
        return type(error)(str(error).replace(printable(folder), printable(archive)), error.hint)

    return TranslateResult(
        done=[moved(target) for target in result.done],
        failed=[renamed(error) for error in result.failed],
        notes=[note.replace(printable(folder), printable(archive)) for note in result.notes],
    )
