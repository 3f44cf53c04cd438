"""Compare recipes by the pictures they make; run from the repository's root.

    python -m scripts.search_recipe OUT --photographs FOLDER --judge JUDGE.PY [--size 128] [--pairs 20000]
        [--recipes scripts/recipes.toml] [--only NAME…] [--seeds 3] [--points 4] [--minutes 25] [--set KEY.PATH=VALUE…]
    python -m scripts.search_recipe OUT --landscapes 160 --size 64 …

Each recipe sees as many pairs, half of them at a falling learning rate, and is looked at several times on the way:
the networks of that moment redraw the test pictures, and a judge that they never saw says what they are worth. Of
photographs (`trainA trainB testA testB`) that is a script which compares two folders and prints JSON; landscapes are
drawn here, and their translations are compared with the truth.

What is finished lies in OUT, small enough to be carried: numbers (`results/`) and sheets of translations (`sheets/`),
and is not done again; a training that was stopped goes on if its folder (`runs/`) is still there. No new one begins
after so many minutes.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from cyclegan.atomic import write_text
from cyclegan.checkpoints.runs import Run, locked
from cyclegan.config import Config, Settings, build_config, parse_assignment, preset
from cyclegan.data.folders import Pair, domains_in, evenly, list_pictures
from cyclegan.data.synthetic import DOMAINS, draw_domains
from cyclegan.demo import mean_difference
from cyclegan.errors import GameLostError
from cyclegan.metrics import SlicedWasserstein
from cyclegan.training import Moment, prepare, train
from cyclegan.training.callbacks import save_networks
from cyclegan.translation import Direction, Manner, Translator, Work, plan_tasks, translate_all
from scripts.measure_validation import pictures as images
from scripts.trials import in_force

WAYS: tuple[Direction, Direction] = ("a2b", "b2a")
SHOWN, CELL, GAP = 8, 112, 4  # pictures of a sheet's row; pixels of one, and between two

Numbers = dict[str, float]
Judge = Callable[[Path, Path, Path, Direction], Numbers]  # sources, translations, real or true ones


@dataclass(frozen=True)
class Pictures:
    """What is trained on, what is redrawn, and who judges that."""

    train: Pair
    test: Pair
    judge: Judge


@dataclass(frozen=True)
class Search:
    """What all recipes have in common."""

    out: Path
    pictures: Pictures
    size: int  # pixels, short side at which the test pictures are redrawn
    pairs: int
    points: int
    settings: list[Settings] = field(default_factory=list)

    def result(self, name: str, seed: int) -> Path:
        """Return the file of a recipe's numbers."""
        return self.out / "results" / f"{name}-{seed}.json"

    def config(self, recipe: dict[str, Any], seed: int) -> Config:
        """Return all settings of a recipe."""
        own = {section: values for section, values in recipe.items() if section not in ("preset", "trial")}
        folder_a, folder_b = map(str, self.pictures.train)
        layers = [preset(recipe.get("preset", "default")), *self.settings, own]
        batch_size = build_config(*layers).game.batch_size
        epochs = math.ceil(self.pairs / max(len(list_pictures(folder)) for folder in self.pictures.train))
        schedule = {"epochs": epochs - epochs // 2, "decay_epochs": epochs // 2, "max_steps": self.pairs // batch_size}
        places = {"folder_a": folder_a, "folder_b": folder_b}
        return build_config(*layers, {"data": places, "game": {"seed": seed}, "schedule": schedule})


def photographs(folder: Path, judge: Path, most: int, out: Path) -> Pictures:
    """Return a data set of photographs, of which at most so many on each side are trained on, and their judge."""
    found = domains_in(folder)
    if found is None or found.test is None:
        raise SystemExit(f"{folder} needs trainA, trainB, testA and testB.")
    sides = {}
    for side, whole in zip("AB", found.train, strict=True):
        sides[side] = out / f"train{side}"
        sides[side].mkdir(parents=True, exist_ok=True)
        for picture in evenly(list_pictures(whole), most):
            if not (link := sides[side] / picture.name).is_symlink():
                link.symlink_to(picture.resolve())
    return Pictures((sides["A"], sides["B"]), found.test, partial(asked, judge))


def asked(judge: Path, source: Path, translated: Path, real: Path, way: Direction) -> Numbers:
    """Ask a script what it thinks of translations; it knows horses and zebras as classes 339 and 340."""
    wanted = {"a2b": "340", "b2a": "339"}[way]
    command = [sys.executable, str(judge), str(translated), str(real), "--reference", str(source), "--class", wanted]
    said = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout
    numbers = json.loads(said)
    return {name: numbers[name] for name in ("frechet", "class_top5", "kept")}


def landscapes(count: int, side: int, out: Path) -> Pictures:
    """Draw so many landscapes in summer and in winter, and others whose counterparts are known."""
    folder = out / "landscapes"
    if not folder.exists():
        draw_domains(folder, side=side, training=count, held_out=40, seed=0)
    a, b = DOMAINS
    return Pictures((folder / a, folder / b), (folder / "held_out" / a, folder / "held_out" / b), compared)


def compared(source: Path, translated: Path, truth: Path, way: Direction) -> Numbers:  # noqa: ARG001
    """Compare translations with the truth.

    `error` is relative to that of the pictures left as they are, and forgives what is blurred; `texture`, the sliced
    Wasserstein distance of all of them, does not.
    """
    levels = SlicedWasserstein(images(truth))(images(translated))
    return {
        "error": mean_difference(translated, truth) / mean_difference(source, truth),
        "texture": statistics.mean(levels),
    }


def play(search: Search, name: str, recipe: dict[str, Any], seed: int) -> None:
    """Train one recipe from one seed, have it judged, and leave numbers and a sheet."""
    torch.compiler.reset()  # it gives up on what it has compiled for some other networks
    config = search.config(recipe, seed)
    run = Run(search.out / "runs" / f"{name}-{seed}")
    models = {
        config.schedule.max_steps * point // search.points: run.folder / f"point-{point}.safetensors"
        for point in range(1, search.points + 1)
    }

    def keep(moment: Moment) -> None:
        if moment.step in models:
            save_networks(moment.plan, models[moment.step], moment.step, moment.session.weights())

    with locked(run), in_force(recipe.get("trial", {}), config):
        run.samples.mkdir(exist_ok=True)
        outcome = train(prepare(config, run, scratch=run.folder), observers=[keep], tell=tell)
        for step, model in models.items():
            for place, way in enumerate(WAYS):
                redraw(model, way, search.pictures.test[place], run.folder / way / str(step), search.size)
    points = [{"pairs": step * config.game.batch_size} | judged(search.pictures, run.folder, step) for step in models]
    sheet(search.pictures, run.folder, list(models), search.out / "sheets" / f"{name}-{seed}.jpg")
    seconds = outcome.seconds / max(outcome.played, 1) * config.schedule.max_steps
    result = {"recipe": name, "seed": seed, "settings": recipe, "seconds": round(seconds, 1), "points": points}
    write_text(search.result(name, seed), json.dumps(result, indent=2) + "\n")
    shutil.rmtree(run.folder)


def redraw(model: Path, way: Direction, source: Path, output: Path, size: int) -> None:
    """Translate a folder."""
    tasks = plan_tasks([source], way, output=output, image_format="png")
    translate_all(tasks, Work(Translator(model, direction=way), Manner(size=size, overwrite=True)))


def judged(pictures: Pictures, folder: Path, step: int) -> dict[str, Numbers]:
    """Return what the judge says of both directions."""
    return {
        way: pictures.judge(pictures.test[place], folder / way / str(step), pictures.test[1 - place], way)
        for place, way in enumerate(WAYS)
    }


def sheet(pictures: Pictures, folder: Path, steps: list[int], path: Path) -> None:
    """Draw test pictures and, below, what became of them at each point; A on the left, B on the right."""
    apart = CELL + GAP
    picture = Image.new("RGB", (2 * SHOWN * apart, (1 + len(steps)) * apart - GAP), "white")
    for place, way in enumerate(WAYS):
        for column, shown in enumerate(evenly(list_pictures(pictures.test[place]), SHOWN)):
            for row, of in enumerate([shown, *[folder / way / str(step) / f"{shown.stem}.png" for step in steps]]):
                cell = Image.open(of).convert("RGB").resize((CELL, CELL), Image.Resampling.BICUBIC)
                picture.paste(cell, (column * apart + place * (SHOWN * apart + GAP), row * apart))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=85)


def table(out: Path) -> str:
    """Return the means over seeds of all that is finished, one line for each recipe and point."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for path in sorted((out / "results").glob("*.json")):
        result = json.loads(path.read_text())
        for point in result["points"]:
            numbers = {f"{way} {key}": value for way in WAYS for key, value in point[way].items()}
            numbers["seconds in all"] = result["seconds"]
            found.setdefault((result["recipe"], point["pairs"]), []).append(numbers)
    columns = list(next(iter(found.values()), [{}])[0])
    lines = [["recipe", "pairs", "seeds", *columns], ["---"] * (3 + len(columns))] + [
        [name, f"{pairs:,}", str(len(points)), *(spread([point[column] for point in points]) for column in columns)]
        for (name, pairs), points in found.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: list[float]) -> str:
    """Return a mean and, of several, their standard deviation."""
    digits = 1 if max(values) > 10 else 3
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def tell(sentence: str) -> None:
    """Say something on standard error, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    """Search, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--photographs", type=Path)
    what.add_argument("--landscapes", type=int, metavar="COUNT")
    parser.add_argument("--judge", type=Path, help="of photographs")
    parser.add_argument("--few", type=int, default=10**6, help="photographs of each domain to train on, at most")
    parser.add_argument("--recipes", type=Path, default=Path(__file__).with_name("recipes.toml"))
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--test-size", type=int, help="at which the test pictures are redrawn; left out, the same")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--set", action="append", default=[], dest="assignments", help="for all recipes")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pictures = (
        photographs(given.photographs, given.judge, given.few, given.out)
        if given.photographs
        else landscapes(given.landscapes, given.size, given.out)
    )
    common: list[Settings] = [{"data": {"size": given.size}}, *map(parse_assignment, given.assignments)]
    search = Search(given.out, pictures, given.test_size or given.size, given.pairs, given.points, common)
    recipes = tomllib.loads(given.recipes.read_text())
    began = time.monotonic()
    for seed, name in product(range(given.seeds), given.only or recipes):
        if search.result(name, seed).exists():
            continue
        if time.monotonic() - began > given.minutes * 60:
            tell("The time is over; the same command goes on.")
            break
        tell(f"{name}, seed {seed}")
        try:
            play(search, name, recipes[name], seed)
        except GameLostError as error:
            tell(str(error))
    print(table(given.out))  # noqa: T201


if __name__ == "__main__":
    main()
