"""Measure what the doctor's thresholds stand on, and what the doctor costs; run from the repository's root.

    python -m scripts.measure_doctor healthy [--seeds 10] [--set KEY.PATH=VALUE]…
    python -m scripts.measure_doctor sick
    python -m scripts.measure_doctor cost [--steps 160]

The games are those of the tests (tests/training/sick_games.py). Of healthy ones it prints the extremes of every number
that a threshold looks at, once the game is warm, and what the doctor said; of sick ones what was said, and when. The
cost is the time spent inside the doctor while the demo trains: at every step, and in examinations at their pace.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from cyclegan.checkpoints.runs import Run
from cyclegan.config import build_config, parse_assignment
from cyclegan.demo import FULL, demo_config, draw_demo
from cyclegan.diagnostics.history import mean
from cyclegan.diagnostics.rules import NOTHING_KNOWN, WARM_UP, span_of
from cyclegan.training import guard, prepare, session, step, train
from cyclegan.training.doctor import Doctor
from tests.training.sick_games import HEALTHY_GAME, SICK, Game, play

SPANNED = ("right_guesses", "score_spread", "disc")  # judged by their means over a span
EXAMINED = ("diversity", "change", "correlation", "fragility", "overfitting")
EXAMINED_ERRORS = ("rounded", "jpeg", "noise")


def extremes(lines: list[dict[str, Any]], nothing: float) -> dict[str, tuple[float, float]]:
    """Return the least and the most of every number that is judged, once the game is warm."""
    span = span_of(lines[-1]["step"])
    warm = [line for line in lines if line["step"] > WARM_UP * span]
    found = defaultdict(list)
    for count in range(1, len(warm) + 1):
        for name in SPANNED:
            found[name] += [mean(warm[:count], f"{name}_{side}", span) for side in "ab"]
    for line in warm:
        found["right_guesses, one line"] += [line[f"right_guesses_{side}"] for side in "ab"]
        for name in EXAMINED:
            found[name] += [line[key] for key in line if key.startswith(f"{name}_")]
        for kind in EXAMINED_ERRORS:
            found[f"cycle error, {kind} / clean"] += [
                line[key] / line[f"cycle_error_{side}"]
                for side in "ab"
                if (key := f"cycle_error_{kind}_{side}") in line
            ]
    found["disc / knowing nothing"] = [loss / nothing for loss in found.pop("disc")]
    return {name: (min(kept), max(kept)) for name, values in found.items() if (kept := [v for v in values if v == v])}


def said(lines: list[dict[str, Any]]) -> dict[str, int]:
    """Return what the doctor said, and at which step first."""
    first: dict[str, int] = {}
    for line in lines:
        for finding in line["health"]["findings"]:
            first.setdefault(f"{finding['verdict']} {finding['name']} {finding['about']}", line["step"])
    return first


def in_a_new_folder(game: Game, *layers: Any) -> list[dict[str, Any]]:
    """Play a game and return its metrics."""
    with tempfile.TemporaryDirectory() as folder:
        return play(game, Run(Path(folder) / "run"), *layers)


def measure_healthy(seeds: int, assignments: list[str]) -> list[str]:
    """Play healthy games and return lines of what was seen."""
    layers, report = [parse_assignment(text) for text in assignments], []
    nothing = NOTHING_KNOWN[build_config(*layers).loss.adversarial]
    all_extremes = defaultdict(list)
    for seed in range(seeds):
        lines = in_a_new_folder(HEALTHY_GAME, *layers, {"game": {"seed": seed}})
        report.append(f"seed {seed}: {said(lines) or 'fine'}")
        for name, pair in extremes(lines, nothing).items():
            all_extremes[name] += pair
    return report + [f"{name:<30} {min(v):7.3f} to {max(v):7.3f}" for name, v in all_extremes.items()]


def measure_sick() -> list[str]:
    """Play every game that is made sick and return lines of what was said."""
    report = []
    for game in SICK:
        lines = in_a_new_folder(game)
        report.append(f"{game.finding}: {said(lines)}")
        found = extremes(lines, NOTHING_KNOWN["lsgan"])
        report += [f"    {name:<30} {least:7.3f} to {most:7.3f}" for name, (least, most) in found.items()]
    return report


def timed(work: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """Return the same work, with its time noted."""

    def noted(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        result = work(*arguments, **options)
        spent.append(time.perf_counter() - started)
        return result

    return noted


def measure_cost(steps: int) -> list[str]:
    """Train the demo for some steps and return lines of where the time went."""
    places = ((step, "score_signs"), (guard, "get_total_norm"), (session.Session, "signs"), (session.Tally, "add"))
    every_step: list[float] = []
    examinations: list[float] = []
    lines: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        draw_demo(FULL, Path(folder), seed=0)
        config = demo_config(FULL, Path(folder), seed=0)
        run = Run(Path(folder) / "run")
        run.samples.mkdir(parents=True)
        for place, name in places:
            stack.enter_context(patch.object(place, name, timed(getattr(place, name), every_step)))
        stack.enter_context(patch.object(Doctor, "examine", timed(Doctor.examine, examinations)))
        stack.enter_context(patch.object(Doctor, "__call__", timed(Doctor.__call__, lines)))
        plan = prepare(config, run, scratch=Path(folder))
        stop: list[int] = []
        outcome = train(
            plan, observers=[lambda moment: stop.append(moment.step)], interrupted=lambda: len(stop) >= steps - 1
        )
    total, judging = outcome.seconds, sum(lines) - sum(examinations)
    examining = sum(examinations)
    return [
        f"{outcome.played} steps in {total:.1f} s, {total / outcome.played * 1e3:.0f} ms each",
        f"vital signs      {sum(every_step):7.3f} s  {sum(every_step) / total:.2%}",
        f"{len(examinations)} examinations   {examining:7.3f} s  {examining / total:.2%}",
        f"{len(lines)} verdicts       {judging:7.3f} s  {judging / total:.2%}",
        f"all              {sum(every_step) + sum(lines):7.3f} s  {(sum(every_step) + sum(lines)) / total:.2%}",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the doctor's thresholds stand on, and what it costs.")
    parser.add_argument("what", choices=("healthy", "sick", "cost"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--steps", type=int, default=160)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = {
        "healthy": lambda: measure_healthy(arguments.seeds, arguments.assignments),
        "sick": measure_sick,
        "cost": lambda: measure_cost(arguments.steps),
    }[arguments.what]()
    print("\n".join(report))  # noqa: T201


if __name__ == "__main__":
    main()
