"""Watching folders: what appears in them is translated, until somebody stops it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cyclegan.errors import CycleganError
from cyclegan.translation.pipeline import Outcome, Work, translate_all
from cyclegan.translation.targets import Task

Look = tuple[int, ...]  # of a file: its number, its bytes, and when they and what is known of it were changed, ns

PAUSE = 0.5  # seconds between two looks


def watch(
    plan: Callable[[], Sequence[Task]],
    work: Work,
    on_outcome: Callable[[Outcome], object],
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
    while not work.interrupted():
        try:
            tasks, trouble = plan(), ""
        except CycleganError as error:
            if str(error) != trouble:
                on_trouble(error)
            tasks, trouble = [], str(error)
        now = {task.source: look for task in tasks if (look := _look(task.source))}
        ready = [
            task
            for task in tasks
            if (look := now.get(task.source)) and seen.get(task.source) == look and taken.get(task.source) != look
        ]
        replaced = [task for task in ready if task.source in taken]
        new = [task for task in ready if task.source not in taken]
        taken |= {task.source: now[task.source] for task in ready}
        seen = now
        for some, overwrite in ((new, work.manner.overwrite), (replaced, True)):
            if some:
                on_outcome(translate_all(some, replace(work, manner=replace(work.manner, overwrite=overwrite))))
        sleep(PAUSE)


def _look(path: Path) -> Look | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
