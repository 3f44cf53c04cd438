"""Rules that turn the metrics of a training into findings, each with a reason and a suggestion in plain words.

The comment of every threshold gives the values that were measured in healthy and in failing trainings
(`docs/health.md`). A missing number is `math.nan`, which crosses no threshold.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from cyclegan.diagnostics.history import History, Line, grouped_means, mean, range_of_last, within
from cyclegan.directions import A2B, B2A
from cyclegan.losses import Objective

Verdict = Literal["fine", "watch", "stop"]

WARM_UP_SPANS = 1  # without findings, except for non-finite numbers: the first pictures are grey and all alike
HISTORY_SPANS = 20  # that the rules look at


@dataclass(frozen=True)
class HealthFinding:
    """A problem of a training, with a suggestion."""

    name: str
    about: str  # disc_a, disc_b, a2b, b2a, or training
    verdict: Verdict
    reason: str
    suggestion: str


def span_of(total_steps: int) -> int:
    """Return the steps over which rules average: a twentieth of the run, between 100 and 1,000."""
    return min(max(total_steps // 20, 100), 1000)


def verdict(findings: Sequence[HealthFinding]) -> Verdict:
    """Return the most severe verdict."""
    if any(finding.verdict == "stop" for finding in findings):
        return "stop"
    return "watch" if findings else "fine"


def diagnose(history: History, span: int, objective: Objective) -> list[HealthFinding]:
    """Return the findings at the last line of the history."""
    findings = [*not_finite(history[-1]), *plateau(history)]
    warm = [line for line in history if line["step"] > WARM_UP_SPANS * span]
    if not warm:
        return findings
    for direction, _, source, domain in (B2A, A2B):
        swings = list(oscillation(within(warm, SWING_SPANS * span), domain))
        findings += [
            *discriminator_wins(warm, span, domain, direction),
            *(swings or discriminator_gave_up(warm, span, domain, objective)),
            *overfitting(warm, domain),
            *collapse(warm, direction),
            *copying(warm, domain, direction),
            *inversion(warm, direction),
            *hidden_message(warm, source, direction),
        ]
    return findings


def not_finite(line: Line) -> Iterator[HealthFinding]:
    """Find skipped steps; a training recovers from them once."""
    if not line.get("skipped_steps"):
        return
    if line.get("recoveries"):
        yield HealthFinding(
            "not_finite",
            "training",
            "stop",
            "losses or gradients were not finite, again.",
            "Start again with --fresh and a lower optimizer.learning_rate, or in fp32.",
        )
    else:
        yield HealthFinding(
            "not_finite",
            "training",
            "watch",
            "losses or gradients were not finite; these steps were skipped, and the learning rate is halved.",
            "If it happens again, training ends: start again then with a lower optimizer.learning_rate.",
        )


MAX_ACCURACY = 0.95  # over a span. Healthy: 0.58 to 0.82; with 50 times the learning rate: 1.00
MAX_ACCURACY_OF_TWO_SPANS = 0.98
MIN_GRADIENT_SHARE = 0.5  # of the largest. Two collapsed generators after 300 steps: 0.27 and 0.36


def discriminator_wins(history: History, span: int, domain: str, direction: str) -> Iterator[HealthFinding]:
    """Find a discriminator that is almost always right; worse if the gradient at the fakes fades."""
    accuracy = mean(history, f"disc_accuracy_{domain}", span)
    longer = mean(history, f"disc_accuracy_{domain}", 2 * span)
    norms = [value for line in history if (value := line.get(f"fake_grad_norm_{direction}")) is not None]
    share = norms[-1] / max(norms) if len(norms) > 1 else 1.0
    fading = f", and the gradient for {direction} fell to {share:.0%}" if share < MIN_GRADIENT_SHARE else ""
    if accuracy >= MAX_ACCURACY:
        yield HealthFinding(
            "discriminator_wins",
            f"disc_{domain}",
            "stop" if fading and longer >= MAX_ACCURACY_OF_TWO_SPANS else "watch",
            f"the accuracy of disc_{domain} is {accuracy:.0%}{fading}.",
            f"Help {direction}: a lower loss.identity, a larger generator.width or a smaller discriminator.width.",
        )


CHANCE_LOSS = {"lsgan": 0.25, "vanilla": math.log(2), "hinge": 1.0}  # of a discriminator with constant scores
MAX_CHANCE_RATIO = 1.7  # of the loss to that. Healthy: up to 1.0, photographs at first 1.6; never learning: from 2.1
LEARNING_RATIO = 0.97  # of the loss to that over twice the time: it still falls. Never learning: 1.0
MIN_SCORE_STD = 0.02  # Healthy: from 0.10 up


def discriminator_gave_up(history: History, span: int, domain: str, objective: Objective) -> Iterator[HealthFinding]:
    """Find a discriminator that is worse than chance and stopped learning, or whose scores are constant."""
    chance, name = CHANCE_LOSS[objective], f"disc_{domain}"
    loss, longer, longest = (mean(history, name, spans * span) for spans in (1, 2, 4))
    stuck = loss > MAX_CHANCE_RATIO * chance and loss > LEARNING_RATIO * longer
    if stuck or mean(history, f"score_std_{domain}", span) < MIN_SCORE_STD:
        yield HealthFinding(
            "discriminator_gave_up",
            name,
            "stop" if stuck and longest > MAX_CHANCE_RATIO * chance else "watch",
            f"{name} is no better than chance (loss {loss:.2f}; constant scores have {chance:.2f}).",
            "A larger discriminator.width or one more of discriminator.layers may help, or a lower "
            "optimizer.learning_rate.",
        )


LOW_ACCURACY, HIGH_ACCURACY = 0.42, 0.62  # in ten steps. Healthy: 0.49 to 0.92; a Dirac-GAN: 0.35 to 0.68, in turns
MAX_SWINGS = 3  # between them
SWING_SPANS = 4  # in which they are counted
SWING_STEPS = 10  # whose mean is taken: chance in single pictures is no swing


def oscillation(history: History, domain: str) -> Iterator[HealthFinding]:
    """Find a generator and a discriminator that overshoot each other in turns."""
    means = grouped_means(history, f"disc_accuracy_{domain}", SWING_STEPS)
    ends = [
        "low" if value < LOW_ACCURACY else "high" for value in means if value < LOW_ACCURACY or value > HIGH_ACCURACY
    ]
    swings = sum(before != after for before, after in pairwise(ends))
    if swings >= MAX_SWINGS:
        yield HealthFinding(
            "oscillation",
            f"disc_{domain}",
            "watch",
            f"disc_{domain} and its generator overshoot each other: the accuracy swings between {min(means):.0%} "
            f"and {max(means):.0%}.",
            "Lower optimizer.learning_rate, and keep a training.pool_size of 50 or more.",
        )


# share of the distance from training images to fakes; Karras et al. 2020 (2006.06676) hold it at 0.6
MAX_OVERFITTING, OVERFITTING_TO_STOP = 0.5, 0.9


def overfitting(history: History, domain: str) -> Iterator[HealthFinding]:
    """Find a discriminator that memorised its training images; needs held-out ones."""
    share, _ = range_of_last(history, f"overfitting_{domain}")
    if share > MAX_OVERFITTING:
        yield HealthFinding(
            "overfitting",
            f"disc_{domain}",
            "stop" if share > OVERFITTING_TO_STOP else "watch",
            f"disc_{domain} memorised its training images: its score of held-out real images is {share:.0%} "
            "of the way to that of fakes.",
            "Add pictures, or start again with --set training.diffaugment=true, or end here.",
        )


def overfitting_share(trained: float, held_out: float, fake: float, margin: float = 0.0) -> float:
    """Return where the score of held-out real images lies between that of training images, 0, and of fakes, 1.

    The heuristic r_v of Karras et al. 2020 (2006.06676, section 3); a difference between the two kinds of real images
    counts only beyond `margin`.
    """
    return max(0.0, trained - held_out - margin) / (trained - fake) if trained > fake else math.nan


def plateau(history: History) -> Iterator[HealthFinding]:
    """Find a plateau: neither direction has got better for `schedule.plateau_patience` validations."""
    line: Line = next((line for line in reversed(history) if "validation" in line), {})
    if not line.get("plateau"):
        return
    if any(past["learning_rate"] > line["learning_rate"] for past in history):
        suggestion = "Stop (the best of each direction is kept), or let the learning rate fall to its end."
    else:
        suggestion = (
            "Stop (the best of each direction is kept), or continue with a learning rate that falls from here on: "
            f"--epochs {line['epoch']}, and as many --decay-epochs as you like."
        )
    yield HealthFinding(
        "plateau",
        "training",
        "watch",
        f"no better since epoch {line['no_better_since_epoch']} in either direction.",
        suggestion,
    )


# diversity relative to that of real images. Healthy: from 0.47 up; one picture for all: 0.001
MIN_DIVERSITY, COLLAPSED_DIVERSITY = 0.35, 0.1


def collapse(history: History, direction: str) -> Iterator[HealthFinding]:
    """Find mode collapse: translations are far less diverse than real images."""
    _, most = range_of_last(history, f"diversity_{direction}")
    if most < MIN_DIVERSITY:
        yield HealthFinding(
            "collapse",
            direction,
            "stop" if most < COLLAPSED_DIVERSITY else "watch",
            f"translations by {direction} have only {most:.0%} of the diversity of real images.",
            "Look at the samples. Higher loss.cycle_a and loss.cycle_b, a lower optimizer.learning_rate or another "
            "--seed may help.",
        )


# change relative to the difference of the domains. Healthy: from 0.88 up, horses and zebras 0.30; a copy: 0.00
MIN_CHANGE = 0.05
MIN_ACCURACY_OF_COPIES = 0.6  # domains that a discriminator cannot tell apart may be copied


def copying(history: History, domain: str, direction: str) -> Iterator[HealthFinding]:
    """Find a generator that copies its input although the discriminator is not fooled."""
    _, most = range_of_last(history, f"change_{direction}")
    accuracy = history[-1].get(f"disc_accuracy_{domain}", math.nan)
    if most < MIN_CHANGE and accuracy > MIN_ACCURACY_OF_COPIES:
        yield HealthFinding(
            "copying",
            direction,
            "watch",
            f"{direction} copies: it changes a picture by {most:.1%} of the difference between the domains, "
            f"and disc_{domain} is not fooled.",
            "Lower loss.identity (0 leaves most freedom), then loss.cycle_a and loss.cycle_b.",
        )


# Healthy: from -0.25 up; domains that are each other's negatives: -0.8; made by hand: -1
MIN_PICTURE_CORRELATION = -0.5


def inversion(history: History, direction: str) -> Iterator[HealthFinding]:
    """Find a generator that inverts brightness and colours."""
    _, most = range_of_last(history, f"correlation_{direction}")
    if most < MIN_PICTURE_CORRELATION:
        yield HealthFinding(
            "inversion",
            direction,
            "watch",
            f"{direction} turns pictures into negatives (correlation {most:.2f}).",
            "Unless the domains are each other's negatives, start again with another --seed or a higher loss.identity.",
        )


MAX_FRAGILITY = 3.0  # growth of the cycle error per change. Healthy: up to 0.5; a copy: 1; a message: 141
MAX_ERROR_RATIO = 1.5  # of the worst cycle error to the clean one. Healthy: up to 1.3; a message: 18 to 35


def hidden_message(history: History, source: str, direction: str) -> Iterator[HealthFinding]:
    """Find a cycle that closes only by an invisible copy in the translation (Chu et al. 2017, 1712.02950)."""
    least, _ = range_of_last(history, f"fragility_{source}")
    line = next((line for line in reversed(history) if f"cycle_error_{source}" in line), {})
    clean = line.get(f"cycle_error_{source}", math.nan)
    errors = {kind: line.get(f"cycle_error_{kind}_{source}", 0.0) for kind in ("rounded", "jpeg", "noise")}
    kind = max(errors, key=lambda name: errors[name])
    if least > MAX_FRAGILITY and errors[kind] > MAX_ERROR_RATIO * clean:
        change = {"rounded": "rounded to 8 bits", "jpeg": "saved as JPEG", "noise": "with noise of 1 %"}[kind]
        yield HealthFinding(
            "hidden_message",
            direction,
            "watch",
            f"translations by {direction} carry an invisible copy of their input: "
            f"{change}, their cycle error is {errors[kind] / clean:.1f} times as large.",
            f"Look at the samples; if they are not good, lower loss.cycle_{source}.",
        )
