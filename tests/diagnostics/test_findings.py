"""Diagnostics find every failure that they know, and nothing in a healthy training."""

import math
import os
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.checkpoints.states import load_state
from cyclegan.config import SECTIONS
from cyclegan.diagnostics import rules
from cyclegan.diagnostics.measures import (
    correlation,
    cycle_measures,
    discriminator_measures,
    diversity,
    fake_gradient_norm,
    translation_measures,
)
from cyclegan.diagnostics.rules import diagnose, overfitting_share, span_of, verdict
from cyclegan.errors import TrainingDivergedError
from cyclegan.training.nonfinite import NonFiniteFilter
from tests.support.failing_trainings import FAILURES, HEALTHY, Case, train_case
from tests.support.runs import contents

SPAN = 100
HEALTHY_METRICS = {  # as measured in a healthy training
    "disc_a": 0.2,
    "disc_b": 0.2,
    "disc_accuracy_a": 0.7,
    "disc_accuracy_b": 0.7,
    "score_std_a": 0.2,
    "score_std_b": 0.2,
    "real_score_a": 0.6,
    "fake_score_a": 0.4,
    "overfitting_a": 0.1,
    "skipped_steps": 0.0,
}
MEASURED_NOW_AND_THEN = {
    "diversity_a2b": 0.8,
    "change_a2b": 0.9,
    "correlation_a2b": 0.1,
    "cycle_error_a": 0.1,
    "cycle_error_rounded_a": 0.1,
    "cycle_error_jpeg_a": 0.12,
    "cycle_error_noise_a": 0.1,
    "fragility_a": 0.5,
    "fake_grad_norm_a2b": 10.0,
}


def history(steps: int = 600, every: int = 10, **changed) -> list[dict]:
    """Return the metrics of a healthy training with changed values; a function is called with every step."""
    lines = []
    for step in range(every, steps + 1, every):
        line = {"step": step} | HEALTHY_METRICS | (MEASURED_NOW_AND_THEN if step % 50 == 0 else {})
        changes = {name: value(step) if callable(value) else value for name, value in changed.items()}
        lines.append(line | {name: value for name, value in changes.items() if name in line or name == "recoveries"})
    return lines


def names(lines: list[dict], **options) -> set[tuple[str, str, str]]:
    """Return the findings at the last line."""
    found = diagnose(lines, **{"span": SPAN, "objective": "lsgan"} | options)
    return {(finding.name, finding.about, finding.verdict) for finding in found}


def test_a_healthy_history_has_no_findings():
    assert names(history()) == set()
    assert verdict([]) == "fine"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"disc_accuracy_b": 0.97}, ("discriminator_wins", "disc_b", "watch")),
        (
            {"disc_accuracy_b": 0.99, "fake_grad_norm_a2b": lambda step: 10 - step / 100},
            ("discriminator_wins", "disc_b", "stop"),
        ),
        ({"disc_a": 0.5}, ("discriminator_gave_up", "disc_a", "stop")),
        ({"score_std_a": 0.001}, ("discriminator_gave_up", "disc_a", "watch")),
        ({"disc_accuracy_a": lambda step: 0.5 + 0.3 * math.sin(step / 25)}, ("oscillation", "disc_a", "watch")),
        ({"overfitting_a": 0.6}, ("overfitting", "disc_a", "watch")),
        ({"overfitting_a": 0.95}, ("overfitting", "disc_a", "stop")),
        ({"diversity_a2b": 0.3}, ("collapse", "a2b", "watch")),
        ({"diversity_a2b": 0.05}, ("collapse", "a2b", "stop")),
        ({"change_a2b": 0.02}, ("copying", "a2b", "watch")),
        ({"correlation_a2b": -0.7}, ("inversion", "a2b", "watch")),
        ({"cycle_error_noise_a": 0.3, "fragility_a": 20.0}, ("hidden_message", "a2b", "watch")),
        ({"skipped_steps": 0.02}, ("not_finite", "training", "watch")),
        ({"skipped_steps": 0.02, "recoveries": 1}, ("not_finite", "training", "stop")),
    ],
)
def test_each_failure_has_a_name_a_part_and_a_verdict(changed, expected):
    assert names(history(**changed)) == {expected}


def test_the_most_severe_verdict_counts():
    findings = diagnose(history(diversity_a2b=0.05, correlation_a2b=-0.7), SPAN, "lsgan")
    assert verdict(findings) == "stop"
    assert verdict([finding for finding in findings if finding.name == "inversion"]) == "watch"


def test_before_the_warm_up_only_non_finite_numbers_count():
    unhealthy = {
        "disc_a": 0.5,
        "disc_accuracy_b": 1.0,
        "diversity_a2b": 0.0,
        "change_a2b": 0.0,
        "correlation_a2b": -1.0,
    }
    assert names(history(SPAN, **unhealthy)) == set()
    assert names(history(SPAN, skipped_steps=1.0)) == {("not_finite", "training", "watch")}


def test_one_bad_measurement_is_no_finding():
    assert names(history(diversity_a2b=lambda step: 0.0 if step == 600 else 0.8)) == set()


def test_a_discriminator_that_is_still_learning_has_not_given_up():
    assert names(history(disc_a=lambda step: 0.6 - step / 3000)) == set()


def test_translations_that_fool_the_discriminator_may_be_copies():
    assert names(history(change_a2b=0.0, disc_accuracy_b=0.5)) == set()


def test_oscillation_is_measured_in_means_of_several_steps():
    assert names(history(300, every=1, disc_accuracy_a=lambda step: step % 2)) == set()


@pytest.mark.parametrize("every", [1, 10, 50, 200, 1000])
def test_findings_do_not_depend_on_the_logging_interval(every):
    lines = history(3000, every=every, disc_accuracy_a=1.0)
    assert ("discriminator_wins", "disc_a", "watch") in names(lines)


def test_missing_numbers_cross_no_threshold():
    assert names([{"step": step} for step in range(10, 600, 10)]) == set()


def test_chance_loss_depends_on_the_objective():
    for objective, loss in rules.CHANCE_LOSS.items():
        assert names(history(disc_a=2 * loss, disc_b=0.1), objective=objective)
        assert names(history(disc_a=loss, disc_b=0.1), objective=objective) == set()


def test_overfitting_share_lies_between_training_images_and_fakes():
    assert overfitting_share(trained=0.8, held_out=0.8, fake=0.2) == 0
    assert overfitting_share(trained=0.8, held_out=0.5, fake=0.2) == pytest.approx(0.5)
    assert overfitting_share(trained=0.8, held_out=0.5, fake=0.2, margin=0.4) == 0
    assert overfitting_share(trained=0.8, held_out=0.2, fake=0.2) == 1
    assert math.isnan(overfitting_share(trained=0.2, held_out=0.2, fake=0.2))


def test_a_span_is_a_twentieth_of_the_run():
    assert [span_of(steps) for steps in (10, 640, 10_000, 266_800)] == [100, 100, 500, 1000]


def test_every_setting_in_a_suggestion_exists():
    text = Path(rules.__file__).read_text(encoding="utf-8")
    known = {f"{section}.{name}" for section, kind in SECTIONS.items() for name in kind.__dataclass_fields__}
    named = set(re.findall(rf"\b(?:{'|'.join(SECTIONS)})\.[a-z_]+", text))
    assert len(named) > 8
    assert {re.sub(r"cycle_$", "cycle_a", name) for name in named} <= known  # the letter is filled in


# ---- measures


def test_accuracy_counts_patches_on_the_right_side_of_the_middle():
    real, fake = torch.tensor([[[[0.9, 0.6], [0.4, 0.8]]]]), torch.tensor([[[[0.1, 0.2], [0.3, 0.6]]]])
    signs = discriminator_measures("a", real, fake, "lsgan")
    assert float(signs["disc_accuracy_a"]) == 0.75
    assert float(signs["real_score_a"]) == pytest.approx(0.675)
    assert float(discriminator_measures("a", real, fake, "hinge")["disc_accuracy_a"]) == 0.5


def test_measures_distinguish_a_negative_a_copy_and_a_constant():
    random = torch.Generator().manual_seed(0)
    real, target = torch.rand(2, 4, 3, 16, 16, generator=random) * 2 - 1
    copy = translation_measures(real, real, target)
    assert float(copy["change"]) == 0
    assert float(copy["correlation"]) == pytest.approx(1)
    assert float(copy["diversity"]) == pytest.approx(1, abs=0.1)
    assert float(translation_measures(real, -real, target)["correlation"]) == pytest.approx(-1)
    assert float(translation_measures(real, torch.zeros_like(real), target)["diversity"]) == 0
    assert float(correlation(real, real.mean(1, keepdim=True))) == pytest.approx(1)
    assert float(diversity(real[:1])) == 0


def test_a_hidden_message_is_fragile_and_a_copy_is_not():
    random = torch.Generator().manual_seed(0)
    real = torch.rand(2, 3, 16, 16, generator=random) * 2 - 1
    honest = cycle_measures(real, real, lambda fake: fake, lambda fake: fake.round())
    assert float(honest["cycle_error"]) == 0
    assert float(honest["fragility"]) == pytest.approx(1)
    message = cycle_measures(real, 0.002 * real, lambda fake: fake / 0.002, lambda fake: fake.round())
    assert float(message["cycle_error"]) == pytest.approx(0, abs=1e-6)
    assert float(message["fragility"]) > 100
    assert float(message["cycle_error_rounded"]) > 0.3


def test_a_constant_discriminator_has_no_gradient_at_fakes():
    discriminator = nn.Conv2d(3, 1, 4)
    fake = torch.rand(1, 3, 8, 8)
    assert float(fake_gradient_norm(discriminator, fake, "lsgan")) > 0
    nn.init.zeros_(discriminator.weight)
    assert float(fake_gradient_norm(discriminator, fake, "lsgan")) == 0
    assert all(weight.grad is None for weight in discriminator.parameters())


# ---- the non-finite filter


@pytest.mark.parametrize("fused", [True, False])
def test_a_non_finite_update_is_skipped_without_a_trace(fused):
    layer = nn.Linear(4, 4)
    optimizer = torch.optim.Adam(layer.parameters(), fused=fused)
    non_finite = NonFiniteFilter(optimizer)

    def descend(factor: float) -> None:
        optimizer.zero_grad()
        (layer(torch.ones(1, 4)).sum() * factor).backward()
        optimizer.step()

    descend(1.0)
    assert (float(non_finite.skipped), float(non_finite.norm)) == (0, pytest.approx(math.sqrt(20)))
    before = [weight.clone() for weight in layer.parameters()]
    moments = [{key: value.clone() for key, value in state.items()} for state in optimizer.state.values()]
    for bad in (math.nan, math.inf, 1e25):
        descend(bad)
        assert float(non_finite.skipped) == 1
    assert all(torch.equal(weight, old) for weight, old in zip(layer.parameters(), before, strict=True))
    for state, old in zip(optimizer.state.values(), moments, strict=True):
        assert all(torch.equal(value, old[key]) for key, value in state.items())
    descend(1.0)
    assert float(non_finite.skipped) == 0
    assert not torch.equal(layer.weight, before[0])


SHORT = {"schedule": {"max_steps": 40}, "training": {"pool_size": 4}}


def test_a_nan_costs_one_step_and_half_the_learning_rate(tmp_path: Path):
    run = Run(tmp_path / "run")
    lines = train_case(Case(broken_steps=(13,)), run, SHORT)
    assert [line["skipped_steps"] > 0 for line in lines] == [False, True, False, False]
    assert [line["recoveries"] for line in lines] == [0, 0, 1, 1]
    assert lines[2]["learning_rate"] == lines[0]["learning_rate"] / 2
    assert all(math.isfinite(value) for line in lines for value in line.values() if isinstance(value, float))
    tensors, _, _ = load_state(run)
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_second_nan_ends_training_with_its_state_saved(tmp_path: Path):
    run = Run(tmp_path / "run")
    with pytest.raises(TrainingDivergedError, match="not finite, again") as caught:
        train_case(Case(broken_steps=(13, 27)), run, SHORT)
    assert "optimizer.learning_rate" in caught.value.hint
    tensors, facts, _ = load_state(run)
    assert facts["step"] == 30
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert read_metrics(run)[-1]["health"]["verdict"] == "stop"


@pytest.mark.parametrize("stop", [13, 21])
def test_an_interrupted_run_recovers_like_an_uninterrupted_one(tmp_path: Path, stop: int):
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    case, seen = Case(broken_steps=(13,)), []
    train_case(case, whole, SHORT)
    options = {
        "callbacks": [lambda _, info: seen.append(info.step)],
        "interrupted": lambda: len(seen) == stop - 1,
    }
    train_case(case, broken, SHORT, **options)
    assert load_state(broken)[1]["step"] == stop
    train_case(case, broken, SHORT)
    assert contents(broken) == contents(whole)


def test_the_verdict_stop_is_advice_by_default(tmp_path: Path):
    collapse = next(case for case in FAILURES if case.finding == "collapse")
    layers = {"schedule": {"max_steps": 220, "stop_on_diagnosis": True}}
    with pytest.raises(TrainingDivergedError, match=r"training ends, as .* asks: .*by b2a have only") as caught:
        train_case(collapse, Run(tmp_path / "run"), layers)
    assert caught.value.hint
    assert load_state(Run(tmp_path / "run"))[1]["step"] == 200


# ---- whole trainings


def found_in(lines: list[dict]) -> dict[str, int]:
    """Return the names of all findings, and the step of the first of each."""
    first: dict[str, int] = {}
    for line in lines:
        for finding in line["health"]["findings"]:
            first.setdefault(finding["name"], line["step"])
    return first


@pytest.mark.usefixtures("without_shape_checks")  # shorter trainings above have them
@pytest.mark.parametrize("case", FAILURES, ids=lambda case: case.finding)
def test_every_failing_training_is_found_in_time(tmp_path: Path, case: Case):
    found = found_in(train_case(case, Run(tmp_path / "run"), {"schedule": {"max_steps": case.within}}))
    assert found.get(case.finding, math.inf) <= case.within, found


@pytest.mark.slow
@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("seed", range(int(os.environ.get("CYCLEGAN_SEEDS", "2"))))
def test_a_healthy_training_has_no_findings(tmp_path: Path, seed: int):
    lines = train_case(HEALTHY, Run(tmp_path / "run"), {"training": {"seed": seed}})
    assert all("validation" in line for line in lines[4::5])
    assert {line["health"]["verdict"] for line in lines} == {"fine"}
