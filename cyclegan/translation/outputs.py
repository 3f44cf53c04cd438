"""Output folders and archives: checked before the work begins; a .zip archive is packed at the end."""

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

from cyclegan.atomic import atomic_write, check_new_file, file_suffix, make_folder, require_writable
from cyclegan.errors import DataError, UsageError
from cyclegan.images import FORMAT_OF
from cyclegan.text import printable
from cyclegan.translation.addresses import remote_address
from cyclegan.translation.job import TranslateResult
from cyclegan.translation.targets import SUFFIXES, Target

ARCHIVE = ".zip"
FOLDER_HINT = "Name a folder, which may exist already, or a .zip archive."


def is_archive(output: Path | None) -> bool:
    """Tell whether an output names an archive; a folder of such a name stays one."""
    return output is not None and output.suffix.lower() == ARCHIVE and not output.is_dir()


def check_output(inputs: Sequence[Path], output: Path | None, image_format: str | None, *, overwrite: bool) -> None:
    """Raise an error for an output that cannot be written, or whose name contradicts the inputs or the format."""
    if output is not None:
        if output == Path("-"):
            raise UsageError(
                "only a picture from standard input can go to standard output.",
                "Write: cyclegan translate - < in.png > out.png",
                output,
            )
        _check_name(inputs, output, image_format)
        if is_archive(output):
            check_new_file(output, overwrite=overwrite)


def _check_name(inputs: Sequence[Path], output: Path, image_format: str | None) -> None:
    """Raise an error for the name of a file where a folder is needed, or of a file of another format."""
    suffix = file_suffix(output)
    try:
        is_folder = output.is_dir()
    except OSError as error:  # the name is too long, for example
        raise DataError(f"cannot be written to: {error.strerror}.", "Choose another --output.", output) from error
    if not suffix or is_folder or suffix == ARCHIVE or remote_address(output):
        return
    if suffix not in SUFFIXES:
        raise UsageError("is named like a file of a format that cannot be written.", FOLDER_HINT, output)
    if len(inputs) > 1 or inputs[0].is_dir() or remote_address(inputs[0]):
        raise UsageError("is named like a single file, and a folder is needed.", FOLDER_HINT, output)
    if image_format and FORMAT_OF.get(suffix) != FORMAT_OF[f".{image_format}"]:
        raise UsageError(f"and --format {image_format} contradict each other.", "Leave one of them out.", output)


def check_folders(targets: Iterable[Target], *, overwrite: bool) -> None:
    """Raise an error if a local output folder cannot be written to."""
    for root in sorted({target.root for target in targets if overwrite or not os.path.lexists(target.path)}):
        if not remote_address(root):
            require_writable(root)


def translate_into_archive(
    archive: Path, translate: Callable[[Path], TranslateResult], interrupted: Callable[[], bool]
) -> TranslateResult:
    """Call `translate` with a temporary folder, and pack that as an archive, whole or not at all.

    There is no archive after an interruption, or if every picture failed.
    """
    make_folder(archive.parent)
    with tempfile.TemporaryDirectory(prefix=".cyclegan-", dir=archive.parent) as name:
        folder = Path(name)
        result = _moved(translate(folder), folder, archive)
        if interrupted():
            note = f"{printable(archive)} was not written, because the translation was interrupted."
            return replace(result, done=[], notes=[*result.notes, note])
        if result.done:
            with atomic_write(archive) as partial:
                _pack(folder, partial)
        return result


def _pack(folder: Path, archive: Path) -> None:
    """Write the files of a folder into an archive; uncompressed, because pictures are compressed already."""
    with ZipFile(archive, "w", strict_timestamps=False) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = os.fsencode(path.relative_to(folder).as_posix())
                packed.write(path, name.decode("utf-8", "replace"))  # an archive holds no other names


def _moved(result: TranslateResult, folder: Path, archive: Path) -> TranslateResult:
    """Return a result whose targets and errors name the archive instead of the folder."""

    def moved(path: Path | str) -> Path:
        path = Path(path)
        return archive / path.relative_to(folder) if path.is_relative_to(folder) else path

    return replace(
        result,
        done=[replace(target, path=moved(target.path), root=archive) for target in result.done],
        failed=[error.with_path(moved(error.path)) if error.path else error for error in result.failed],
        scores={},  # the table is packed
        tables=[],
    )
