"""Validation holds out what it says, keeps the best, and survives every kill."""

from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cyclegan.checkpoints.find import find_model
from cyclegan.checkpoints.model_file import load_model
from cyclegan.checkpoints.records import held_out_files, read_held_out, read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.checkpoints.states import load_state, save_state, unaveraged_model
from cyclegan.config import build_config
from cyclegan.data.domains import is_held_out, load_domain
from cyclegan.diagnostics.rules import diagnose
from cyclegan.directions import A2B
from cyclegan.errors import ConfigError, DataError, RunError
from cyclegan.images import read_picture
from cyclegan.training import callbacks, load_inputs, validation
from cyclegan.training.held_out_files import TranslatedDomain, save_held_out
from cyclegan.training.state import TrainState
from cyclegan.training.validation import interval, update_best
from tests.support.runs import contents, stop_at, tiny_settings, train_run

STEPS = 14


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "checkpoints" / "horses2zebras")


@pytest.fixture
def validated(tmp_path: Path) -> dict:
    """Return the settings of a run that is validated with folders of their own."""
    random = np.random.default_rng(1)
    places = {"validate_a": str(tmp_path / "more horses"), "validate_b": str(tmp_path / "more zebras")}
    for place, count in zip(places.values(), (3, 2), strict=True):
        many_pictures(Path(place), count, random)
    return {"data": places, "logging": {"validate_every": 4}}


def many_pictures(folder: Path, count: int, random: np.random.Generator) -> None:
    """Fill a new folder."""
    folder.mkdir()
    for number in range(count):
        coarse = random.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{number:03}.png")


APART = {4: (0.5, 0.2), 8: (0.2, 0.3), 12: (0.3, 0.4), 14: (0.4, 0.3)}  # a2b is best at step 8, b2a at step 4


def scores_of(monkeypatch: pytest.MonkeyPatch, scores: dict[int, tuple[float, float]]) -> None:
    """Let the scores of a run, of a2b and of b2a, be these, by step."""
    true = validation.Validator.scores

    def fixed_scores(self, state, translated):
        return true(self, state, translated) | dict(zip(("swd_a2b", "swd_b2a"), scores[state.step], strict=True))

    monkeypatch.setattr(validation.Validator, "scores", fixed_scores)


def test_held_out_pictures_depend_on_their_names_alone():
    names = [Path(f"{number:04}.png") for number in range(2000)]
    held_out = [name for name in names if is_held_out(name, 0.1)]
    assert 150 < len(held_out) < 250
    assert all(is_held_out(name, 0.2) for name in held_out)
    assert not any(is_held_out(name, 0.0) for name in names)


def test_held_out_pictures_are_never_trained_on(tmp_path: Path):
    folder = tmp_path / "horses"
    many_pictures(folder, 30, np.random.default_rng(0))
    config = build_config({"data": {"size": 32, "folder_a": str(folder), "validate": 0.2}})
    domain = load_domain(config, "a", scratch=tmp_path)
    assert len(domain.held_out) == len(domain.held_out_files) > 1
    assert sorted(domain.files + domain.held_out_files) == sorted(folder.iterdir())
    assert len(domain.pictures) == len(domain.files)
    shown = {picture.tobytes() for picture in domain.pictures}
    assert not shown & {picture.tobytes() for picture in domain.held_out}


def test_too_few_held_out_pictures_are_an_error(tmp_path: Path, folders):
    config = build_config({"data": {"folder_a": str(folders[0]), "validate": 0.01}})
    with pytest.raises(DataError, match="0 pictures of A are held out") as caught:
        load_domain(config, "a", scratch=tmp_path)
    assert "--validate" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"validate_a": "/x"}, "a folder for each of them"),
        ({"validate_a": "/x", "validate_b": "/y", "validate": 0.1}, "needs a share"),
        ({"validate": 0.6}, "between 0 and 0.5"),
        ({"folder_a": "/a", "validate_a": "/a/b", "validate_b": "/y"}, "share pictures"),
        ({"folder_b": "/b/train", "validate_a": "/x", "validate_b": "/b"}, "share pictures"),
    ],
)
def test_invalid_validation_settings_are_an_error(settings: dict, said: str):
    with pytest.raises(ConfigError, match=said):
        build_config({"data": settings})


def test_a_run_without_validation_has_no_best(run: Run, folders):
    train_run(run, folders, 4)
    assert not run.best.exists()
    assert not any("validation" in line for line in read_metrics(run))


def test_validation_writes_scores_and_selects_the_best_model(run: Run, folders, validated, monkeypatch):
    scores_of(monkeypatch, APART)
    assert train_run(run, folders, STEPS, validated).best_steps == {"a2b": 8, "b2a": 4}
    lines = read_metrics(run)
    assert [line["validation"] for line in lines] == pytest.approx([0.35, 0.25, 0.35, 0.35])
    assert [line["best_step_a2b"] for line in lines] == [4, 8, 8, 8]
    assert [line["best_step_b2a"] for line in lines] == [4, 4, 4, 4]
    assert [line["no_better_since_epoch"] for line in lines] == [2, 3, 3, 3]
    for name in ("faithfulness_a", "faithfulness_b", "held_out_score_a", "held_out_score_b", "swd_a2b", "swd_b2a"):
        assert all(isinstance(line[name], float) for line in lines)
    assert find_model(run.folder) == run.best
    info = load_model(run.best)[0]
    assert (info.steps, info.steps_of("a2b"), info.steps_of("b2a")) == (8, 8, 4)
    assert unaveraged_model(run)[1].steps_text == "14 steps"


@pytest.mark.parametrize(("networks", "step"), [(("a2b", "disc_b"), 8), (("b2a", "disc_a"), 4)])
def test_each_direction_holds_ema_weights_of_its_best_step(  # noqa: PLR0913 (fixtures)
    run: Run, folders, validated, tmp_path, monkeypatch, networks, step
):
    scores_of(monkeypatch, APART)
    train_run(run, folders, STEPS, validated)
    shorter = Run(tmp_path / "shorter")
    train_run(shorter, folders, step, validated)
    best, then = load_file(run.best), load_file(shorter.model)
    assert best.keys() == then.keys()
    own = [name for name in best if name.partition(".")[0] in networks]
    assert own
    assert all(torch.equal(best[name], then[name]) for name in own)


def test_a_state_with_one_best_for_both_directions_continues(run: Run, folders, validated, tmp_path, monkeypatch):
    scores_of(monkeypatch, {4: (0.9, 0.2), 8: (0.8, 0.1), 12: (0.85, 0.3), 14: (0.7, 0.2)})
    train_run(run, folders, STEPS, validated)
    early = Run(tmp_path / "early")
    train_run(early, folders, STEPS, validated, **stop_at(8))
    tensors, facts, _ = load_state(early)
    facts["best"] = {"least": 0.45, "least_epoch": 3, "since": 0, "step": 8, "epoch": 3}  # as that version wrote it
    save_state(early, 8, tensors, facts)
    train_run(early, folders, STEPS, validated)
    assert contents(early) == contents(run)
    assert load_model(early.best)[0].steps_of("b2a") == 8


def test_validation_does_not_change_training(run: Run, folders, validated, tmp_path):
    train_run(run, folders, 8)
    other = Run(tmp_path / "validated")
    train_run(other, folders, 8, validated)
    assert load_file(run.model).keys() == load_file(other.model).keys()
    assert all(torch.equal(load_file(other.model)[name], weight) for name, weight in load_file(run.model).items())


def test_every_held_out_picture_has_its_numbers(run: Run, folders, validated):
    train_run(run, folders, 10, validated)
    step, facts = read_held_out(run)
    assert [path.name for path in held_out_files(run)] == ["000000010.json", "000000010.png"]
    assert step == 10
    assert [[fact["picture"] for fact in facts[domain]] for domain in "ab"] == [
        ["000.png", "001.png", "002.png"],
        ["000.png", "001.png"],
    ]
    rows = read_picture(run.held_out / "000000010.png").pixels.astype(float).reshape(5, 32, 3, 32, 3)
    for fact in facts["a"] + facts["b"]:
        real, cycled = rows[fact["row"], :, 0], rows[fact["row"], :, 2]
        assert np.abs(real - cycled).mean() / 127.5 == pytest.approx(fact["cycle_error"], abs=0.01)


def test_the_grid_holds_best_and_worst_held_out_pictures(tmp_path: Path):
    real = torch.zeros(12, 3, 32, 32)
    errors = torch.linspace(0, 1, 12).view(12, 1, 1, 1)
    scores = torch.tensor([3.0] * 5 + [9.0, 8.0] + [3.0] * 3 + [2.0, 1.0])
    translated = TranslatedDomain([f"{n}.png" for n in range(12)], real, real, real + errors, scores)
    save_held_out(Run(tmp_path), 7, {"a": translated})
    shown = {fact["picture"]: fact["row"] for fact in read_held_out(Run(tmp_path))[1]["a"] if fact["row"] is not None}
    assert {"0.png", "1.png", "2.png", "9.png", "10.png", "11.png", "5.png", "6.png"} <= shown.keys()
    assert sorted(shown.values()) == list(range(len(shown)))


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("instant", ["before the state", "before the model", "before the best", "after the best"])
def test_a_kill_during_a_save_keeps_the_best_model(  # noqa: PLR0913 (fixtures)
    run: Run, folders, validated, tmp_path, monkeypatch, instant
):
    settings = validated | {"logging": {"validate_every": 4, "save_minutes": 0}}
    scores_of(monkeypatch, APART)
    train_run(run, folders, STEPS, settings)
    killed = Run(tmp_path / "killed")

    with monkeypatch.context() as patch:
        kill_in_save(patch, instant, step=8)
        with pytest.raises(Killed):
            train_run(killed, folders, STEPS, settings)
    train_run(killed, folders, STEPS, settings)
    assert contents(killed) == contents(run)


def kill_in_save(patch: pytest.MonkeyPatch, instant: str, step: int) -> None:
    """Die when the state or a model of this step is about to be written, or has just been."""
    save_state, save_networks = callbacks.save_state, callbacks.save_networks

    def state(run, now, *rest):
        if now == step and instant == "before the state":
            raise Killed
        save_state(run, now, *rest)

    def networks(inputs, path, steps, weights):
        now = steps["a2b"] == step
        if now and instant == {"model": "before the model", "best": "before the best"}[path.stem]:
            raise Killed
        save_networks(inputs, path, steps, weights)
        if now and (instant, path.stem) == ("after the best", "best"):
            raise Killed

    patch.setattr(callbacks, "save_state", state)
    patch.setattr(callbacks, "save_networks", networks)


def test_a_missing_best_model_is_written_again_from_the_state(run: Run, folders, validated):
    train_run(run, folders, 4, validated)
    before = contents(run)
    run.best.unlink()
    assert train_run(run, folders, 4, validated).steps_done == 0
    assert contents(run) == before


def test_an_interrupted_run_ends_with_the_same_best_model(run: Run, folders, validated, tmp_path, monkeypatch):
    scores_of(monkeypatch, {4: (0.2, 0.5), 8: (0.5, 0.1), 12: (0.1, 0.3), 14: (0.3, 0.3)})
    train_run(run, folders, STEPS, validated)
    broken = Run(tmp_path / "broken")
    for stop in (3, 4, 9):
        train_run(broken, folders, STEPS, validated, **stop_at(stop))
    train_run(broken, folders, STEPS, validated)
    assert contents(broken) == contents(run)


def test_held_out_pictures_are_fixed_and_the_interval_is_not(run: Run, folders, validated):
    train_run(run, folders, 4, validated)
    assert train_run(run, folders, 6, validated, {"logging": {"validate_every": 2}}).finished
    with pytest.raises(RunError, match=r"data.validate_a \(was .*more horses"):
        train_run(run, folders, 8)


def test_a_changed_held_out_picture_is_reported(run: Run, folders, validated):
    train_run(run, folders, 4, validated, **stop_at(2))
    (Path(validated["data"]["validate_b"]) / "001.png").rename(Path(validated["data"]["validate_b"]) / "9.png")
    assert "zebras are not those of the last save" in train_run(run, folders, 4, validated).notes[0]


def test_a_plateau_is_advice_or_ends_training(run: Run, folders, validated, tmp_path, monkeypatch):
    scores_of(monkeypatch, {4: (0.2, 0.5), 8: (0.5, 0.4), 12: (0.4, 0.4), 14: (0.4, 0.4)})
    patient = {"schedule": {"epochs": 2, "decay_epochs": 20, "max_steps": STEPS, "plateau_patience": 1}}
    stop = {"schedule": patient["schedule"] | {"stop_on_plateau": True}}
    assert train_run(run, folders, STEPS, validated, patient).plateau_epoch == 0
    # At step 8 a2b has not got better, but b2a has.
    assert [line["plateau"] for line in read_metrics(run)] == [False, False, True, True]
    stopped = Run(tmp_path / "stopped")
    result = train_run(stopped, folders, STEPS, validated, stop)
    assert (result.step, result.finished, result.plateau_epoch) == (12, True, 3)
    assert train_run(stopped, folders, STEPS, validated, stop).steps_done == 0
    assert train_run(stopped, folders, STEPS, validated, patient).finished
    assert contents(stopped) == contents(run)


def line_with(step: int, rate: float, **more: object) -> dict:
    """Return a line of the metrics of a run on a plateau."""
    return {"step": step, "epoch": step, "learning_rate": rate, "validation": 0.2} | more


def test_a_plateau_has_a_suggestion():
    stale = {"plateau": True, "no_better_since_epoch": 3}
    (steady,) = diagnose([line_with(1, 2e-4), line_with(9, 2e-4, **stale)], 100, "lsgan")
    assert (steady.name, steady.verdict) == ("plateau", "watch")
    assert "no better since epoch 3" in steady.reason
    assert "--epochs 9" in steady.suggestion
    (falling,) = diagnose([line_with(1, 2e-4), line_with(9, 1e-4, **stale)], 100, "lsgan")
    assert "fall to its end" in falling.suggestion
    assert not diagnose([line_with(1, 2e-4), line_with(9, 2e-4, plateau=False)], 100, "lsgan")


def test_later_networks_win_within_the_tolerance():
    state, bests = create_autospec(TrainState, instance=True, best={}), []
    for state.step, score in enumerate([1.0, 0.8, 0.83, 0.85, 0.84, 0.7], 1):
        state.model_weights.return_value = {"a2b.weight": torch.tensor(float(state.step))}
        best = update_best(state, A2B, score, epoch=state.step)
        assert best.weights["a2b.weight"] == best.step
        bests.append((best.step, best.lowest_score_epoch, best.validations_since))
    assert bests == [(1, 1, 0), (2, 2, 0), (3, 2, 1), (3, 2, 2), (5, 2, 3), (6, 6, 0)]


def test_the_validation_interval_bounds_its_cost(run: Run, folders, validated, tmp_path):
    run.folder.mkdir(parents=True)
    inputs = load_inputs(build_config(*tiny_settings(folders, 4), validated), run)
    assert inputs.steps_per_epoch == 3
    assert interval(inputs) == validation.COST_RATIO * (3 + 2) / 2  # validated pictures, samples in a step
