"""Watching folders: new files in them are translated, until an interruption."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cyclegan.errors import CycleganError
from cyclegan.translation.job import TranslateJob, TranslateResult
from cyclegan.translation.pipeline import translate_targets
from cyclegan.translation.targets import Target, shared_output

FileState = tuple[int, ...]  # inode, bytes, and the times of change of contents and metadata in ns

INTERVAL_SECONDS = 0.5  # between two scans


def watch(
    plan: Callable[[], Sequence[Target]],
    job: TranslateJob,
    on_result: Callable[[TranslateResult], object],
    *,
    on_error: Callable[[CycleganError], object],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Translate the targets of `plan()`, again and again; a file is translated when it is unchanged between two scans.

    A file that failed, or whose output existed before, is not translated again until it changes; then its output is
    replaced. Of two files with one output the second waits until the first is gone; it is reported once, and so is an
    error of `plan()`.
    """
    message = ""
    previous: dict[Path, FileState] = {}
    translated: dict[Path, FileState] = {}
    owners: dict[str, Target] = {}  # of the outputs, by their paths
    waiting: set[Path] = set()  # sources whose output belongs to another one
    while not job.interrupted():
        try:
            targets, message = plan(), ""
        except CycleganError as error:
            if str(error) != message:
                on_error(error)
            targets, message = [], str(error)
        current = {target.source: state for target in targets if (state := _file_state(target.source))}
        ready = [
            target
            for target in targets
            if (state := current.get(target.source))
            and previous.get(target.source) == state
            and translated.get(target.source) != state
        ]
        owners = {path: owner for path, owner in owners.items() if owner.source in current}
        with_owners = [(owners.setdefault(os.path.normcase(target.path), target), target) for target in ready]
        for owner, target in with_owners:
            if owner.source != target.source and target.source not in waiting:
                on_error(shared_output(owner, target))
        waiting = {target.source for owner, target in with_owners if owner.source != target.source}
        ready = [target for target in ready if target.source not in waiting]
        replaced = [target for target in ready if target.source in translated]
        new = [target for target in ready if target.source not in translated]
        translated |= {target.source: current[target.source] for target in ready}
        previous = current
        for some, overwrite in ((new, job.options.overwrite), (replaced, True)):
            if some:
                on_result(translate_targets(some, replace(job, options=replace(job.options, overwrite=overwrite))))
        sleep(INTERVAL_SECONDS)


def _file_state(path: Path) -> FileState | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
