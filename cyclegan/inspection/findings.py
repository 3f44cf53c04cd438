"""Checks of data folders: each finding says what is wrong and what to do about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan.data.duplicates import Duplicates
from cyclegan.data.survey import PictureFacts, Survey
from cyclegan.images.formats import GRAY_MODES
from cyclegan.text import counted, printable

MAX_IMBALANCE = 4  # ratio of the numbers of pictures of two domains
MAX_ASPECT = 3  # longer side over shorter; a square crop shows less than a third beyond it
MIN_MAX_VALUE = 0.25  # share of white; 16-bit pictures that stay below it hold 14 bits or fewer
FEW_PICTURES = 100  # of a domain
GREY_DOMAIN_SHARE = 0.9  # of grey pictures, from which the whole domain counts as grey


@dataclass(frozen=True)
class Finding:
    """A problem and a suggestion."""

    kind: str  # for programs
    message: str
    suggestion: str
    details: list[str] = field(default_factory=list)  # a line for each affected picture or group of pictures
    files: list[list[str]] = field(default_factory=list)  # of each detail


@dataclass(frozen=True)
class SurveyedFolder:
    """A folder of pictures of one domain, for training or for testing."""

    domain: str
    split: str  # train or test
    survey: Survey

    @property
    def name(self) -> str:
        """Name of the folder."""
        return printable(self.survey.folder.name or self.survey.folder)

    @property
    def pictures(self) -> list[PictureFacts]:
        """Facts about every readable picture."""
        return self.survey.pictures

    def display_name(self, path: Path) -> str:
        """Return a picture's path from this folder on."""
        return f"{self.name}/{printable(path.relative_to(self.survey.folder).as_posix())}"


@dataclass(frozen=True)
class DuplicateGroup:
    """Duplicates, each with its folder."""

    members: list[tuple[SurveyedFolder, PictureFacts]]
    duplicates: Duplicates

    @property
    def domains(self) -> set[str]:
        """The domains that hold the picture."""
        return {folder.domain for folder, _ in self.members}

    @property
    def splits(self) -> set[str]:
        """Train, test or both."""
        return {folder.split for folder, _ in self.members}

    @property
    def files(self) -> list[str]:
        """The paths of all members."""
        return [str(picture.path) for _, picture in self.members]

    @property
    def line(self) -> str:
        """The group as a line of text."""
        sign = " = " if self.duplicates.exact else " ~ "
        mirrored = " (mirrored)" if self.duplicates.mirrored else ""
        return sign.join(folder.display_name(picture.path) for folder, picture in self.members) + mirrored


def find_all(folders: Sequence[SurveyedFolder], groups: Sequence[DuplicateGroup], size: int) -> list[Finding]:
    """Return all findings about folders that are to be trained on at `size` pixels, the most serious first."""
    return [
        *(finding for folder in folders for finding in find_unreadable(folder)),
        *duplicate_findings(groups),
        *find_imbalance(folders),
        *(finding for folder in folders for check in (find_few, find_grey) for finding in check(folder)),
        *(finding for folder in folders for finding in find_unsuitable(folder, size)),
    ]


def count_of(pictures: int) -> str:
    """Return `1 picture is` or `n pictures are`."""
    return f"{counted(pictures, 'picture')} {'is' if pictures == 1 else 'are'}"


def find_unreadable(folder: SurveyedFolder) -> Iterator[Finding]:
    """Find files that cannot be read."""
    if unreadable := folder.survey.unreadable:
        yield Finding(
            "unreadable",
            f"{counted(len(unreadable), 'file')} in {folder.name} cannot be read; training would do without.",
            "Replace or delete what cannot be read.",
            [printable(error) for _, error in unreadable],
            [[str(path)] for path, _ in unreadable],
        )


def duplicate_findings(groups: Sequence[DuplicateGroup]) -> Iterator[Finding]:
    """Find pictures that are in both domains, in training and test, or twice in one domain and split."""
    within_one = [group for group in groups if len(group.domains) == len(group.splits) == 1]
    kinds = (
        (
            "in both domains",
            [group for group in groups if len(group.domains) > 1],
            "in both domains: real to one discriminator, fake to the other.",
            "Keep each in the folder where it belongs.",
        ),
        (
            "in training and test",
            [group for group in groups if len(group.splits) > 1],
            "in both a training and a test folder, which makes every score too good.",
            "Remove each from one of the two folders.",
        ),
        (
            "exact duplicates",
            [group for group in within_one if group.duplicates.exact],
            "there more than once, byte for byte, and would be drawn more often.",
            "Keep one of each.",
        ),
        (
            "near duplicates",
            [group for group in within_one if not group.duplicates.exact],
            "there more than once, saved differently, and would be drawn more often.",
            "Look at them, and keep the best of each.",
        ),
    )
    for kind, affected, text, suggestion in kinds:
        if affected:
            lines, files = [group.line for group in affected], [group.files for group in affected]
            yield Finding(kind, f"{count_of(len(affected))} {text}", suggestion, lines, files)


def find_imbalance(folders: Sequence[SurveyedFolder]) -> Iterator[Finding]:
    """Find domains of very unequal size."""
    training = [folder for folder in folders if folder.split == "train" and folder.pictures]
    if len(training) < 2:
        return
    smallest, largest = (choose(training, key=lambda folder: len(folder.pictures)) for choose in (min, max))
    ratio = len(largest.pictures) / len(smallest.pictures)
    if ratio > MAX_IMBALANCE:
        yield Finding(
            "imbalance",
            f"{largest.name} has {ratio:.0f} times as many pictures as {smallest.name}, "
            f"so each of the latter is drawn {ratio:.0f} times in an epoch.",
            f"Add pictures to {smallest.name}, or remove some from {largest.name}.",
        )


def find_few(folder: SurveyedFolder) -> Iterator[Finding]:
    """Find a domain too small to learn from."""
    count = len(folder.pictures)
    if folder.split == "train" and 0 < count < FEW_PICTURES:
        yield Finding(
            "few",
            f"{folder.name} has {count} pictures; a discriminator soon memorises so few.",
            "Add more, or train with --preset small.",
        )


def find_grey(folder: SurveyedFolder) -> Iterator[Finding]:
    """Find grey training pictures among those in colour, and grey domains."""
    grey = sorted(
        (picture for picture in folder.pictures if picture.grey), key=lambda picture: picture.mode not in GRAY_MODES
    )
    stored, count = sum(picture.mode in GRAY_MODES for picture in grey), len(folder.pictures)
    if not grey or folder.split == "test":
        return
    if len(grey) > GREY_DOMAIN_SHARE * count:
        yield Finding(
            "grey domain",
            f"{folder.name} is grey ({len(grey):,} of {count:,}), but training would treat it as RGB.",
            "Train with --set data.channels_a=1 if it is domain A, with --set data.channels_b=1 if it is B.",
        )
        return
    yield Finding(
        "grey among colour",
        f"{folder.name}: of {count:,}, {count_of(len(grey))} grey ({stored:,} stored in grey, "
        f"{len(grey) - stored:,} as colour), which teaches that pictures without colour are real.",
        "Remove them, unless grey translations are welcome.",
        [folder.display_name(picture.path) for picture in grey],
        [[str(picture.path)] for picture in grey],
    )


@dataclass(frozen=True)
class PictureCheck:
    """A check of single pictures; its message starts with their number and `is` or `are`."""

    kind: str
    fails: Callable[[PictureFacts, int], bool]  # for a picture and the training size in pixels
    message: str
    suggestion: str


PICTURE_CHECKS = (
    PictureCheck(
        "flat",
        lambda picture, _: picture.fingerprint is None,
        "of a single colour: there is nothing to learn from them.",
        "Remove them.",
    ),
    PictureCheck(
        "several frames",
        lambda picture, _: picture.frames > 1,
        "of several frames or pages, of which only the first is used.",
        "Save the others as files of their own, if they matter.",
    ),
    PictureCheck(
        "transparency",
        lambda picture, _: picture.transparent,
        "partly transparent; training fills transparent pixels with the colours nearby.",
        "Put them on a background of your choice, if that matters.",
    ),
    PictureCheck(
        "very long",
        lambda picture, _: picture.aspect > MAX_ASPECT,
        f"more than {MAX_ASPECT} times as long as wide, so that a square training image shows only a small part.",
        "Cut them into parts that show something complete, or remove them.",
    ),
    PictureCheck(
        "dim",
        lambda picture, _: picture.bits == 16 and picture.max_value < MIN_MAX_VALUE,
        "saved with 16 bits but use less than a quarter of their range: nearly black to a network.",
        "Scale the pixel values of the whole folder by one factor.",
    ),
    PictureCheck(
        "too small",
        lambda picture, size: picture.short_side < size,
        "smaller than {size} pixels and would be enlarged, which only makes them blurred.",
        "Find larger ones, or train at a --size below {size}.",
    ),
)


def find_unsuitable(folder: SurveyedFolder, size: int) -> Iterator[Finding]:
    """Find pictures that fail one of `PICTURE_CHECKS`."""
    for check in PICTURE_CHECKS:
        if paths := [picture.path for picture in folder.pictures if check.fails(picture, size)]:
            yield Finding(
                check.kind,
                f"{folder.name}: {count_of(len(paths))} {check.message.format(size=size)}",
                check.suggestion.format(size=size),
                [folder.display_name(path) for path in paths],
                [[str(path)] for path in paths],
            )
