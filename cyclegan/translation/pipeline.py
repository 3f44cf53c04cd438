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
from cyclegan.translation.targets import Task, describe_changed_formats, is_clip
from cyclegan.video.frames import ClipManner

LONG = 600  # seconds after which a file that is being written is taken for a leftover of a killed translation
THREADS = 2  # that decode, and as many that encode, while the network computes
SMALLER = "Try a smaller --batch-size or --size, a small --tile such as 16, or --device cpu."


@dataclass
class Outcome:
    """What became of a translation."""

    done: list[Task] = field(default_factory=list)
    skipped: list[Task] = field(default_factory=list)  # there already
    failed: list[CycleganError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what the user should know of what was done
    scores: dict[Task, Score] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)  # suffix -> files that are no pictures, by their names

    def add(self, piece: "Piece") -> None:
        """Note what became of a piece, unless it was given up."""
        if piece.given_up:
            self.notes += piece.notes
            return
        if piece.error:
            self.failed.append(piece.error)
        else:
            self.done.append(piece.task)
            self.notes += piece.notes
        if piece.score:
            self.scores[piece.task] = piece.score


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How pictures are redrawn."""

    size: int = 0  # pixels, short side of what is written; 0: as it came
    strength: float = 1.0  # 1: the translation; less: blended with the original
    batch_size: int = 1  # neighbours of one size that go through the network together
    steady: float = 0.0  # of a clip: how much of the frame before is blended into the next, along its motion; below 1
    quality: int = 0  # of lossy formats, 1 to 100; 0: as it was, and not below 90
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS


@dataclass
class Piece:
    """A picture on its way from file to file, or what stopped it."""

    task: Task
    picture: Picture | None = None
    error: CycleganError | None = None
    notes: list[str] = field(default_factory=list)
    score: Score | None = None
    moves: bool = False  # it is a clip, which is redrawn from file to file
    given_up: bool = False

    def attempt(self, work: Callable[[], Picture | None]) -> "Piece":
        """Do the next piece of work, unless an earlier one failed; a failure is kept, not raised."""
        if self.error is None:
            try:
                self.picture = work()
            except CycleganError as error:
                self.picture, self.error = None, error
            except MemoryError:
                what = f"{printable(self.task.source)} does not fit into memory."
                self.picture, self.error = None, PictureError(what, SMALLER)
            except Exception as error:  # one file must not stop the others
                reason = f"internal error, {type(error).__name__}: {printable(error)}"
                what = f"{printable(self.task.source)} could not be translated: {reason}."
                self.picture, self.error = None, PictureError(what, report_hint())
        return self


@dataclass
class Work:
    """Everything that the stages of a translation need to know."""

    translator: Translator
    manner: Manner
    scorer: Scorer | None = None
    on_frame: Callable[[], object] = lambda: None
    interrupted: Callable[[], bool] = lambda: False

    @property
    def mark(self) -> str:
        """What the marks of generated pictures call the system that made them."""
        return printable(f"cyclegan model {self.translator.name}, to {self.translator.target}")


def translate_all(tasks: Sequence[Task], work: Work, *, on_picture: Callable[[], object] = lambda: None) -> Outcome:
    """Redraw every picture, decoding and encoding while the network computes; pictures that fail are listed.

    What is there already is left alone, unless a score is asked for that no table has.
    """
    outcome = Outcome()
    told = len(work.translator.fallbacks.notes)
    sequences = SteadySequences(tasks, work.manner.steady, lambda task: _translated_earlier(task, work.manner))
    tasks = sequences.ordered(tasks)
    scored = already_scored(tasks) if work.scorer else ()
    for folder in {task.target.parent for task in tasks}:
        remove_partials(folder, idle=LONG)

    def wanted() -> Iterator[Piece]:
        for task in tasks:
            if work.interrupted():
                return
            unscored = work.scorer is not None and task not in scored
            if not work.manner.overwrite and not unscored and _is_there(task.target):
                outcome.skipped.append(task)
                on_picture()
            else:
                yield Piece(task)

    most = work.manner.batch_size
    opened = map_ahead(lambda piece: _open(piece, work.manner), wanted(), workers=THREADS, ahead=THREADS + most)
    redrawn = (piece for batch in batched_by_size(opened, most) for piece in _redraw(batch, work, sequences))
    for piece in map_ahead(lambda piece: _write(piece, work.manner), redrawn, workers=THREADS):
        outcome.add(piece)
        if not is_clip(piece.task):
            on_picture()
    outcome.notes += work.translator.fallbacks.notes[told:]
    outcome.notes += describe_changed_formats(outcome.done)
    return outcome


def amount_of_work(tasks: Iterable[Task]) -> int:
    """Return how many pictures, and frames of clips, there are to redraw."""
    return sum(_frames(task) for task in tasks)


def _frames(task: Task) -> int:
    if not is_clip(task):
        return 1
    from cyclegan.video.decoding import count_frames

    try:
        return count_frames(task.source)
    except Exception:  # which is told when the clip is translated
        return 0


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file; a name that the system cannot take is none, and is told when it is written."""
    try:
        return path.exists()
    except OSError:
        return False


def batched_by_size(pieces: Iterable[Piece], most: int) -> Iterator[list[Piece]]:
    """Yield neighbours whose pictures have one size and depth together, at most `most` of them."""
    batch: list[Piece] = []
    for piece in pieces:
        if batch and (len(batch) == most or _kind(piece) != _kind(batch[0])):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _kind(piece: Piece) -> tuple[tuple[int, ...], object] | None:
    return (piece.picture.pixels.shape[:2], piece.picture.pixels.dtype) if piece.picture else None


def _open(piece: Piece, manner: Manner) -> Piece:
    source, target = piece.task.source, piece.task.target

    def read() -> Picture | None:
        if is_clip(piece.task) or (source.suffix.lower() == target.suffix.lower() and _is_animation(source)):
            piece.moves = True
            return None
        picture = read_picture(source, manner.max_pixels)
        piece.notes += [picture.first_frame_note(source)] if picture.frames > 1 else []
        piece.notes += [f"{printable(source)}: {note}" for note in picture.metadata.notes]
        return picture.with_pixels(_at_size(picture.pixels, source, manner))

    return piece.attempt(read)


def _translated_earlier(task: Task, manner: Manner) -> tuple[Pixels, Pixels] | None:
    """Return a frame and its translation, if that is there already and both can be read."""
    try:
        source, target = (read_picture(path, manner.max_pixels).pixels for path in (task.source, task.target))
        return _at_size(source, task.source, manner), target
    except CycleganError:
        return None


def _is_animation(path: Path) -> bool:
    name = FORMAT_OF.get(path.suffix.lower())
    if name is None or not FORMATS[name].animated:
        return False
    from cyclegan.video.animations import is_animation

    return is_animation(path)


def _at_size(pixels: Pixels, source: Path, manner: Manner) -> Pixels:
    if not manner.size:
        return pixels
    height, width = size_with_short_side(pixels.shape[0], pixels.shape[1], manner.size)
    if height * width > manner.max_pixels:
        raise PictureError(f"{printable(source)} would have {width} x {height} pixels.", "Choose a smaller --size.")
    return resized(pixels, width, height)


def _redraw(batch: list[Piece], work: Work, sequences: SteadySequences) -> list[Piece]:
    """Send a batch through the network; where that fails, one picture after the other."""
    for piece in batch:
        if piece.moves:
            piece.attempt(partial(_redraw_clip, piece, work))
    pieces = [piece for piece in batch if piece.picture]
    outputs: list[Picture] = []
    if len(pieces) > 1:
        with suppress(Exception):  # one picture failed, most likely; below it fails again, alone
            outputs = _network_outputs(pieces, work)
    for index, piece in enumerate(pieces):
        piece.attempt(partial(_finish, piece, outputs[index] if outputs else None, work, sequences))
    return batch


def _network_outputs(pieces: Sequence[Piece], work: Work) -> list[Picture]:
    """Return the translations of pictures of one size."""
    originals = [piece.picture for piece in pieces if piece.picture]
    with memory_errors(work.translator.device, SMALLER):
        return work.translator.redraw_pictures(originals, work.manner.strength)


def _finish(piece: Piece, output: Picture | None, work: Work, sequences: SteadySequences) -> Picture | None:
    """Return the translation of a picture, steadied, scored and marked; `output` is that of its batch."""
    if piece.picture is None:
        return None
    try:
        picture = output or _network_outputs([piece], work)[0]
    except DeviceError as error:
        raise DeviceError(f"{printable(piece.task.source)} is too large: {error}", error.hint) from error
    picture = replace(picture, pixels=sequences.steadied(piece.task, piece.picture.pixels, picture.pixels))
    if work.scorer:
        piece.score = work.scorer.score(piece.picture, picture)
    return replace(picture, metadata=picture.metadata.mark_generated(work.mark, composite=work.manner.strength < 1))


def _write(piece: Piece, manner: Manner) -> Piece:
    def write() -> None:
        if piece.picture:
            target = piece.task.target
            renamed = target.suffix.lower() != piece.task.source.suffix.lower()
            wanted = FORMAT_OF.get(target.suffix.lower()) if renamed else None
            image_format = wanted or piece.picture.format
            if instead := FORMATS[image_format].written_as:  # under another format's suffix, or under none
                image_format = FORMAT_OF.get(target.suffix.lower(), instead)
            write_picture(piece.picture, target, image_format, quality=manner.quality)

    return piece.attempt(write)


def _redraw_clip(piece: Piece, work: Work) -> None:
    """Redraw a video or an animation, from file to file."""
    from cyclegan.video.animations import redraw_animation
    from cyclegan.video.clips import redraw_clip

    source, manner = piece.task.source, work.manner

    def translate(frame: Pixels) -> tuple[Pixels, Pixels]:
        sized = _at_size(frame, source, manner)
        with memory_errors(work.translator.device, SMALLER):
            redrawn = work.translator.redraw_picture(Picture(sized), manner.strength).pixels
        return sized, with_channels(with_bits(redrawn, 8), 3)

    def from_file_to_file() -> None:
        redraw = FrameTranslator(translate, manner.steady, work.scorer)
        clip_manner = ClipManner(
            mark=work.mark,
            composite=manner.strength < 1,
            quality=manner.quality,
            max_pixels=manner.max_pixels,
            on_frame=work.on_frame if is_clip(piece.task) else lambda: None,
            interrupted=work.interrupted,
            recipe=_recipe(work),
            state=redraw,
        )
        facts = (redraw_clip if is_clip(piece.task) else redraw_animation)(
            source, piece.task.target, redraw, clip_manner
        )
        piece.given_up = not facts.finished
        piece.notes += [f"{printable(source)}: {note}" for note in facts.notes]
        if facts.finished:
            piece.notes += [f"{printable(source)} {redraw.flicker()}"] if manner.steady else []
            piece.score = redraw.score()

    piece.attempt(from_file_to_file)


def _recipe(work: Work) -> str:
    """Say what decides about the frames of a video: the model and the options, but for those that change nothing."""
    options = asdict(work.manner)
    for name in ("batch_size", "overwrite", "max_pixels"):
        del options[name]
    translator = work.translator
    with translator.path.open("rb") as model:
        digest = hashlib.file_digest(model, "sha256").hexdigest()
    return repr((digest, translator.direction, translator.dtype, work.scorer is not None, sorted(options.items())))
