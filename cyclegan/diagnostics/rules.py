"""The doctor's mind: from the numbers of a game to a verdict, with a reason and a suggestion in plain words.

Every threshold says what it stands between; the games that were measured, and how: `docs/health.md`. Where a number is
missing, `math.nan` takes its place, which crosses no threshold.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from cyclegan.diagnostics.history import History, Line, grouped, lasting, mean, within
from cyclegan.losses import Objective

Verdict = Literal["fine", "watch", "stop"]

WARM_UP = 1  # spans that are not judged, but for what is not finite: the first pictures are grey and all alike
HISTORY_SPANS = 20  # spans that are looked back upon
# a domain, the generator whose translations its discriminator judges, and the domain that these are made from
PLAYERS = (("a", "b2a", "b"), ("b", "a2b", "a"))


@dataclass(frozen=True)
class Finding:
    """One sickness: what it is called, whom it is about, how bad it is, how it shows, and what to do."""

    name: str
    about: str  # disc_a, disc_b, a2b, b2a, or the game
    verdict: Verdict
    reason: str
    suggestion: str


def span_of(total_steps: int) -> int:
    """Return how many steps count as "for long" in a run: a twentieth of it, within reason."""
    return min(max(total_steps // 20, 100), 1000)


def verdict(findings: Sequence[Finding]) -> Verdict:
    """Return the gravest verdict."""
    if any(finding.verdict == "stop" for finding in findings):
        return "stop"
    return "watch" if findings else "fine"


def diagnose(history: History, span: int, objective: Objective) -> list[Finding]:
    """Return what is wrong with a game at the last line of its history."""
    findings = [*not_finite(history[-1]), *plateau(history)]
    warm = [line for line in history if line["step"] > WARM_UP * span]
    if not warm:
        return findings
    for side, way, source in PLAYERS:
        swings = list(oscillation(within(warm, SWING_SPANS * span), side))
        findings += [
            *discriminator_wins(warm, span, side, way),
            *(swings or discriminator_gave_up(warm, span, side, objective)),
            *overfitting(warm, side),
            *collapse(warm, way),
            *copying(warm, side, way),
            *inversion(warm, way),
            *hidden_message(warm, source, way),
        ]
    return findings


def not_finite(line: Line) -> Iterator[Finding]:
    """See updates that the guards refused; a game is rescued from them once."""
    if not line.get("skipped_steps"):
        return
    if line.get("recoveries"):
        yield Finding(
            "not_finite",
            "game",
            "stop",
            "losses or gradients were not finite, again.",
            "Start again with --fresh and a lower optimizer.learning_rate, or in fp32.",
        )
    else:
        yield Finding(
            "not_finite",
            "game",
            "watch",
            "losses or gradients were not finite; these steps were skipped, and the learning rate is halved.",
            "If it happens again, training ends: start again then with a lower optimizer.learning_rate.",
        )


WINS = 0.95  # right guesses over a span. Healthy games: 0.58 to 0.82; with 50 times the learning rate: 1.00
WINS_ALL = 0.98  # over two spans
FADED = 0.5  # of the strongest push. Two collapsed generators, beaten for 300 steps: 0.27 and 0.36


def discriminator_wins(history: History, span: int, side: str, way: str) -> Iterator[Finding]:
    """See a discriminator that is hardly ever wrong for long; worse if what it teaches the generator fades."""
    right = mean(history, f"disc_accuracy_{side}", span)
    longer = mean(history, f"disc_accuracy_{side}", 2 * span)
    pushes = [value for line in history if (value := line.get(f"fake_grad_norm_{way}")) is not None]
    left = pushes[-1] / max(pushes) if len(pushes) > 1 else 1.0
    fading = f", and teaches {way} ever less ({left:.0%} of its push is left)" if left < FADED else ""
    if right >= WINS:
        yield Finding(
            "discriminator_wins",
            f"disc_{side}",
            "stop" if fading and longer >= WINS_ALL else "watch",
            f"disc_{side} is right in {right:.0%} of its guesses{fading}.",
            f"Give {way} more room: a lower loss.identity, a larger generator.width or a smaller discriminator.width.",
        )


NOTHING_KNOWN = {"lsgan": 0.25, "vanilla": math.log(2), "hinge": 1.0}  # loss of one that says the same of everything
WORSE = 1.7  # of that. Healthy games: up to 1.0, of photographs at first 1.6; never learning: from 2.1
FALLING = 0.97  # of the loss over twice the time: it is still learning. Never learning: 1.0
FLAT = 0.02  # spread of its scores. Healthy games: from 0.10 up


def discriminator_gave_up(history: History, span: int, side: str, objective: Objective) -> Iterator[Finding]:
    """See a discriminator that knows less than nothing and learns no more, or says the same of everything."""
    nothing, name = NOTHING_KNOWN[objective], f"disc_{side}"
    loss, longer, longest = (mean(history, name, spans * span) for spans in (1, 2, 4))
    lost = loss > WORSE * nothing and loss > FALLING * longer
    if lost or mean(history, f"score_std_{side}", span) < FLAT:
        yield Finding(
            "discriminator_gave_up",
            name,
            "stop" if lost and longest > WORSE * nothing else "watch",
            f"{name} judges no better than one that says the same of every image "
            f"(loss {loss:.2f}; knowing nothing costs {nothing:.2f}).",
            "A larger discriminator.width or one more of discriminator.layers may help, or a lower "
            "optimizer.learning_rate.",
        )


LOW, HIGH = 0.42, 0.62  # right guesses in ten steps. Healthy games: 0.49 to 0.92; a Dirac-GAN: 0.35 to 0.68, in turns
SWINGS = 3  # between them
SWING_SPANS = 4  # in which they are counted
SWING_STEPS = 10  # that are taken together: the luck of single pictures is no swing


def oscillation(history: History, side: str) -> Iterator[Finding]:
    """See players that overshoot each other in turns."""
    means = grouped(history, f"disc_accuracy_{side}", SWING_STEPS)
    ends = ["low" if value < LOW else "high" for value in means if value < LOW or value > HIGH]
    swings = sum(before != after for before, after in pairwise(ends))
    if swings >= SWINGS:
        yield Finding(
            "oscillation",
            f"disc_{side}",
            "watch",
            f"disc_{side} and its generator overshoot each other: right guesses swing between {min(means):.0%} "
            f"and {max(means):.0%}.",
            "Lower optimizer.learning_rate, and keep a training.pool_size of 50 or more.",
        )


# of the way from training images to fakes; Karras et al. 2020 (2006.06676) hold it at 0.6
OVERFITTED, WHOLLY = 0.5, 0.9


def overfitting(history: History, side: str) -> Iterator[Finding]:
    """See a discriminator that knows its training images by heart; needs held-out ones."""
    share, _ = lasting(history, f"overfitting_{side}")
    if share > OVERFITTED:
        yield Finding(
            "overfitting",
            f"disc_{side}",
            "stop" if share > WHOLLY else "watch",
            f"disc_{side} knows its training images by heart: it scores held-out real ones {share:.0%} "
            "of the way towards fakes.",
            "Add pictures, or begin again with --set training.diffaugment=true; or end here.",
        )


def overfitting_share(trained: float, held_out: float, fake: float, doubt: float = 0.0) -> float:
    """Return how far held-out real images are scored on the way from training images, 0, to fakes, 1.

    The heuristic r_v of Karras et al. 2020 (2006.06676, section 3), but that of the difference between both kinds of
    real images only what is beyond `doubt` counts.
    """
    return max(0.0, trained - held_out - doubt) / (trained - fake) if trained > fake else math.nan


def plateau(history: History) -> Iterator[Finding]:
    """See validation that has found nothing better for as long as the settings call a plateau."""
    line: Line = next((line for line in reversed(history) if "validation" in line), {})
    if not line.get("plateau"):
        return
    if any(past["learning_rate"] > line["learning_rate"] for past in history):
        suggestion = "Stop (the best is kept), or let the learning rate fall to its end."
    else:
        suggestion = (
            "Stop (the best is kept), or continue with a learning rate that falls from here on: "
            f"--epochs {line['epoch']}, and as many --decay-epochs as you like."
        )
    yield Finding("plateau", "game", "watch", f"no better since epoch {line['no_better_since_epoch']}.", suggestion)


ALIKE, COLLAPSED = 0.35, 0.1  # of the variety of real images. Healthy games: from 0.47 up; one picture for all: 0.001


def collapse(history: History, way: str) -> Iterator[Finding]:
    """See translations that are more alike than real images are, whatever they were made from."""
    _, most = lasting(history, f"diversity_{way}")
    if most < ALIKE:
        yield Finding(
            "collapse",
            way,
            "stop" if most < COLLAPSED else "watch",
            f"translations by {way} differ from each other only {most:.0%} as much as real images of that domain do.",
            "Look at the samples. Higher loss.cycle_a and loss.cycle_b, a lower optimizer.learning_rate or another "
            "--seed may help.",
        )


# of the difference between the domains. Healthy games: from 0.88 up, horses and zebras 0.30; a copy: 0.00
COPIED = 0.05
NOT_FOOLED = 0.6  # right guesses; domains that a discriminator cannot tell apart may be copied


def copying(history: History, side: str, way: str) -> Iterator[Finding]:
    """See translations that are their input, though the discriminator is not fooled."""
    _, most = lasting(history, f"change_{way}")
    right = history[-1].get(f"disc_accuracy_{side}", math.nan)
    if most < COPIED and right > NOT_FOOLED:
        yield Finding(
            "copying",
            way,
            "watch",
            f"{way} copies: it changes a picture by {most:.1%} of what lies between the domains, "
            f"and disc_{side} is not fooled.",
            "Lower loss.identity (0 leaves most freedom), then loss.cycle_a and loss.cycle_b.",
        )


# correlation. Healthy games: from -0.25 up; domains that are each other's negatives: -0.8; handmade: -1
INVERTED = -0.5


def inversion(history: History, way: str) -> Iterator[Finding]:
    """See light turned into dark and every colour into its opposite."""
    _, most = lasting(history, f"correlation_{way}")
    if most < INVERTED:
        yield Finding(
            "inversion",
            way,
            "watch",
            f"{way} turns pictures into negatives (correlation {most:.2f}).",
            "Unless these domains ask for that, start again with another --seed or a higher loss.identity.",
        )


FRAGILE = 3.0  # growth of the cycle error for each unit of change. Healthy games: up to 0.5; a copy: 1; a message: 141
GREW = 1.5  # the worst cycle error, as a multiple of the clean one. Healthy games: up to 1.3; a message: 18 to 35


def hidden_message(history: History, source: str, way: str) -> Iterator[Finding]:
    """See a cycle that closes only because the translation carries an invisible copy (Chu et al. 2017, 1712.02950)."""
    least, _ = lasting(history, f"fragility_{source}")
    line = next((line for line in reversed(history) if f"cycle_error_{source}" in line), {})
    clean = line.get(f"cycle_error_{source}", math.nan)
    errors = {kind: line.get(f"cycle_error_{kind}_{source}", 0.0) for kind in ("rounded", "jpeg", "noise")}
    kind = max(errors, key=lambda name: errors[name])
    if least > FRAGILE and errors[kind] > GREW * clean:
        done = {"rounded": "rounded to 8 bits", "jpeg": "saved as JPEG", "noise": "given noise of 1 %"}[kind]
        yield Finding(
            "hidden_message",
            way,
            "watch",
            f"translations by {way} carry an invisible copy of their input: "
            f"{done}, they lead back {errors[kind] / clean:.1f} times as badly.",
            f"Look whether the visible part is good; if not, a lower loss.cycle_{source} leaves less to hide.",
        )
