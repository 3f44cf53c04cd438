"""The pipeline: pictures and videos are read, translated and written, these three at the same time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image

from cyclegan.atomic import remove_partials
from cyclegan.devices import memory_errors
from cyclegan.errors import CycleganError, DeviceError
from cyclegan.images import FORMAT_OF, FORMATS, Picture, Pixels, read_picture, write_picture
from cyclegan.inference.streams import Streams
from cyclegan.prefetch import map_ahead
from cyclegan.translation.job import TRANSLATION_MEMORY_HINT, Item, TranslateJob, TranslateOptions, TranslateResult
from cyclegan.translation.masks import mask_of
from cyclegan.translation.scale import scaled_to_option
from cyclegan.translation.scores import already_scored
from cyclegan.translation.sequences import SteadySequences
from cyclegan.translation.targets import Target, describe_changed_formats
from cyclegan.translation.video_frames import translate_video

IDLE_SECONDS = 600  # after which a partial file is a leftover of a killed translation
THREADS = 2  # for decoding, and as many for encoding, while the network computes


def translate_targets(
    targets: Sequence[Target], job: TranslateJob, *, on_picture: Callable[[], object] = lambda: None
) -> TranslateResult:
    """Translate every target, decoding and encoding while the network computes; a failure is listed, not raised.

    A target that exists is skipped, unless its score is asked for and is not in the table.
    """
    Image.MAX_IMAGE_PIXELS = job.options.max_pixels  # Pillow's own limit would be checked first
    result = job.new_result()
    notes_before = len(job.translator.fallbacks.notes)
    frames = targets if job.options.steady else ()
    sequences = SteadySequences(frames, job.new_smoother, lambda target: _read_translated(target, job.options))
    targets = sequences.ordered(targets)
    scored = already_scored(targets) if job.scorer else ()
    for folder in {target.path.parent for target in targets}:
        remove_partials(folder, idle=IDLE_SECONDS)

    def pending() -> Iterator[Item]:
        for target in targets:
            if job.interrupted():
                return
            unscored = job.scorer is not None and target not in scored
            if not job.options.overwrite and not unscored and _exists(target.path):
                result.skipped.append(target)
                on_picture()
            else:
                yield Item(target)

    batch_size = job.options.batch_size
    opened = map_ahead(partial(_open, options=job.options), pending(), workers=THREADS, ahead=THREADS + batch_size)
    streams = Streams(job.translator, len(targets))
    compute = partial(_compute, job=replace(job, translator=streams.translator))
    computed = streams.map(compute, batched_by_size(opened, batch_size))
    translated = (item for batch, outputs in computed for item in _translate(batch, outputs, job, sequences, streams))
    for item in map_ahead(partial(_write, options=job.options), translated, workers=THREADS):
        result.add(item)
        if not item.target.is_video:
            on_picture()
    result.notes += job.translator.fallbacks.notes[notes_before:]
    result.notes += describe_changed_formats(result.done)
    return result


def count_pictures_and_frames(targets: Iterable[Target]) -> int:
    """Return the number of pictures, and of frames of videos."""
    return sum(_count_frames(target) for target in targets)


def _count_frames(target: Target) -> int:
    if not target.is_video:
        return 1
    from cyclegan.video.decoding import count_frames

    try:
        return count_frames(target.source)
    except Exception:  # the error is reported when the video is translated
        return 0


def _exists(path: Path) -> bool:
    """Tell whether a file exists; a name that the system cannot hold is reported when it is written."""
    try:
        return path.exists()
    except OSError:
        return False


def batched_by_size(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Yield consecutive items whose pictures have the same size and depth in batches."""
    batch: list[Item] = []
    for item in items:
        if batch and (len(batch) == batch_size or _shape_and_type(item) != _shape_and_type(batch[0])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _shape_and_type(item: Item) -> tuple[tuple[int, ...], object] | None:
    return (item.picture.pixels.shape[:2], item.picture.pixels.dtype) if item.picture else None


def _open(item: Item, options: TranslateOptions) -> Item:
    source = item.target.source

    def read() -> Picture | None:
        item.mask = mask_of(item.target, options.mask, options.max_pixels) if options.mask else None
        if item.target.is_video or item.target.stays_animation():
            item.is_video = True
            return None
        picture = read_picture(source, options.max_pixels)
        item.notes += [picture.first_frame_note(Path(item.target.label))] if picture.frames > 1 else []
        for note in picture.metadata.notes:
            item.note(note)
        return picture.with_pixels(scaled_to_option(picture.pixels, source, options))

    return item.run(read)


def _read_translated(target: Target, options: TranslateOptions) -> tuple[Pixels, Pixels] | None:
    """Return a frame and its translation of an earlier run; None if one cannot be read, or is of another size."""
    try:
        source, output = (read_picture(path, options.max_pixels).pixels for path in (target.source, target.path))
        source = scaled_to_option(source, target.source, options)
    except CycleganError:
        return None
    return (source, output) if source.shape[:2] == output.shape[:2] else None


def _compute(batch: list[Item], job: TranslateJob) -> tuple[list[Item], list[Picture]]:
    """Return a batch, and the translations of its pictures; none where they are to be translated one by one."""
    pictures = [item.picture for item in batch if item.picture]
    outputs: list[Picture] = []
    if pictures and job.translator.fits_stream(pictures):
        with suppress(Exception):  # most likely one picture failed; it fails again in `_finish`, alone
            outputs = job.translator.translate_pictures(pictures, job.options.strength)
    return batch, outputs


def _translate(
    batch: list[Item], outputs: list[Picture], job: TranslateJob, sequences: SteadySequences, streams: Streams
) -> list[Item]:
    """Finish the translations of a batch; what the streams did not translate gets all threads."""
    for item in batch:
        if item.is_video:
            with streams.all_at_one():
                item.run(partial(translate_video, item, job))
    items = [item for item in batch if item.picture]
    for index, item in enumerate(items):
        item.run(partial(_finish, item, outputs[index] if outputs else None, job, sequences, streams))
    return batch


def _finish(
    item: Item, output: Picture | None, job: TranslateJob, sequences: SteadySequences, streams: Streams
) -> Picture | None:
    """Return the translation of a picture, smoothed, masked, scored and marked; `output` is that of its batch."""
    if item.picture is None:
        return None
    try:
        if output is None:
            with streams.all_at_one(), memory_errors(job.translator.device, TRANSLATION_MEMORY_HINT):
                output = job.translator.translate_picture(item.picture, job.options.strength)
        pixels = sequences.smoothed(item.target, item.picture.pixels, output.pixels)
        picture = replace(output, pixels=item.mask.apply(item.picture.pixels, pixels) if item.mask else pixels)
        if job.scorer:
            with memory_errors(job.translator.device, TRANSLATION_MEMORY_HINT):
                item.score = job.scorer.score(item.picture, picture)
    except DeviceError as error:
        raise DeviceError(f"is too large: {error.message}", error.hint, item.target.source) from error
    return replace(picture, metadata=picture.metadata.mark_generated(job.mark, composite=job.composite))


def _write(item: Item, options: TranslateOptions) -> Item:
    def write() -> None:
        if item.picture:
            write_picture(item.picture, item.target.path, _output_format(item), quality=options.quality)

    return item.run(write)


def _output_format(item: Item) -> str:
    """Return the format of the output: the picture's, unless another suffix is asked for or it is only read."""
    assert item.picture is not None
    source_suffix, suffix = item.target.source.suffix.lower(), item.target.path.suffix.lower()
    image_format = item.picture.format
    if suffix != source_suffix:
        image_format = FORMAT_OF.get(suffix, image_format)
    if instead := FORMATS[image_format].written_as:  # a format that is only read, under a suffix of another or none
        return FORMAT_OF.get(suffix, instead)
    return image_format
