"""Translation spread over a Ray cluster, or over this machine's processors: Ray Data hands the pictures out.

Folders may be addresses that fsspec knows, such as `s3://bucket/photos`; a `Path` folds their two slashes into one, and
`address_of` unfolds them. Workers bring such pictures home, redraw them there, and send them off.
"""

import io
import logging
import os
import pickle
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from cyclegan.data.folders import count_suffixes, is_hidden
from cyclegan.errors import DataError, MissingExtraError, PictureError, printable, require_extra
from cyclegan.inference.translator import Translator
from cyclegan.translation.pipeline import TranslateJob, TranslateOptions, TranslateResult, translate_targets
from cyclegan.translation.sequences import numbered_sequences
from cyclegan.translation.targets import (
    SUFFIXES,
    Target,
    in_formats,
    passed_over_in,
    plan_targets,
    refuse_collisions,
    root_of,
)

CHUNK = 16  # pictures that a worker takes at once, and that another takes over where it is killed
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)")


def address_of(path: Path) -> str | None:
    """Return the address that a path stands for; none, if it is one of this machine's files."""
    found = ADDRESS.fullmatch(path.as_posix())
    return f"{found[1]}://{found[2]}" if found else None


def shown(path: Path) -> str:
    """Return a path, or the address that it stands for, as it was given."""
    return address_of(path) or str(path)


def at_home(path: Path) -> Path:
    """Return the path that an address `file://` stands for; any other as it is."""
    found = ADDRESS.fullmatch(path.as_posix())
    return Path(f"/{found[2]}") if found and found[1] == "file" else path


def plan_spread(
    inputs: Sequence[Path], domain: str, *, output: Path | None = None, image_format: str | None = None
) -> list[Target]:
    """Say what becomes of every picture and clip in the inputs, as `plan_targets` does, addresses among them."""
    places, output = [at_home(given) for given in inputs], output and at_home(output)
    targets: list[Target] = []
    for place in places:
        root = root_of(place, domain, output, alone=len(places) == 1)
        if address_of(place):
            names = sorted(names_below(place))
            if not names:
                raise DataError(f"there are no pictures in {printable(shown(place))}.", "Check the address.")
            targets += in_formats([Target(place / name, root / name, root) for name in names], image_format)
        else:
            targets += plan_targets([place], domain, output=output and root, image_format=image_format)
    refuse_collisions(targets)
    return targets


def names_below(folder: Path) -> set[str]:
    """Return the names of the pictures and clips below an address; none, if there is no such place."""
    return {name for name in files_below(folder) if Path(name).suffix.lower() in SUFFIXES}


def files_below(folder: Path) -> set[str]:
    """Return the names of the visible files below an address; none, if there is no such place."""
    system, root = file_system(folder)
    try:
        found = system.find(root)
    except OSError as error:
        raise DataError(f"{printable(shown(folder))} cannot be read: {printable(error)}.", "Check it.") from error
    names = [Path(name).relative_to(root) for name in found if name != root]
    return {name.as_posix() for name in names if not any(map(is_hidden, name.parts))}


def passed_over_far(inputs: Sequence[Path], domain: str, output: Path | None) -> Counter[str]:
    """Count the files in the inputs that are passed over, as `passed_over_in` does, addresses among them."""
    places = [at_home(given) for given in inputs]
    far = [Path(name) for place in places if address_of(place) for name in files_below(place)]
    here = passed_over_in([place for place in places if not address_of(place)], domain, output)
    return here + count_suffixes(name for name in far if name.suffix.lower() not in SUFFIXES)


def file_system(path: Path) -> tuple[Any, str]:
    """Return fsspec's file system of an address, and the address's name there."""
    fsspec = require_extra("fsspec", "ray")
    try:
        system, name = fsspec.url_to_fs(shown(path))
    except ImportError as error:
        raise MissingExtraError(f"{printable(shown(path))} needs a library: {error}.", "Install it.") from error
    except ValueError as error:
        raise DataError(f"{printable(shown(path))} is no address: {error}.", "Check it.") from error
    return system, name


def spread(
    targets: Sequence[Target],
    job: TranslateJob,
    translator_options: Mapping[str, Any],
    *,
    on_picture: Callable[[], object] = lambda: None,
) -> TranslateResult:
    """Redraw every picture as `translate_targets` does, on all that a cluster has.

    The cluster is the one that Ray finds (`RAY_ADDRESS`), else one on this machine for as long as this takes. What a
    worker had not finished when it was killed, another does.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require_extra("ray", "ray")
    result = TranslateResult(skipped=[] if job.options.overwrite else existing_targets(targets))
    there = set(result.skipped)
    missing = [target for target in targets if target not in there]
    for _ in there:
        on_picture()
    if not missing:
        return result
    with redirect_stdout(io.StringIO()):  # where Ray speaks of workers that it has replaced
        ray.init(log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        try:
            for part in parts(ray, missing, job, translator_options):
                result.done += part.done + part.skipped  # a worker that was killed has done those
                result.failed += part.failed
                result.notes += part.notes
                for _ in range(len(part.done) + len(part.skipped) + len(part.failed)):
                    on_picture()
                if job.interrupted():
                    break
        finally:
            ray.shutdown()
    return result


def parts(
    ray: Any, targets: Sequence[Target], job: TranslateJob, translator_options: Mapping[str, Any]
) -> Iterator[TranslateResult]:
    """Yield what became of the targets, chunk by chunk, as workers are done with them."""
    data = require_extra("ray.data", "ray")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False
    resources = ray.cluster_resources()
    on_gpu = job.translator.device.type == "cuda" and resources.get("GPU", 0) >= 1
    chunks = [{"targets": pickle.dumps(chunk)} for chunk in chunks_of(targets, job.options.steady)]
    results = data.from_items(chunks, override_num_blocks=len(chunks)).map(
        TranslateWorker,
        fn_constructor_args=(job.translator.path.absolute(), dict(translator_options), job.options),
        compute=data.ActorPoolStrategy(size=min(len(chunks), int(resources["GPU" if on_gpu else "CPU"]))),
        num_gpus=1 if on_gpu else 0,
    )
    for row in results.iter_rows():
        yield pickle.loads(row["result"])  # noqa: S301 (our own worker's)


def chunks_of(targets: Sequence[Target], steady: float) -> list[list[Target]]:
    """Return what a worker takes at once; the frames that are blended one into the next stay together."""
    sequences = numbered_sequences(targets) if steady else []
    frames = {target for sequence in sequences for target in sequence}
    rest = [target for target in targets if target not in frames]
    return sequences + [rest[at : at + CHUNK] for at in range(0, len(rest), CHUNK)]


def existing_targets(targets: Sequence[Target]) -> list[Target]:
    """Return the targets that exist already."""
    roots = {target.root for target in targets if address_of(target.root)}
    far = {root / name for root in roots for name in names_below(root)}
    return [
        target
        for target in targets
        if target.path in far or (target.root not in roots and os.path.lexists(target.path))
    ]


class TranslateWorker:
    """A worker: loads the model once, then redraws one chunk after the other."""

    def __init__(self, model: Path, translator_options: Mapping[str, Any], options: TranslateOptions) -> None:
        Image.MAX_IMAGE_PIXELS = options.max_pixels  # Pillow's own limit would come first
        self.job = TranslateJob(Translator(model, **translator_options), options)

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        """Redraw the pictures of a row, and say what became of them."""
        targets: list[Target] = pickle.loads(row["targets"])  # noqa: S301 (our own)
        return {"result": pickle.dumps(translate_chunk(targets, self.job))}


def translate_chunk(targets: Sequence[Target], job: TranslateJob) -> TranslateResult:
    """Redraw pictures of this machine where they are, and those of addresses in a folder between."""
    result = TranslateResult()
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        near = {staged(target, Path(folder) / f"{number}"): target for number, target in enumerate(targets)}
        here = [target for target, far in near.items() if carried(far, result, bring, far.source, target.source)]
        part = translate_targets(here, job)
        result.skipped += [near[target] for target in part.skipped]
        result.notes += [note.replace(f"{folder}{os.sep}", "") for note in part.notes]
        result.failed += [type(error)(str(error).replace(f"{folder}{os.sep}", ""), error.hint) for error in part.failed]
        for target in part.done:
            if carried(near[target], result, send, target.path, near[target].path):
                result.done.append(near[target])
    return result


def staged(target: Target, folder: Path) -> Target:
    """Return a target as this machine can do it: what is an address stands in a folder instead, under its own name."""
    if address_of(target.source):
        target = replace(target, source=folder / "from" / unrooted(target.source))
    if address_of(target.path):
        target = replace(target, path=folder / "to" / unrooted(target.path), root=folder / "to")
    return target


def unrooted(path: Path) -> Path:
    """Return an address as a relative path, which messages then name."""
    return Path(*path.parts[1:])


def bring(far: Path, near: Path) -> None:
    """Fetch a picture, if it is at an address."""
    if address_of(far):
        near.parent.mkdir(parents=True)
        system, name = file_system(far)
        system.get_file(name, str(near))


def send(near: Path, far: Path) -> None:
    """Send a picture, if it belongs to an address."""
    if address_of(far):
        system, name = file_system(far)
        system.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH120 (a name on another system)
        system.put_file(str(near), name)


def carried(target: Target, result: TranslateResult, carry: Callable[[Path, Path], None], *places: Path) -> bool:
    """Bring or send a picture, and tell whether that went well; if not, it is listed."""
    try:
        carry(*places)
    except Exception as error:  # each file system has errors of its own
        what = f"{printable(shown(target.source))} could not be carried: {type(error).__name__}: {printable(error)}."
        result.failed.append(PictureError(what, "Check the address and the rights to it, and run it again."))
        return False
    return True
