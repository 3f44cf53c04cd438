"""What is wrong with folders of pictures, each with what to do about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan.data.duplicates import Repeat
from cyclegan.data.survey import Look, Survey
from cyclegan.errors import printable
from cyclegan.images.formats import GRAY_MODES

UNEVEN = 4  # times as many pictures in one domain as in the other
LONG = 3  # the longer side over the shorter, beyond which a square shows less than a third
DIM = 0.25  # share of white: 16 bits that end here hold 14 or fewer
FEW = 100  # pictures of a domain
GREY_DOMAIN = 0.9  # share of grey pictures from which a domain is grey, and colour the exception


@dataclass(frozen=True)
class Finding:
    """Something wrong, and what to do."""

    kind: str  # what programs know it by
    wrong: str  # a sentence
    suggestion: str  # another
    details: list[str] = field(default_factory=list)  # a line for each picture, or group of pictures, that has it
    files: list[list[str]] = field(default_factory=list)  # of each detail


@dataclass(frozen=True)
class Part:
    """A folder of pictures of one domain, for training or for testing."""

    domain: str
    split: str  # train or test
    survey: Survey

    @property
    def name(self) -> str:
        """What to call it."""
        return printable(self.survey.folder.name or self.survey.folder)

    def shown(self, path: Path) -> str:
        """Return a picture's name for people: under this folder's."""
        return f"{self.name}/{printable(path.relative_to(self.survey.folder).as_posix())}"


@dataclass(frozen=True)
class Group:
    """Pictures that repeat each other, each with the part it is in."""

    members: list[tuple[Part, Look]]
    repeat: Repeat

    @property
    def domains(self) -> set[str]:
        """The domains in which the picture is."""
        return {part.domain for part, _ in self.members}

    @property
    def splits(self) -> set[str]:
        """Train, test or both."""
        return {part.split for part, _ in self.members}

    @property
    def files(self) -> list[str]:
        """Where the pictures are."""
        return [str(look.path) for _, look in self.members]

    @property
    def line(self) -> str:
        """The group in a line for people."""
        sign = " = " if self.repeat.exact else " ~ "
        mirrored = " (mirrored)" if self.repeat.mirrored else ""
        return sign.join(part.shown(look.path) for part, look in self.members) + mirrored


def find_all(parts: Sequence[Part], groups: Sequence[Group], size: int) -> list[Finding]:
    """Return everything wrong with these folders as training images of `size` pixels, the worst first."""
    return [
        *(finding for part in parts for finding in unreadable(part)),
        *in_two_domains(groups),
        *in_training_and_test(groups),
        *in_one_folder(groups),
        *uneven(parts),
        *(finding for part in parts for look_for in IN_EACH for finding in look_for(part)),
        *(finding for part in parts for finding in too_small(part, size)),
    ]


def pictures(count: int) -> str:
    """Return `1 picture is` or `n pictures are`."""
    return "1 picture is" if count == 1 else f"{count:,} pictures are"


def unreadable(part: Part) -> Iterator[Finding]:
    """Find files that no one could read."""
    if bad := part.survey.unreadable:
        yield Finding(
            "unreadable",
            f"{len(bad):,} of {part.name} cannot be read, and would be passed over.",
            "Replace or delete what is named here.",
            [printable(error) for _, error in bad],
            [[str(path)] for path, _ in bad],
        )


def in_two_domains(groups: Sequence[Group]) -> Iterator[Finding]:
    """Find pictures that are in both domains."""
    yield from repeated(
        "in both domains",
        [group for group in groups if len(group.domains) > 1],
        "in both domains: to one discriminator it is real, to the other a fake.",
        "Keep each in the folder where it belongs.",
    )


def in_training_and_test(groups: Sequence[Group]) -> Iterator[Finding]:
    """Find test pictures that are trained on."""
    yield from repeated(
        "in training and test",
        [group for group in groups if len(group.splits) > 1],
        "in both a training and a test folder, which flatters every score.",
        "Remove each from one of the two folders.",
    )


def in_one_folder(groups: Sequence[Group]) -> Iterator[Finding]:
    """Find pictures that are in one folder, or one domain's folders of one kind, more than once."""
    own = [group for group in groups if len(group.domains) == len(group.splits) == 1]
    yield from repeated(
        "exact duplicates",
        [group for group in own if group.repeat.exact],
        "there more than once, byte for byte, and would be learned from as often.",
        "Keep one of each.",
    )
    yield from repeated(
        "near duplicates",
        [group for group in own if not group.repeat.exact],
        "there more than once, saved another way, and would be learned from as often.",
        "Look at them, and keep the best of each.",
    )


def repeated(name: str, groups: Sequence[Group], where: str, suggestion: str) -> Iterator[Finding]:
    """Tell of pictures that are there more than once, if there are any."""
    if groups:
        lines, files = [group.line for group in groups], [group.files for group in groups]
        yield Finding(name, f"{pictures(len(groups))} {where}", suggestion, lines, files)


def uneven(parts: Sequence[Part]) -> Iterator[Finding]:
    """Find domains of very unequal size."""
    training = [part for part in parts if part.split == "train" and part.survey.looks]
    if len(training) < 2:
        return
    least, most = (choose(training, key=lambda part: len(part.survey.looks)) for choose in (min, max))
    few, many = len(least.survey.looks), len(most.survey.looks)
    if many > UNEVEN * few:
        yield Finding(
            "imbalance",
            f"{most.name} has {many / few:.0f} times as many pictures as {least.name}, "
            f"so each of the latter is seen {many / few:.0f} times in an epoch.",
            f"Add pictures to {least.name}, or leave some of {most.name} away.",
        )


def few(part: Part) -> Iterator[Finding]:
    """Find a domain too small to learn from."""
    count = len(part.survey.looks)
    if part.split == "train" and 0 < count < FEW:
        yield Finding(
            "few",
            f"{part.name} has {count} pictures, which a discriminator soon knows by heart.",
            "Add more, or train with --preset small.",
        )


def flat(part: Part) -> Iterator[Finding]:
    """Find pictures with nothing on them."""
    yield from those(
        part,
        lambda look: look.fingerprint is None,
        "flat",
        "{} of one colour all over: there is nothing to learn from them.",
        "Remove them.",
    )


def moving(part: Part) -> Iterator[Finding]:
    """Find files of several frames or pages."""
    yield from those(
        part,
        lambda look: look.frames > 1,
        "several frames",
        "{} of several frames or pages, of which only the first is used.",
        "Save the others as files of their own, if they matter.",
    )


def transparent(part: Part) -> Iterator[Finding]:
    """Find pictures that can be seen through."""
    yield from those(
        part,
        lambda look: look.see_through,
        "transparency",
        "{} transparent somewhere; training sees none of that, but the colours nearby.",
        "Put them on a background of your choice, if that matters.",
    )


def long(part: Part) -> Iterator[Finding]:
    """Find pictures of which a square shows but a small piece."""
    yield from those(
        part,
        lambda look: look.elongation > LONG,
        "very long",
        f"{{}} more than {LONG} times as long as wide, so that a square training image shows but a piece.",
        "Cut them into pieces that show something whole, or leave them away.",
    )


def dim(part: Part) -> Iterator[Finding]:
    """Find pictures that fill only a part of their 16 bits."""
    yield from those(
        part,
        lambda look: look.bits == 16 and look.brightest < DIM,
        "dim",
        "{} saved with 16 bits and use less than a quarter of their range: black, to a network.",
        "Stretch the levels of the whole folder by one factor.",
    )


def those(part: Part, has_it: Callable[[Look], bool], kind: str, wrong: str, suggestion: str) -> Iterator[Finding]:
    """Yield what is wrong with the pictures of a part that have something, if any have."""
    if found := [look.path for look in part.survey.looks if has_it(look)]:
        sentence = f"{part.name}: {wrong.format(pictures(len(found)))}"
        yield Finding(kind, sentence, suggestion, [part.shown(path) for path in found], [[str(path)] for path in found])


def too_small(part: Part, size: int) -> Iterator[Finding]:
    """Find pictures that would have to be enlarged."""
    yield from those(
        part,
        lambda look: look.short_side < size,
        "too small",
        f"{{}} smaller than {size} pixels and would be enlarged, which only makes them blurred.",
        f"Find larger ones, or train at a --size below {size}.",
    )


def grey(part: Part) -> Iterator[Finding]:
    """Find grey training pictures among those in colour, and a domain that is grey altogether."""
    found = sorted((look for look in part.survey.looks if look.grey), key=lambda look: look.mode not in GRAY_MODES)
    stored, count = sum(look.mode in GRAY_MODES for look in found), len(part.survey.looks)
    if not found or part.split == "test":
        return
    if len(found) > GREY_DOMAIN * count:
        yield Finding(
            "grey domain",
            f"{part.name} is grey ({len(found):,} of {count:,}), and would be trained on as if it had colour.",
            "Train with --set data.channels_a=1 if it is domain A, with --set data.channels_b=1 if it is B.",
        )
        return
    yield Finding(
        "grey among colour",
        f"{part.name}: of {count:,}, {pictures(len(found))} grey ({stored:,} stored in grey, "
        f"{len(found) - stored:,} as colour), which teaches that what has no colour is real.",
        "Remove them, unless grey is what you want to see now and then.",
        [part.shown(look.path) for look in found],
        [[str(look.path)] for look in found],
    )


IN_EACH: tuple[Callable[[Part], Iterator[Finding]], ...] = (few, grey, flat, moving, transparent, long, dim)
