"""Folders of numbered frames (frame_0001.png, frame_0002.png, ...), which `--steady` takes as a video."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cyclegan.images import Pixels, with_bits, with_channels
from cyclegan.text import counted, printable
from cyclegan.translation.targets import Target
from cyclegan.video.smoothing import TemporalSmoother

NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.ASCII)  # the last number in a name counts the frames
MIN_FRAMES = 3  # of a sequence; two pictures may have numbers in their names by chance

FramePair = tuple[Pixels, Pixels]  # of the source, and its translation


def numbered_sequences(targets: Iterable[Target]) -> list[list[Target]]:
    """Return the sequences of frames among pictures: in one folder, alike in name but for a number, ordered by it."""
    sequences: dict[tuple[Path, str, str, str], dict[int, Target]] = defaultdict(dict)
    for target in targets:
        match = NUMBERED.fullmatch(target.source.stem)
        if match and not target.is_video:
            name = target.source.parent, match[1], match[3], target.source.suffix.lower()
            sequences[name][int(match[2])] = target
    return [[frames[number] for number in sorted(frames)] for frames in sequences.values() if len(frames) >= MIN_FRAMES]


def describe_sequences(targets: Sequence[Target]) -> list[str]:
    """Return messages: which pictures `--steady` takes as sequences, and for how many it is ignored."""
    sequences = numbered_sequences(targets)
    notes = [
        f"steady: {len(frames):,} numbered frames in {printable(frames[0].source.parent)} taken as one sequence."
        for frames in sequences
    ]
    numbered = {target.source for frames in sequences for target in frames}
    single = [target for target in targets if not target.is_video and target.source not in numbered]
    if stills := sum(not target.stays_animation() for target in single):
        notes.append(f"steady: ignored for {counted(stills, 'still picture')} without a number as in frame_0001.png.")
    return notes


class SteadySequences:
    """Blends every frame of a sequence with the one before it.

    `new_smoother` returns the smoother of a sequence; `read_frame` a frame and its translation of an earlier run, of
    one size, or None if they cannot be read.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        new_smoother: Callable[[], TemporalSmoother],
        read_frame: Callable[[Target], FramePair | None],
    ) -> None:
        self.new_smoother = new_smoother
        self.read_frame = read_frame
        sequences = numbered_sequences(targets)
        self.previous = {
            target: before for frames in sequences for before, target in zip([None, *frames], frames, strict=False)
        }
        self.smoothers: dict[Target, TemporalSmoother] = {}  # by their last frame

    def ordered(self, targets: Sequence[Target]) -> list[Target]:
        """Return the targets with every sequence in the order of its numbers, after all other pictures."""
        return [*(target for target in targets if target not in self.previous), *self.previous]

    def smoothed(self, target: Target, source: Pixels, output: Pixels) -> Pixels:
        """Return the translation of a picture, temporally smoothed if it is a frame of a sequence."""
        if target not in self.previous:
            return output
        smoother = self._smoother_before(target)
        self.smoothers[target] = smoother
        return with_channels(smoother(*_as_rgb(source, output)), output.shape[2])

    def _smoother_before(self, target: Target) -> TemporalSmoother:
        """Return the smoother of the previous frame, whose translation may be of an earlier run."""
        before = self.previous[target]
        if before is None:
            return self.new_smoother()
        if before in self.smoothers:
            return self.smoothers.pop(before)
        smoother = self.new_smoother()
        if frame := self.read_frame(before):
            smoother(*_as_rgb(*frame))
        return smoother


def _as_rgb(source: Pixels, output: Pixels) -> FramePair:
    """Return a source as 8-bit RGB and an output as RGB of its own depth."""
    return with_channels(with_bits(source, 8), 3), with_channels(output, 3)
