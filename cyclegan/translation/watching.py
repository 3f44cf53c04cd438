"""Watching folders: what appears in them is translated, until somebody stops it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cyclegan.errors import CycleganError
from cyclegan.translation.job import TranslateJob, TranslateResult
from cyclegan.translation.pipeline import translate_targets
from cyclegan.translation.targets import Target

Look = tuple[int, ...]  # of a file: its number, its bytes, and when they and what is known of it were changed, ns

PAUSE = 0.5  # seconds between two looks


def watch(
    plan: Callable[[], Sequence[Target]],
    job: TranslateJob,
    on_result: Callable[[TranslateResult], object],
    *,
    on_trouble: Callable[[CycleganError], object],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Translate what `plan()` finds, again and again; a file is taken once it has not changed between two looks.

    A file that failed, or whose output was there before, is not taken again until it changes; then its output is
    replaced. What cannot be planned, two files that would become one for example, is told once, and waits until it can
    be.
    """
    trouble = ""
    seen: dict[Path, Look] = {}
    taken: dict[Path, Look] = {}
    while not job.interrupted():
        try:
            targets, trouble = plan(), ""
        except CycleganError as error:
            if str(error) != trouble:
                on_trouble(error)
            targets, trouble = [], str(error)
        now = {target.source: look for target in targets if (look := _look(target.source))}
        ready = [
            target
            for target in targets
            if (look := now.get(target.source)) and seen.get(target.source) == look and taken.get(target.source) != look
        ]
        replaced = [target for target in ready if target.source in taken]
        new = [target for target in ready if target.source not in taken]
        taken |= {target.source: now[target.source] for target in ready}
        seen = now
        for some, overwrite in ((new, job.options.overwrite), (replaced, True)):
            if some:
                on_result(translate_targets(some, replace(job, options=replace(job.options, overwrite=overwrite))))
        sleep(PAUSE)


def _look(path: Path) -> Look | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
