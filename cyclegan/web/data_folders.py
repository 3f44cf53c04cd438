"""Folders of pictures for training: typed, or made of dropped pictures; their contents, and what inspection says."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import count, islice
from pathlib import Path

from cyclegan.atomic import is_file_name
from cyclegan.data.folders import count_suffixes, describe_passed_over, is_hidden, visible_files
from cyclegan.errors import DataError, UsageError, disk_errors
from cyclegan.images import FORMAT_OF
from cyclegan.inspection import FolderReport
from cyclegan.text import printable

MAX_FILES = 20_000  # that are counted in a folder, so that `/` is answered too
MAX_NAMES = 12  # of inner folders that are listed
MAX_DETAILS = 20  # of a finding
DROPPED = "dropped"  # folder of dropped pictures in the folder of data sets


@dataclass(frozen=True)
class FolderContents:
    """The files below a folder: at most `MAX_FILES` of them."""

    folder: Path
    pictures: list[Path]
    others: dict[str, int]  # files that are no pictures, by suffix
    inner: list[str]  # names of the folders directly in it
    is_cut: bool  # there are more files

    def require_pictures(self) -> None:
        """Raise an error if there are no pictures."""
        if not self.pictures and not self.is_cut:
            raise DataError(f"there are no pictures in {printable(self.folder)}.", "Choose another folder.")

    def as_html(self) -> str:
        """Return the contents as a paragraph."""
        number = len(self.pictures)
        lines = [f"{'More than ' * self.is_cut}{number:,} picture{'s' * (number != 1)} in {printable(self.folder)}"]
        lines += [text] if (text := describe_passed_over(self.others)) else []
        names = [*map(printable, self.inner[:MAX_NAMES]), *(["…"] if len(self.inner) > MAX_NAMES else [])]
        lines += [f"Folders in it: {', '.join(names)}"] if names else []
        return f"<p>{'<br>'.join(map(escape, lines))}</p>"


def typed_folder(text: str | None) -> Path:
    """Return the folder of a typed or pasted path; as shells do, without quotes and with `~` as the home folder."""
    path = (text or "").strip()
    if len(path) > 1 and path[0] == path[-1] and path[0] in "\"'":
        path = path[1:-1]
    if not path or "\0" in path:
        raise DataError("two folders of pictures are needed.", "Type a path of each, or drop pictures.")
    # Not `resolve`: a domain is named after a link, not after its target.
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100


def folder_contents(folder: Path) -> FolderContents:
    """Look into a folder; raise an error if there is none."""
    if not folder.is_dir():
        reason = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{printable(folder)} {reason}.", "Type the path of a folder of pictures.")
    files = list(islice(visible_files(folder), MAX_FILES + 1))
    is_picture = [path.suffix.lower() in FORMAT_OF for path in files]
    return FolderContents(
        folder,
        [path for path, is_one in zip(files, is_picture, strict=True) if is_one],
        count_suffixes(path for path, is_one in zip(files, is_picture, strict=True) if not is_one),
        sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name)),
        len(files) > MAX_FILES,
    )


def store_pictures(uploads: Sequence[Path], kind: str, current: Path | None, datasets: Path) -> Path:
    """Move uploaded pictures to a folder named after their kind; return it.

    This is `current` if it holds dropped pictures of this kind already, else a new one in the folder of data sets.
    """
    if not is_file_name(kind) or is_hidden(kind):
        raise UsageError(f"{printable(kind)} cannot be the name of a kind.", "Choose a word, such as horses.")
    dropped = Path(os.path.abspath(datasets / DROPPED))  # noqa: PTH100 (as `current`)
    is_more = current is not None and current.name == kind and current.parent.parent == dropped
    with disk_errors(dropped):
        if current is not None and is_more:
            folder = current
        else:
            dropped.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{datetime.now():%Y-%m-%d}-", dir=dropped)) / kind
        folder.mkdir(exist_ok=True)
        for upload in uploads:
            move_without_loss(upload, folder)
    return folder


def move_without_loss(picture: Path, folder: Path) -> None:
    """Move a picture to a folder, under another name where one of its name lies there; the same one only once."""
    names = (picture.name if n == 1 else f"{picture.stem}-{n}{picture.suffix}" for n in count(1))
    for target in (folder / name for name in names):
        if not target.exists():
            shutil.move(picture, target)
            return
        if filecmp.cmp(picture, target, shallow=False):
            picture.unlink()
            return


def report_as_html(report: FolderReport) -> str:
    """Return facts and findings of an inspection as HTML."""
    return "".join(report_lines(report))


def report_lines(report: FolderReport) -> Iterator[str]:
    """Yield the elements of an inspection's HTML."""
    for folder in report.folders:
        name = printable(Path(folder.folder).name)
        yield f"<p><strong>{escape(name)}</strong>: {escape(folder.description)}</p>"
    if not report.findings:
        yield "<p>No problem found in these pictures.</p>"
        return
    yield "<ul>"
    for finding in report.findings:
        yield f"<li>{escape(printable(finding.message))} {escape(printable(finding.suggestion))}"
        details = [*finding.details[:MAX_DETAILS], *(["…"] if len(finding.details) > MAX_DETAILS else [])]
        if details:
            lines = "<br>".join(escape(printable(detail)) for detail in details)
            yield f"<details><summary>which</summary>{lines}</details>"
        yield "</li>"
    yield "</ul>"
