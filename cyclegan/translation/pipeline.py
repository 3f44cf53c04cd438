"""The work on folders: pictures and clips are read, redrawn and written, the three at the same time."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from cyclegan.atomic import remove_partials
from cyclegan.devices import memory_errors
from cyclegan.errors import CycleganError, DeviceError, PictureError, printable, report_hint
from cyclegan.images import (
    FORMAT_OF,
    FORMATS,
    MAX_PIXELS,
    Picture,
    Pixels,
    read_picture,
    resized,
    size_with_short_side,
    with_bits,
    with_channels,
    write_picture,
)
from cyclegan.inference.translator import Translator
from cyclegan.prefetch import map_ahead
from cyclegan.translation.frame_translator import FrameTranslator
from cyclegan.translation.scores import Score, Scorer, already_scored
from cyclegan.translation.sequences import SteadySequences
from cyclegan.translation.targets import Target, describe_changed_formats, is_clip
from cyclegan.video.frames import VideoOptions

LONG = 600  # seconds after which a file that is being written is taken for a leftover of a killed translation
THREADS = 2  # that decode, and as many that encode, while the network computes
SMALLER = "Try a smaller --batch-size or --size, a small --tile such as 16, or --device cpu."


@dataclass
class TranslateResult:
    """What became of a translation."""

    done: list[Target] = field(default_factory=list)
    skipped: list[Target] = field(default_factory=list)  # there already
    failed: list[CycleganError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what the user should know of what was done
    scores: dict[Target, Score] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)  # suffix -> files that are no pictures, by their names

    def add(self, item: "Item") -> None:
        """Note what became of an item, unless it was given up."""
        if item.given_up:
            self.notes += item.notes
            return
        if item.error:
            self.failed.append(item.error)
        else:
            self.done.append(item.target)
            self.notes += item.notes
        if item.score:
            self.scores[item.target] = item.score


@dataclass(frozen=True, kw_only=True)
class TranslateOptions:
    """How pictures are redrawn."""

    size: int = 0  # pixels, short side of what is written; 0: as it came
    strength: float = 1.0  # 1: the translation; less: blended with the original
    batch_size: int = 1  # neighbours of one size that go through the network together
    steady: float = 0.0  # of a clip: how much of the frame before is blended into the next, along its motion; below 1
    quality: int = 0  # of lossy formats, 1 to 100; 0: as it was, and not below 90
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS


@dataclass
class Item:
    """A picture on its way from file to file, or what stopped it."""

    target: Target
    picture: Picture | None = None
    error: CycleganError | None = None
    notes: list[str] = field(default_factory=list)
    score: Score | None = None
    moves: bool = False  # it is a clip, which is redrawn from file to file
    given_up: bool = False

    def attempt(self, job: Callable[[], Picture | None]) -> "Item":
        """Do the next piece of work, unless an earlier one failed; a failure is kept, not raised."""
        if self.error is None:
            try:
                self.picture = job()
            except CycleganError as error:
                self.picture, self.error = None, error
            except MemoryError:
                what = f"{printable(self.target.source)} does not fit into memory."
                self.picture, self.error = None, PictureError(what, SMALLER)
            except Exception as error:  # one file must not stop the others
                reason = f"internal error, {type(error).__name__}: {printable(error)}"
                what = f"{printable(self.target.source)} could not be translated: {reason}."
                self.picture, self.error = None, PictureError(what, report_hint())
        return self


@dataclass
class TranslateJob:
    """Everything that the stages of a translation need to know."""

    translator: Translator
    options: TranslateOptions
    scorer: Scorer | None = None
    on_frame: Callable[[], object] = lambda: None
    interrupted: Callable[[], bool] = lambda: False

    @property
    def mark(self) -> str:
        """What the marks of generated pictures call the system that made them."""
        return printable(f"cyclegan model {self.translator.name}, to {self.translator.target}")


def translate_targets(
    targets: Sequence[Target], job: TranslateJob, *, on_picture: Callable[[], object] = lambda: None
) -> TranslateResult:
    """Redraw every picture, decoding and encoding while the network computes; pictures that fail are listed.

    What is there already is left alone, unless a score is asked for that no table has.
    """
    result = TranslateResult()
    told = len(job.translator.fallbacks.notes)
    sequences = SteadySequences(targets, job.options.steady, lambda target: _translated_earlier(target, job.options))
    targets = sequences.ordered(targets)
    scored = already_scored(targets) if job.scorer else ()
    for folder in {target.path.parent for target in targets}:
        remove_partials(folder, idle=LONG)

    def wanted() -> Iterator[Item]:
        for target in targets:
            if job.interrupted():
                return
            unscored = job.scorer is not None and target not in scored
            if not job.options.overwrite and not unscored and _is_there(target.path):
                result.skipped.append(target)
                on_picture()
            else:
                yield Item(target)

    most = job.options.batch_size
    opened = map_ahead(lambda item: _open(item, job.options), wanted(), workers=THREADS, ahead=THREADS + most)
    redrawn = (item for batch in batched_by_size(opened, most) for item in _redraw(batch, job, sequences))
    for item in map_ahead(lambda item: _write(item, job.options), redrawn, workers=THREADS):
        result.add(item)
        if not is_clip(item.target):
            on_picture()
    result.notes += job.translator.fallbacks.notes[told:]
    result.notes += describe_changed_formats(result.done)
    return result


def count_pictures_and_frames(targets: Iterable[Target]) -> int:
    """Return how many pictures, and frames of clips, there are to redraw."""
    return sum(_frames(target) for target in targets)


def _frames(target: Target) -> int:
    if not is_clip(target):
        return 1
    from cyclegan.video.decoding import count_frames

    try:
        return count_frames(target.source)
    except Exception:  # which is told when the clip is translated
        return 0


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file; a name that the system cannot take is none, and is told when it is written."""
    try:
        return path.exists()
    except OSError:
        return False


def batched_by_size(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """Yield neighbours whose pictures have one size and depth together, at most `most` of them."""
    batch: list[Item] = []
    for item in items:
        if batch and (len(batch) == most or _kind(item) != _kind(batch[0])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _kind(item: Item) -> tuple[tuple[int, ...], object] | None:
    return (item.picture.pixels.shape[:2], item.picture.pixels.dtype) if item.picture else None


def _open(item: Item, options: TranslateOptions) -> Item:
    source, target = item.target.source, item.target.path

    def read() -> Picture | None:
        if is_clip(item.target) or (source.suffix.lower() == target.suffix.lower() and _is_animation(source)):
            item.moves = True
            return None
        picture = read_picture(source, options.max_pixels)
        item.notes += [picture.first_frame_note(source)] if picture.frames > 1 else []
        item.notes += [f"{printable(source)}: {note}" for note in picture.metadata.notes]
        return picture.with_pixels(_at_size(picture.pixels, source, options))

    return item.attempt(read)


def _translated_earlier(target: Target, options: TranslateOptions) -> tuple[Pixels, Pixels] | None:
    """Return a frame and its translation, if that is there already and both can be read."""
    try:
        source, output = (read_picture(path, options.max_pixels).pixels for path in (target.source, target.path))
        return _at_size(source, target.source, options), output
    except CycleganError:
        return None


def _is_animation(path: Path) -> bool:
    name = FORMAT_OF.get(path.suffix.lower())
    if name is None or not FORMATS[name].animated:
        return False
    from cyclegan.video.animations import is_animation

    return is_animation(path)


def _at_size(pixels: Pixels, source: Path, options: TranslateOptions) -> Pixels:
    if not options.size:
        return pixels
    height, width = size_with_short_side(pixels.shape[0], pixels.shape[1], options.size)
    if height * width > options.max_pixels:
        raise PictureError(f"{printable(source)} would have {width} x {height} pixels.", "Choose a smaller --size.")
    return resized(pixels, width, height)


def _redraw(batch: list[Item], job: TranslateJob, sequences: SteadySequences) -> list[Item]:
    """Send a batch through the network; where that fails, one picture after the other."""
    for item in batch:
        if item.moves:
            item.attempt(partial(_translate_video, item, job))
    items = [item for item in batch if item.picture]
    outputs: list[Picture] = []
    if len(items) > 1:
        with suppress(Exception):  # one picture failed, most likely; below it fails again, alone
            outputs = _network_outputs(items, job)
    for index, item in enumerate(items):
        item.attempt(partial(_finish, item, outputs[index] if outputs else None, job, sequences))
    return batch


def _network_outputs(items: Sequence[Item], job: TranslateJob) -> list[Picture]:
    """Return the translations of pictures of one size."""
    originals = [item.picture for item in items if item.picture]
    with memory_errors(job.translator.device, SMALLER):
        return job.translator.translate_pictures(originals, job.options.strength)


def _finish(item: Item, output: Picture | None, job: TranslateJob, sequences: SteadySequences) -> Picture | None:
    """Return the translation of a picture, steadied, scored and marked; `output` is that of its batch."""
    if item.picture is None:
        return None
    try:
        picture = output or _network_outputs([item], job)[0]
        picture = replace(picture, pixels=sequences.steadied(item.target, item.picture.pixels, picture.pixels))
        if job.scorer:
            with memory_errors(job.translator.device, SMALLER):
                item.score = job.scorer.score(item.picture, picture)
    except DeviceError as error:
        raise DeviceError(f"{printable(item.target.source)} is too large: {error}", error.hint) from error
    return replace(picture, metadata=picture.metadata.mark_generated(job.mark, composite=job.options.strength < 1))


def _write(item: Item, options: TranslateOptions) -> Item:
    def write() -> None:
        if item.picture:
            target = item.target.path
            renamed = target.suffix.lower() != item.target.source.suffix.lower()
            wanted = FORMAT_OF.get(target.suffix.lower()) if renamed else None
            image_format = wanted or item.picture.format
            if instead := FORMATS[image_format].written_as:  # under another format's suffix, or under none
                image_format = FORMAT_OF.get(target.suffix.lower(), instead)
            write_picture(item.picture, target, image_format, quality=options.quality)

    return item.attempt(write)


def _translate_video(item: Item, job: TranslateJob) -> None:
    """Redraw a video or an animation, from file to file."""
    from cyclegan.video.animations import map_animation
    from cyclegan.video.videos import map_video

    source, options = item.target.source, job.options

    def translate(frame: Pixels) -> tuple[Pixels, Pixels]:
        sized = _at_size(frame, source, options)
        with memory_errors(job.translator.device, SMALLER):
            redrawn = job.translator.translate_picture(Picture(sized), options.strength).pixels
        return sized, with_channels(with_bits(redrawn, 8), 3)

    def from_file_to_file() -> None:
        redraw = FrameTranslator(translate, options.steady, job.scorer)
        clip_manner = VideoOptions(
            mark=job.mark,
            composite=options.strength < 1,
            quality=options.quality,
            max_pixels=options.max_pixels,
            on_frame=job.on_frame if is_clip(item.target) else lambda: None,
            interrupted=job.interrupted,
            recipe=_recipe(job),
            state=redraw,
        )
        facts = (map_video if is_clip(item.target) else map_animation)(source, item.target.path, redraw, clip_manner)
        item.given_up = not facts.finished
        item.notes += [f"{printable(source)}: {note}" for note in facts.notes]
        if facts.finished:
            item.notes += [f"{printable(source)} {redraw.flicker()}"] if options.steady else []
            item.score = redraw.score()

    item.attempt(from_file_to_file)


def _recipe(job: TranslateJob) -> str:
    """Say what decides about the frames of a video: the model and the options, but for those that change nothing."""
    options = asdict(job.options)
    for name in ("batch_size", "overwrite", "max_pixels"):
        del options[name]
    translator = job.translator
    with translator.path.open("rb") as model:
        digest = hashlib.file_digest(model, "sha256").hexdigest()
    return repr((digest, translator.direction, translator.dtype, job.scorer is not None, sorted(options.items())))
