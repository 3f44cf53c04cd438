"""Folders of pictures: facts, findings and advice for training."""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclegan.config import ScheduleConfig
from cyclegan.data.duplicates import find_duplicates
from cyclegan.data.folders import find_domains, list_pictures
from cyclegan.data.survey import survey_folder
from cyclegan.inspection.findings import FEW_PICTURES, DuplicateGroup, Finding, SurveyedFolder, find_all
from cyclegan.text import counted

PAPER_FOLDER = re.compile(r"(train|test)([AB])")  # in the data sets of the paper
PAPER_SAMPLES = 220_000  # drawn by the paper's training: 200 epochs of about 1,100 samples
MIN_EPOCHS, MAX_EPOCHS = 20, 400  # with few pictures, more epochs only let the discriminators memorise them
SHARP_SHARE = 0.9  # of the pictures, which the advised size does not enlarge
SIZE_STEP = 32  # pixels between advised sizes
DEFAULT_SIZE = 256  # pixels; the paper's


@dataclass(frozen=True)
class DataFolder:
    """A folder with its role."""

    folder: Path
    domain: str
    split: str  # train or test


@dataclass(frozen=True)
class FolderFacts:
    """Statistics of the pictures in a folder."""

    folder: str
    domain: str
    split: str
    pictures: int
    unreadable: int
    passed_over: dict[str, int]  # files that are no pictures, by suffix
    short_side: tuple[int, int, int]  # pixels: least, median, most
    aspect: tuple[float, float]  # longer side over shorter: median, most
    modes: dict[str, int]
    grey: int
    sixteen_bit: int
    transparent: int
    several_frames: int

    @property
    def description(self) -> str:
        """The facts as one line."""
        low, middle, high = self.short_side
        facts = [counted(self.pictures, "picture")]
        if self.pictures:
            facts.append(f"short side {low}" if low == high else f"short side {low} to {high}, median {middle}")
            typical, most = self.aspect
            facts.append("square" if most == 1 else f"aspect {typical:g} (at most {most:g})")
            facts.append(" ".join(f"{mode} {count:,}" for mode, count in self.modes.items()))
        counts = (
            (self.grey, "grey"),
            (self.sixteen_bit, "of 16 bits"),
            (self.transparent, "transparent"),
            (self.several_frames, "of several frames"),
            (self.unreadable, "unreadable"),
        )
        return ", ".join(facts + [f"{count:,} {description}" for count, description in counts if count])


@dataclass(frozen=True)
class Advice:
    """Options for `cyclegan train`, with a reason."""

    options: str
    reason: str


@dataclass(frozen=True)
class FolderReport:
    """The result of inspecting data folders."""

    folders: list[FolderFacts]
    findings: list[Finding]
    advice: list[Advice]


def data_folders(folders: Sequence[Path]) -> list[DataFolder]:
    """Return each folder of pictures with its role, training first.

    A folder of the paper's layout stands for its trainA, trainB, testA and testB; any other is a domain of its own.
    """
    roles: list[DataFolder] = []
    for folder in folders:
        if inner := find_domains(folder):
            splits = (("train", inner.train), ("test", inner.test or ()))
            roles += [
                DataFolder(path, domain, split)
                for split, paths in splits
                for path, domain in zip(paths, "AB", strict=False)
            ]
        else:
            match = PAPER_FOLDER.fullmatch(folder.resolve().name)
            split, domain = match.groups() if match else ("train", str(folder))
            roles.append(DataFolder(folder, domain, split))
    return sorted(roles, key=lambda role: role.split == "test")


def count_pictures(folders: Sequence[DataFolder]) -> int:
    """Return the number of pictures in these folders."""
    return sum(len(list_pictures(role.folder)) for role in folders)


def inspect_folders(
    folders: Sequence[DataFolder], size: int, *, on_picture: Callable[[], object] = lambda: None
) -> FolderReport:
    """Read every picture of these folders and search duplicates in all of them together."""
    surveyed = [
        SurveyedFolder(role.domain, role.split, survey_folder(role.folder, on_picture=on_picture)) for role in folders
    ]
    return FolderReport(
        folders=[folder_facts(folder) for folder in surveyed],
        findings=find_all(surveyed, duplicate_groups(surveyed), size),
        advice=training_advice([folder for folder in surveyed if folder.split == "train"]),
    )


def folder_facts(folder: SurveyedFolder) -> FolderFacts:
    """Return statistics of the pictures in a folder."""
    pictures = folder.pictures
    short_sides = [picture.short_side for picture in pictures] or [0]
    aspects = [picture.aspect for picture in pictures] or [1.0]
    return FolderFacts(
        folder=str(folder.survey.folder),
        domain=folder.domain,
        split=folder.split,
        pictures=len(pictures),
        unreadable=len(folder.survey.unreadable),
        passed_over=folder.survey.passed_over,
        short_side=(min(short_sides), round(statistics.median(short_sides)), max(short_sides)),
        aspect=(round(statistics.median(aspects), 2), round(max(aspects), 2)),
        modes=dict(Counter(picture.mode for picture in pictures).most_common()),
        grey=sum(picture.grey for picture in pictures),
        sixteen_bit=sum(picture.bits == 16 for picture in pictures),
        transparent=sum(picture.transparent for picture in pictures),
        several_frames=sum(picture.frames > 1 for picture in pictures),
    )


def duplicate_groups(folders: Sequence[SurveyedFolder]) -> list[DuplicateGroup]:
    """Return the duplicates within and between folders."""
    pictures = [
        (folder, picture, picture.fingerprint)
        for folder in folders
        for picture in folder.pictures
        if picture.fingerprint is not None
    ]
    return [
        DuplicateGroup([pictures[index][:2] for index in duplicates.indices], duplicates)
        for duplicates in find_duplicates([fingerprint for _, _, fingerprint in pictures])
    ]


def training_advice(training: Sequence[SurveyedFolder]) -> list[Advice]:
    """Advise on the size and the length of a training on these folders."""
    short_sides = sorted(picture.short_side for folder in training for picture in folder.pictures)
    if not short_sides:
        return []
    return [size_advice(short_sides), epochs_advice(max(len(folder.pictures) for folder in training))]


def size_advice(short_sides: Sequence[int]) -> Advice:
    """Advise the paper's size, or the largest that does not enlarge nine in ten pictures."""
    sharp = short_sides[round(len(short_sides) * (1 - SHARP_SHARE))]
    largest = max(SIZE_STEP, sharp // SIZE_STEP * SIZE_STEP)
    if largest < DEFAULT_SIZE:
        return Advice(
            f"--size {largest}", f"Nine in ten pictures have at least {largest} pixels, but not {DEFAULT_SIZE}."
        )
    more = (
        f" {largest} is possible too, and takes {(largest / DEFAULT_SIZE) ** 2:.0f} times as long."
        if largest > DEFAULT_SIZE
        else ""
    )
    return Advice(
        f"--size {DEFAULT_SIZE}", f"The default, and the paper's; nine in ten pictures are large enough.{more}"
    )


def epochs_advice(samples: int) -> Advice:
    """Advise as many epochs of `samples` samples as draw about as many samples as the paper, within limits."""
    if samples < FEW_PICTURES:
        return Advice("--preset small", "For small data sets; it sets the number of epochs, too.")
    default = ScheduleConfig().epochs + ScheduleConfig().decay_epochs
    if PAPER_SAMPLES / 2 <= default * samples <= PAPER_SAMPLES * 2:
        epochs, reason = default, f"The default: {default} epochs of {samples:,} samples are {default * samples:,}"
    else:
        epochs = min(MAX_EPOCHS, max(MIN_EPOCHS, round(PAPER_SAMPLES / samples / 20) * 20))
        reason = f"{epochs} epochs of {samples:,} samples are {epochs * samples:,}"
    limit = f" Beyond {MAX_EPOCHS} epochs the discriminators memorise the pictures." if epochs == MAX_EPOCHS else ""
    return Advice(
        f"--epochs {epochs // 2} --decay-epochs {epochs // 2}",
        f"{reason}; the paper drew about {PAPER_SAMPLES:,}.{limit}",
    )
