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
from cyclegan.translation.pipeline import Manner, Outcome, Work, translate_all
from cyclegan.translation.sequences import numbered_sequences
from cyclegan.translation.targets import (
    SUFFIXES,
    Task,
    in_formats,
    passed_over_in,
    plan_tasks,
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
) -> list[Task]:
    """Say what becomes of every picture and clip in the inputs, as `plan_tasks` does, addresses among them."""
    places, output = [at_home(given) for given in inputs], output and at_home(output)
    tasks: list[Task] = []
    for place in places:
        root = root_of(place, domain, output, alone=len(places) == 1)
        if address_of(place):
            names = sorted(names_below(place))
            if not names:
                raise DataError(f"there are no pictures in {printable(shown(place))}.", "Check the address.")
            tasks += in_formats([Task(place / name, root / name, root) for name in names], image_format)
        else:
            tasks += plan_tasks([place], domain, output=output and root, image_format=image_format)
    refuse_collisions(tasks)
    return tasks


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
    tasks: Sequence[Task],
    work: Work,
    options: Mapping[str, Any],
    *,
    on_picture: Callable[[], object] = lambda: None,
) -> Outcome:
    """Redraw every picture as `translate_all` does, on all that a cluster has; `options` are the translators'.

    The cluster is the one that Ray finds (`RAY_ADDRESS`), else one on this machine for as long as this takes. What a
    worker had not finished when it was killed, another does.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require_extra("ray", "ray")
    outcome = Outcome(skipped=[] if work.manner.overwrite else those_there(tasks))
    there = set(outcome.skipped)
    missing = [task for task in tasks if task not in there]
    for _ in there:
        on_picture()
    if not missing:
        return outcome
    with redirect_stdout(io.StringIO()):  # where Ray speaks of workers that it has replaced
        ray.init(log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        try:
            for part in parts(ray, missing, work, options):
                outcome.done += part.done + part.skipped  # a worker that was killed has done those
                outcome.failed += part.failed
                outcome.notes += part.notes
                for _ in range(len(part.done) + len(part.skipped) + len(part.failed)):
                    on_picture()
                if work.interrupted():
                    break
        finally:
            ray.shutdown()
    return outcome


def parts(ray: Any, tasks: Sequence[Task], work: Work, options: Mapping[str, Any]) -> Iterator[Outcome]:
    """Yield what became of the tasks, chunk by chunk, as workers are done with them."""
    data = require_extra("ray.data", "ray")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False
    resources = ray.cluster_resources()
    on_gpu = work.translator.device.type == "cuda" and resources.get("GPU", 0) >= 1
    chunks = [{"tasks": pickle.dumps(chunk)} for chunk in chunks_of(tasks, work.manner.steady)]
    results = data.from_items(chunks, override_num_blocks=len(chunks)).map(
        Redrawer,
        fn_constructor_args=(work.translator.path.absolute(), dict(options), work.manner),
        compute=data.ActorPoolStrategy(size=min(len(chunks), int(resources["GPU" if on_gpu else "CPU"]))),
        num_gpus=1 if on_gpu else 0,
    )
    for result in results.iter_rows():
        yield pickle.loads(result["outcome"])  # noqa: S301 (our own worker's)


def chunks_of(tasks: Sequence[Task], steady: float) -> list[list[Task]]:
    """Return what a worker takes at once; the frames that are blended one into the next stay together."""
    sequences = numbered_sequences(tasks) if steady else []
    frames = {task for sequence in sequences for task in sequence}
    rest = [task for task in tasks if task not in frames]
    return sequences + [rest[at : at + CHUNK] for at in range(0, len(rest), CHUNK)]


def those_there(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks whose targets are there already."""
    roots = {task.root for task in tasks if address_of(task.root)}
    far = {root / name for root in roots for name in names_below(root)}
    return [task for task in tasks if task.target in far or (task.root not in roots and os.path.lexists(task.target))]


class Redrawer:
    """A worker: loads the model once, then redraws one chunk after the other."""

    def __init__(self, model: Path, options: Mapping[str, Any], manner: Manner) -> None:
        Image.MAX_IMAGE_PIXELS = manner.max_pixels  # Pillow's own limit would come first
        self.work = Work(Translator(model, **options), manner)

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        """Redraw the pictures of a row, and say what became of them."""
        tasks: list[Task] = pickle.loads(row["tasks"])  # noqa: S301 (our own)
        return {"outcome": pickle.dumps(redrawn(tasks, self.work))}


def redrawn(tasks: Sequence[Task], work: Work) -> Outcome:
    """Redraw pictures of this machine where they are, and those of addresses in a folder between."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        near = {staged(task, Path(folder) / f"{number}"): task for number, task in enumerate(tasks)}
        here = [task for task, far in near.items() if carried(far, outcome, bring, far.source, task.source)]
        part = translate_all(here, work)
        outcome.skipped += [near[task] for task in part.skipped]
        outcome.notes += [note.replace(f"{folder}{os.sep}", "") for note in part.notes]
        outcome.failed += [
            type(error)(str(error).replace(f"{folder}{os.sep}", ""), error.hint) for error in part.failed
        ]
        for task in part.done:
            if carried(near[task], outcome, send, task.target, near[task].target):
                outcome.done.append(near[task])
    return outcome


def staged(task: Task, folder: Path) -> Task:
    """Return a task as this machine can do it: what is an address stands in a folder instead, under its own name."""
    if address_of(task.source):
        task = replace(task, source=folder / "from" / unrooted(task.source))
    if address_of(task.target):
        task = replace(task, target=folder / "to" / unrooted(task.target), root=folder / "to")
    return task


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


def carried(task: Task, outcome: Outcome, carry: Callable[[Path, Path], None], *places: Path) -> bool:
    """Bring or send a picture, and tell whether that went well; if not, it is listed."""
    try:
        carry(*places)
    except Exception as error:  # each file system has errors of its own
        what = f"{printable(shown(task.source))} could not be carried: {type(error).__name__}: {printable(error)}."
        outcome.failed.append(PictureError(what, "Check the address and the rights to it, and run it again."))
        return False
    return True
