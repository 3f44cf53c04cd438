"""Videos and animations: their frames translated, smoothed, scored and measured for flicker."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import chain

from cyclegan.devices import memory_errors
from cyclegan.images import Picture, Pixels, with_bits, with_channels
from cyclegan.inference.streams import Streams
from cyclegan.inference.translator import Translator
from cyclegan.translation.job import TRANSLATION_MEMORY_HINT, Item, TranslateJob
from cyclegan.translation.masks import TranslationMask
from cyclegan.translation.scale import scaled_to_option
from cyclegan.translation.scores import Score, Scorer, VideoScorer
from cyclegan.video.frames import FrameState, SavedArrays, VideoOptions, with_prefix, without_prefix
from cyclegan.video.smoothing import TemporalSmoother


class FrameFinisher(FrameState):
    """Smooths, masks and scores the translated frames of one video; `mask` is that of all."""

    def __init__(self, smoother: TemporalSmoother, scorer: Scorer | None, mask: TranslationMask | None = None) -> None:
        self.smoother = smoother
        self.is_smoothed = smoother.weight > 0
        self.scorer = scorer
        self.mask = mask
        self.unsmoothed, self.output = VideoScorer(None), VideoScorer(scorer)
        self.parts = {"smoother.": self.smoother, "unsmoothed.": self.unsmoothed, "output.": self.output}

    def __call__(self, frames: tuple[Pixels, Pixels]) -> Pixels:
        """Finish the translation of the next frame, which is given at the size of the output, with its translation."""
        source, output = frames
        if self.is_smoothed:
            self.unsmoothed.add(source, output)
            output = self.smoother(source, output)
        if self.mask:
            output = self.mask.apply(source, output)
        if self.is_smoothed or self.scorer:
            self.output.add(source, output)
        return output

    def flicker(self) -> str:
        """Return the message about flicker without and with smoothing; empty without smoothing."""
        if not self.is_smoothed:
            return ""
        before, after = self.unsmoothed.flicker.ratio(), self.output.flicker.ratio()
        return f"flickers {after:.2f} times as much as its source, and would {before:.2f} times without --steady."

    def score(self) -> Score | None:
        """Return the score of the video, if scores are asked for."""
        return self.output.score() if self.scorer else None

    def state_dict(self) -> SavedArrays:
        """Return everything that the next frame depends on; empty if frames are independent."""
        if not self.is_smoothed and not self.scorer:
            return {}
        states = [with_prefix(prefix, part.state_dict()) for prefix, part in self.parts.items()]
        return {name: array for state in states for name, array in state.items()}

    def load_state_dict(self, state: SavedArrays) -> None:
        """Continue after the frame after which `state` was returned."""
        for prefix, part in self.parts.items():
            part.load_state_dict(without_prefix(prefix, state))


def translate_video(item: Item, job: TranslateJob) -> None:
    """Translate a video or an animation from file to file."""
    from cyclegan.video.animations import map_animation
    from cyclegan.video.videos import map_video

    options = job.options

    def translate(translator: Translator, frame: Pixels) -> tuple[Pixels, Pixels]:
        with memory_errors(job.translator.device, TRANSLATION_MEMORY_HINT):
            output = translator.translate_picture(Picture(frame), options.strength).pixels
        return frame, with_channels(with_bits(output, 8), 3)

    def translated(frames: Iterator[Pixels]) -> Iterator[tuple[Pixels, Pixels]]:
        scaled = (scaled_to_option(frame, item.target.source, options) for frame in frames)
        first = next(scaled, None)
        if first is None:
            return
        streams = Streams(job.translator)
        if not streams.translator.fits_stream([Picture(first)]):
            streams = Streams(job.translator, 1)
        yield from streams.map(partial(translate, streams.translator), chain([first], scaled))

    finish = FrameFinisher(job.new_smoother(), job.scorer, item.mask)
    video_options = VideoOptions(
        mark=job.mark,
        composite=job.composite,
        quality=options.quality or 0,
        max_pixels=options.max_pixels,
        on_frame=job.on_frame if item.target.is_video else lambda: None,
        interrupted=job.interrupted,
        recipe=recipe(job, item.mask),
        state=finish,
        ahead=translated,
    )
    map_frames = map_video if item.target.is_video else map_animation
    result = map_frames(item.target.source, item.target.path, finish, video_options)
    item.interrupted = not result.finished
    for note in result.notes:
        item.note(note)
    if result.finished:
        if options.steady:
            item.note(finish.flicker())
        item.score = finish.score()


def recipe(job: TranslateJob, mask: TranslationMask | None) -> str:
    """Return everything that changes the frames of a video: the model, the mask and the options that matter."""
    options = asdict(job.options)
    for name in ("batch_size", "overwrite", "max_pixels", "mask"):
        del options[name]
    translator = job.translator
    with translator.path.open("rb") as model:
        digest = hashlib.file_digest(model, "sha256").hexdigest()
    return repr(
        (
            digest,
            translator.direction,
            translator.dtype,
            str(translator.keep),
            job.scorer is not None,
            mask and (mask.values.shape, mask.values.dtype, hashlib.sha256(mask.values.tobytes()).hexdigest()),
            sorted(options.items()),
        )
    )
