"""Folders of numbered frames (frame_0001.png, frame_0002.png, ...), which `--steady` takes as a video."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cyclegan.errors import printable
from cyclegan.images import Pixels, with_bits, with_channels
from cyclegan.translation.targets import Target, is_clip
from cyclegan.video.smoothing import TemporalSmoother

NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.ASCII)  # the last number in a name counts the frames
SHORTEST = 3  # frames; two pictures with a number in their names are hardly a sequence

Frame = tuple[Pixels, Pixels]  # of the source, and its translation


def numbered_sequences(targets: Iterable[Target]) -> list[list[Target]]:
    """Return the sequences of frames among pictures: in one folder, alike in name but for a number, ordered by it."""
    found: dict[tuple[Path, str, str, str], dict[int, Target]] = defaultdict(dict)
    for target in targets:
        match = NUMBERED.fullmatch(target.source.stem)
        if match and not is_clip(target):
            name = target.source.parent, match[1], match[3], target.source.suffix.lower()
            found[name][int(match[2])] = target
    return [[frames[number] for number in sorted(frames)] for frames in found.values() if len(frames) >= SHORTEST]


def describe_sequences(targets: Sequence[Target]) -> list[str]:
    """Say which pictures `--steady` takes as sequences, and for how many it is ignored."""
    sequences = numbered_sequences(targets)
    notes = [
        f"steady: {len(frames):,} numbered frames in {printable(frames[0].source.parent)} taken as one sequence."
        for frames in sequences
    ]
    alone = sum(not is_clip(target) for target in targets) - sum(map(len, sequences))
    if alone:
        notes.append(
            f"steady: ignored for {alone:,} still pictures, which are not numbered frames "
            "(frame_0001.png, frame_0002.png, ...)."
        )
    return notes


class SteadySequences:
    """Blends every frame of a sequence with the one before it; `keep` as in `TemporalSmoother`.

    `read` returns a frame that was translated earlier and is left as it is, or nothing if it cannot be read.
    """

    def __init__(self, targets: Sequence[Target], keep: float, read: Callable[[Target], Frame | None]) -> None:
        self.keep = keep
        self.read = read
        sequences = numbered_sequences(targets) if keep else []
        self.before = {
            target: before for frames in sequences for before, target in zip([None, *frames], frames, strict=False)
        }
        self.steadiers: dict[Target, TemporalSmoother] = {}  # by the frame that they have seen last

    def ordered(self, targets: Sequence[Target]) -> list[Target]:
        """Return the targets with every sequence in the order of its numbers, after all other pictures."""
        return [*(target for target in targets if target not in self.before), *self.before]

    def steadied(self, target: Target, source: Pixels, output: Pixels) -> Pixels:
        """Return the translation of a picture, steadier if it is a frame of a sequence."""
        if target not in self.before:
            return output
        steadier = self._steadier_before(target)
        self.steadiers[target] = steadier
        return with_channels(steadier(*_comparable(source, output)), output.shape[2])

    def _steadier_before(self, target: Target) -> TemporalSmoother:
        """Return the steadier that has seen the frame before, which may be from an earlier translation."""
        before = self.before[target]
        if before is None:
            return TemporalSmoother(self.keep)
        if before in self.steadiers:
            return self.steadiers.pop(before)
        steadier = TemporalSmoother(self.keep)
        if frame := self.read(before):
            steadier(*_comparable(*frame))
        return steadier


def _comparable(source: Pixels, output: Pixels) -> Frame:
    """Return a source as 8-bit RGB and an output as RGB of its own depth."""
    return with_channels(with_bits(source, 8), 3), with_channels(output, 3)
