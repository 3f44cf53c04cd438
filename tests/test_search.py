"""The search for recipes compares like with like and does nothing twice."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from cyclegan.checkpoints.runs import Run
from cyclegan.models import build_networks
from cyclegan.training.build import new_session
from cyclegan.training.fabric import engine
from scripts import search_recipe
from scripts.trials import TRIALS, in_force
from tests.training.sick_games import Game, plan_of

SMALL = [
    *("--size", "32", "--pairs", "6", "--points", "2", "--set", "generator.width=4", "--set", "generator.blocks=1"),
    *("--set", "discriminator.width=4", "--set", "discriminator.layers=2", "--set", "machine.workers=0"),
]
RECIPES = """
[default]
[noise]
game.batch_size = 2
trial.way_back_noise = 0.1
"""
JUDGE = """
import json, sys
from pathlib import Path
translated, real = (sorted(Path(place).iterdir()) for place in sys.argv[1:3])
source = Path(sys.argv[sys.argv.index("--reference") + 1])
assert {path.stem for path in translated} == {path.stem for path in source.iterdir()}
print(json.dumps({"frechet": float(len(real)), "class_top5": 0.0, "kept": 1.0, "pictures": len(translated)}))
"""


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the script as its command line says, and return the folder it leaves."""
    recipes = tmp_path / "recipes.toml"
    recipes.write_text(RECIPES)

    def run(*arguments: object) -> Path:
        given = ["search_recipe", tmp_path / "out", *SMALL, "--recipes", recipes, *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, given)))
        search_recipe.main()
        return tmp_path / "out"

    return run


def results(out: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in (out / "results").iterdir()}


def test_every_recipe_sees_as_many_pairs_and_is_judged_on_the_way(searched, capsys):
    out = searched("--landscapes", 4)
    found = results(out)
    assert found.keys() == {"default-0", "noise-0"}
    for result in found.values():
        assert result["points"][-1]["pairs"] == 6
        assert len(result["points"]) == 2
        assert all(point[way]["error"] > 0 for point in result["points"] for way in ("a2b", "b2a"))
    assert (out / "sheets" / "noise-0.jpg").exists()
    assert "| noise | 6 | 1 |" in capsys.readouterr().out


def test_what_is_finished_is_not_done_again_and_no_new_one_begins_when_the_time_is_over(searched):
    out = searched("--landscapes", 4, "--only", "default")
    before = (out / "results" / "default-0.json").stat().st_mtime_ns
    shutil.rmtree(out / "runs")
    searched("--landscapes", 4, "--minutes", 0)
    assert results(out).keys() == {"default-0"}
    assert (out / "results" / "default-0.json").stat().st_mtime_ns == before


def test_photographs_are_judged_by_the_script_that_is_given(searched, folders, tmp_path):
    for part in ("train", "test"):
        for side, folder in zip("AB", folders, strict=True):
            (tmp_path / "set" / f"{part}{side}").mkdir(parents=True)
            shutil.copy(folder / "1.png", tmp_path / "set" / f"{part}{side}" / "one.png")
            shutil.copy(folder / "2.jpg", tmp_path / "set" / f"{part}{side}" / "two.jpg")
    (tmp_path / "judge.py").write_text(JUDGE)
    given = ("--photographs", tmp_path / "set", "--judge", tmp_path / "judge.py", "--few", 1, "--only", "default")
    out = searched(*given)
    assert results(out)["default-0"]["points"][0]["a2b"] == {"frechet": 2.0, "class_top5": 0.0, "kept": 1.0}
    assert len(list((out / "trainA").iterdir())) == 1


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_changes_the_game_as_long_as_it_is_in_force(name):
    without, tried, afterwards = played({}), played({name: 0.5}), played({})
    assert any(not same(without[key], tried.get(key)) for key in without)
    assert all(same(without[key], afterwards[key]) for key in without)


def same(weight: torch.Tensor, other: torch.Tensor | None) -> bool:
    return other is not None and weight.shape == other.shape and torch.equal(weight, other)


def played(trials: dict[str, float]) -> dict[str, torch.Tensor]:
    """Return all weights after two steps."""
    plan = plan_of(Run(Path()), Game(networks=build_networks))
    with in_force(trials, plan.config):
        session = new_session(plan, engine(plan))
        for step in range(2):
            session.prepare(1e-3, 1)
            images = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(step)) * 2 - 1
            session.advance(*images)
            session.step += 1
    return {
        f"{name}.{key}": tensor.clone()
        for name, net in session.networks.named()
        for key, tensor in net.state_dict().items()
    }
