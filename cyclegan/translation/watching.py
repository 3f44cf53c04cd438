"""Watching folders: what appears in them is translated, until somebody stops it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cyclegan.errors import CycleganError
from cyclegan.translation.pipeline import Outcome, Work, translate_all
from cyclegan.translation.targets import Task

Look = tuple[float, int]  # when a file was last changed, in seconds, and its bytes

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

    A file that failed, or was there before, is not taken again until it changes. What cannot be planned, two files that
    would become one for example, is told once, and waits until it can be.
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
        taken |= {task.source: now[task.source] for task in ready}
        seen = now
        if ready:
            on_outcome(translate_all(ready, work))
        sleep(PAUSE)


def _look(path: Path) -> Look | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime, found.st_size
