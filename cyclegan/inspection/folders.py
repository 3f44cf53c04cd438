"""Folders of pictures: what is in them, what is wrong with them, and how to train on them."""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclegan.config import ScheduleConfig
from cyclegan.data.duplicates import find_repeats
from cyclegan.data.folders import find_domains, list_pictures
from cyclegan.data.survey import survey_folder
from cyclegan.inspection.findings import FEW, Finding, Group, Part, find_all

KNOWN = re.compile(r"(train|test)([AB])")  # the folders of the paper's datasets
PAIRS = 220_000  # drawn in the paper's training: 200 epochs of about 1,100 pairs
MOST_EPOCHS = 400  # twice the paper's; after more rounds through few pictures the discriminators know them by heart
LEAST_EPOCHS = 20
SHARPEST = 0.9  # share of the pictures that the size advised does not enlarge
STEP = 32  # pixels between the sizes advised
USUAL = 256  # pixels: the paper's size, and the default


@dataclass(frozen=True)
class PartFacts:
    """What is in a folder."""

    folder: str
    domain: str
    split: str
    pictures: int
    unreadable: int
    passed_over: dict[str, int]  # suffix -> files that are no pictures, by their name
    short_side: tuple[int, int, int]  # pixels: least, median, most
    elongation: tuple[float, float]  # longer side over shorter: median, most
    modes: dict[str, int]
    grey: int
    deep: int  # of 16 bits
    see_through: int
    several_frames: int


@dataclass(frozen=True)
class Advice:
    """Options for `cyclegan train`, and why."""

    options: str
    why: str


@dataclass(frozen=True)
class FolderReport:
    """What looking over folders of pictures has shown."""

    parts: list[PartFacts]
    findings: list[Finding]
    advice: list[Advice]


def parts_of(folders: Sequence[Path]) -> list[tuple[Path, str, str]]:
    """Return each folder of pictures with its domain and whether it is for training or for testing.

    A folder of the paper's layout stands for its trainA, trainB, testA and testB; any other is a domain of its own.
    """
    parts: list[tuple[Path, str, str]] = []
    for folder in folders:
        if inner := find_domains(folder):
            halves = (("train", inner.train), ("test", inner.test or ()))
            parts += [
                (place, domain, split) for split, pair in halves for place, domain in zip(pair, "AB", strict=False)
            ]
        else:
            known = KNOWN.fullmatch(folder.resolve().name)
            split, domain = known.groups() if known else ("train", str(folder))
            parts.append((folder, domain, split))
    return sorted(parts, key=lambda part: part[2] == "test")


def inspect_folders(
    parts: Sequence[tuple[Path, str, str]], size: int, *, on_picture: Callable[[], object] = lambda: None
) -> FolderReport:
    """Look at every picture of these folders, and compare them all with one another."""
    surveyed = [Part(domain, split, survey_folder(folder, on_picture=on_picture)) for folder, domain, split in parts]
    return FolderReport(
        parts=[facts(part) for part in surveyed],
        findings=find_all(surveyed, groups_in(surveyed), size),
        advice=advice([part for part in surveyed if part.split == "train"]),
    )


def amount_of_pictures(parts: Sequence[tuple[Path, str, str]]) -> int:
    """Return how many files there are to look at."""
    return sum(len(list_pictures(folder)) for folder, _, _ in parts)


def facts(part: Part) -> PartFacts:
    """Return what is in a folder."""
    looks = part.survey.looks
    sides = [look.short_side for look in looks] or [0]
    elongations = [look.elongation for look in looks] or [1.0]
    return PartFacts(
        folder=str(part.survey.folder),
        domain=part.domain,
        split=part.split,
        pictures=len(looks),
        unreadable=len(part.survey.unreadable),
        passed_over=part.survey.passed_over,
        short_side=(min(sides), round(statistics.median(sides)), max(sides)),
        elongation=(round(statistics.median(elongations), 2), round(max(elongations), 2)),
        modes=dict(Counter(look.mode for look in looks).most_common()),
        grey=sum(look.grey for look in looks),
        deep=sum(look.bits == 16 for look in looks),
        see_through=sum(look.see_through for look in looks),
        several_frames=sum(look.frames > 1 for look in looks),
    )


def groups_in(parts: Sequence[Part]) -> list[Group]:
    """Return the pictures that repeat each other, wherever they are."""
    known = [
        (part, look, look.fingerprint) for part in parts for look in part.survey.looks if look.fingerprint is not None
    ]
    repeats = find_repeats([fingerprint for _, _, fingerprint in known])
    return [Group([known[place][:2] for place in repeat.places], repeat) for repeat in repeats]


def advice(training: Sequence[Part]) -> list[Advice]:
    """Say at which size and for how long to train on these."""
    sides = sorted(look.short_side for part in training for look in part.survey.looks)
    if not sides:
        return []
    return [advice_on_size(sides), advice_on_epochs(max(len(part.survey.looks) for part in training))]


def advice_on_size(short_sides: Sequence[int]) -> Advice:
    """Advise the paper's size, or the largest at which nine in ten pictures are not enlarged."""
    sharp = short_sides[round(len(short_sides) * (1 - SHARPEST))]
    largest = max(STEP, sharp // STEP * STEP)
    if largest < USUAL:
        return Advice(
            f"--size {largest}", f"Nine in ten pictures have {largest} pixels or more; at {USUAL}, they have not."
        )
    more = (
        f" They would bear {largest}, which takes {(largest / USUAL) ** 2:.0f} times as long."
        if largest > USUAL
        else ""
    )
    return Advice(f"--size {USUAL}", f"The default, and the paper's; nine in ten pictures are large enough.{more}")


def advice_on_epochs(pairs: int) -> Advice:
    """Advise as many epochs as make about as many pairs as the paper drew, within reason."""
    if pairs < FEW:
        return Advice("--preset small", "For a handful of pictures; it says how many epochs, too.")
    usual = ScheduleConfig().epochs + ScheduleConfig().decay_epochs
    if PAIRS / 2 <= usual * pairs <= PAIRS * 2:
        epochs, why = usual, f"The default: {usual} epochs of {pairs:,} pairs are {usual * pairs:,}"
    else:
        epochs = min(MOST_EPOCHS, max(LEAST_EPOCHS, round(PAIRS / pairs / 20) * 20))
        why = f"{epochs} epochs of {pairs:,} pairs are {epochs * pairs:,}"
    limit = f" Beyond {MOST_EPOCHS} epochs the discriminators know the pictures by heart." * (epochs == MOST_EPOCHS)
    return Advice(
        f"--epochs {epochs // 2} --decay-epochs {epochs // 2}", f"{why}; the paper drew about {PAIRS:,}.{limit}"
    )
