"""Translation on a Ray cluster, or on all processors of this machine: Ray Data distributes the pictures.

Folders may be addresses that fsspec knows, such as `s3://bucket/photos`; a `Path` folds their two slashes into one, and
`address_of` unfolds them. Workers download such files, translate them, and upload the outputs.
"""

import io
import logging
import os
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from cyclegan.data.folders import count_suffixes, is_hidden
from cyclegan.errors import DataError, DeviceError, MissingExtraError, PictureError, require_extra
from cyclegan.inference.translator import Translator
from cyclegan.text import first_line, printable
from cyclegan.translation.addresses import displayed, local_path, remote_address
from cyclegan.translation.job import TranslateJob, TranslateOptions, TranslateResult
from cyclegan.translation.pipeline import translate_targets
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

START_ATTEMPTS = 2
START_HINT = "Run it again when the machine has less to do, or leave out --engine ray."
CHUNK_SIZE = 16  # pictures of one call of a worker; another worker repeats the call if it is killed


def plan_remote_targets(
    inputs: Sequence[Path], domain: str, *, output: Path | None = None, image_format: str | None = None
) -> list[Target]:
    """Plan the targets of all pictures and videos in the inputs, as `plan_targets` does, addresses among them."""
    paths, output = [local_path(path) for path in inputs], output and local_path(output)
    targets: list[Target] = []
    for path in paths:
        root = root_of(path, domain, output, alone=len(paths) == 1)
        if remote_address(path):
            names = sorted(pictures_below(path))
            if not names:
                raise DataError(f"there are no pictures in {printable(displayed(path))}.", "Check the address.")
            targets += in_formats([Target(path / name, root / name, root) for name in names], image_format)
        else:
            targets += plan_targets([path], domain, output=output and root, image_format=image_format)
    refuse_collisions(targets)
    return targets


def pictures_below(folder: Path) -> set[str]:
    """Return the names of the pictures and videos below an address; none if it does not exist."""
    return {name for name in files_below(folder) if Path(name).suffix.lower() in SUFFIXES}


def files_below(folder: Path) -> set[str]:
    """Return the names of the visible files below an address; none if it does not exist."""
    system, root = file_system(folder)
    try:
        files = system.find(root)
    except OSError as error:
        raise DataError(f"{printable(displayed(folder))} cannot be read: {printable(error)}.", "Check it.") from error
    names = [Path(name).relative_to(root) for name in files if name != root]
    return {name.as_posix() for name in names if not any(map(is_hidden, name.parts))}


def passed_over_remote(inputs: Sequence[Path], domain: str, output: Path | None) -> Counter[str]:
    """Count the files in the inputs that are passed over, as `passed_over_in` does, addresses among them."""
    paths = [local_path(path) for path in inputs]
    remote = [Path(name) for path in paths if remote_address(path) for name in files_below(path)]
    local = passed_over_in([path for path in paths if not remote_address(path)], domain, output)
    return local + count_suffixes(name for name in remote if name.suffix.lower() not in SUFFIXES)


def file_system(path: Path) -> tuple[Any, str]:
    """Return fsspec's file system of an address, and the address's name there."""
    fsspec = require_extra("fsspec", "ray")
    try:
        system, name = fsspec.url_to_fs(displayed(path))
    except ImportError as error:
        raise MissingExtraError(f"{printable(displayed(path))} needs a library: {error}.", "Install it.") from error
    except ValueError as error:
        raise DataError(f"{printable(displayed(path))} is no address: {error}.", "Check it.") from error
    return system, name


def start_ray(ray: Any) -> None:
    """Connect to the cluster that Ray finds, or start one; Ray gives it 30 s, too few on a busy machine."""
    for attempts_left in reversed(range(START_ATTEMPTS)):
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except Exception as error:  # Ray raises many kinds
            ray.shutdown()
            if not attempts_left:
                raise DeviceError(f"Ray does not start: {first_line(error)}", START_HINT) from error
        else:
            return


def translate_on_ray(
    targets: Sequence[Target],
    job: TranslateJob,
    translator_options: Mapping[str, Any],
    *,
    on_picture: Callable[[], object] = lambda: None,
) -> TranslateResult:
    """Translate every target as `translate_targets` does, on all that a cluster has.

    The cluster is the one that Ray finds (`RAY_ADDRESS`), else one on this machine for as long as this takes. What a
    worker had not finished when it was killed, another does.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require_extra("ray", "ray")
    result = TranslateResult(skipped=[] if job.options.overwrite else existing_targets(targets))
    skipped = set(result.skipped)
    missing = [target for target in targets if target not in skipped]
    for _ in skipped:
        on_picture()
    if not missing:
        return result
    with redirect_stdout(io.StringIO()):  # Ray reports the workers that it replaces
        start_ray(ray)
        try:
            for part in parts(ray, missing, job, translator_options):
                result.backend, result.keep = part.backend, part.keep
                result.done += part.done + part.skipped  # those of a worker that was killed
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
    """Yield results, chunk by chunk, as workers finish them."""
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
        yield pickle.loads(row["result"])  # noqa: S301 (pickled by `TranslateWorker`)


def chunks_of(targets: Sequence[Target], steady: float) -> list[list[Target]]:
    """Return the chunks for the workers; a sequence of frames to be smoothed is one chunk."""
    sequences = numbered_sequences(targets) if steady else []
    frames = {target for sequence in sequences for target in sequence}
    rest = [target for target in targets if target not in frames]
    return sequences + [rest[start : start + CHUNK_SIZE] for start in range(0, len(rest), CHUNK_SIZE)]


def existing_targets(targets: Sequence[Target]) -> list[Target]:
    """Return the targets that exist already."""
    roots = {target.root for target in targets if remote_address(target.root)}
    remote = {root / name for root in roots for name in pictures_below(root)}
    return [
        target
        for target in targets
        if target.path in remote or (target.root not in roots and os.path.lexists(target.path))
    ]


class TranslateWorker:
    """A worker process: loads the model once, then translates one chunk after the other."""

    def __init__(self, model: Path, translator_options: Mapping[str, Any], options: TranslateOptions) -> None:
        self.job = TranslateJob(Translator(model, **translator_options), options)

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        """Translate the pickled targets of a row and return the pickled result."""
        targets: list[Target] = pickle.loads(row["targets"])  # noqa: S301 (pickled by `parts`)
        return {"result": pickle.dumps(translate_chunk(targets, self.job))}


def translate_chunk(targets: Sequence[Target], job: TranslateJob) -> TranslateResult:
    """Translate local files directly, and remote ones by way of a temporary folder."""
    result = job.new_result()
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        remote = {staged(target, Path(folder) / f"{number}"): target for number, target in enumerate(targets)}
        fetched = [
            target
            for target, original in remote.items()
            if copied(original, result, download_remote, original.source, target.source)
        ]
        part = translate_targets(fetched, job)
        result.skipped += [remote[target] for target in part.skipped]
        result.notes += part.notes
        outputs = {str(target.path): displayed(original.path) for target, original in remote.items()}
        result.failed += [error.with_path(outputs.get(str(error.path), error.path)) for error in part.failed]
        for target in part.done:
            if copied(remote[target], result, send, target.path, remote[target].path):
                result.done.append(remote[target])
    return result


def staged(target: Target, folder: Path) -> Target:
    """Return a target of local files: a remote file is replaced by one of the same name in a folder."""
    if remote_address(target.source):
        name = displayed(target.source)
        target = replace(target, source=folder / "from" / target.source.name, source_name=name)
    if remote_address(target.path):
        target = replace(target, path=folder / "to" / target.path.name, root=folder / "to")
    return target


def download_remote(remote: Path, local: Path) -> None:
    """Download a file, if it is remote."""
    if remote_address(remote):
        local.parent.mkdir(parents=True)
        system, name = file_system(remote)
        system.get_file(name, str(local))


def send(local: Path, remote: Path) -> None:
    """Upload a file, if its target is remote."""
    if remote_address(remote):
        system, name = file_system(remote)
        system.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH120 (a name on another system)
        system.put_file(str(local), name)


def copied(target: Target, result: TranslateResult, copy: Callable[[Path, Path], None], *paths: Path) -> bool:
    """Download or upload a file and tell whether that succeeded; a failure is added to the result."""
    try:
        copy(*paths)
    except Exception as error:  # each file system has errors of its own
        reason = f"could not be copied: {type(error).__name__}: {printable(error)}."
        hint = "Check the address and the rights to it, and run it again."
        result.failed.append(PictureError(reason, hint, displayed(target.source)))
        return False
    return True
