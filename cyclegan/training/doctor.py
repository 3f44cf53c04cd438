"""The doctor at work: examines a few pictures now and then, and judges each line of the metrics by those before it."""

import io
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from cyclegan.checkpoints.runs import read_metrics
from cyclegan.diagnostics.measures import Numbers, examine_cycle, examine_translations, push
from cyclegan.diagnostics.rules import MEMORY, diagnose, span_of, verdict
from cyclegan.images import Images, to_images, to_pixels
from cyclegan.training.callbacks import chosen, one_by_one
from cyclegan.training.inputs import Plan
from cyclegan.training.state import WAYS, Session

TRANSLATED, CYCLED = 8, 4  # pictures of each domain that are looked at
QUALITY = 75  # of the JPEGs; what most programs write


class Doctor:
    """Adds to each line of the metrics what an examination found, when one is due, and a verdict."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.span = span_of(plan.total_steps)
        self.history: list[dict[str, Any]] = read_metrics(plan.run)
        size = plan.config.data.size
        self.real_a = chosen(plan.domain_a.pictures, TRANSLATED, size).to(plan.device)
        self.real_b = chosen(plan.domain_b.pictures, TRANSLATED, size).to(plan.device)

    def __call__(self, session: Session, line: dict[str, Any]) -> dict[str, Any]:
        """Return the line with its numbers and its verdict."""
        if self.plan.is_due(session.step, self.plan.config.logging.examine_every):
            line = line | self.examine(session)
        known = [past for past in self.history if past["step"] > session.step - MEMORY * self.span]
        findings = diagnose([*known, line], self.span, self.plan.config.loss.adversarial)
        line = line | {"health": {"verdict": verdict(findings), "findings": [vars(finding) for finding in findings]}}
        self.history = [*known, line]
        return line

    def examine(self, session: Session) -> dict[str, float]:
        """Redraw the pictures, one at a time, and return what is seen, by the metrics' names."""
        with session.translating() as generators:
            found = self.seen(session, generators)
        values = torch.stack(list(found.values())).tolist()
        return {name: value for name, value in zip(found, values, strict=True) if math.isfinite(value)}

    def seen(self, session: Session, generators: Mapping[str, Any]) -> Numbers:
        """Return what is seen in both directions, still on the device."""
        objective = self.plan.config.loss.adversarial
        found: Numbers = {}
        for way, back, source, target in WAYS:
            real, others = (self.real_a, self.real_b) if way == "a2b" else (self.real_b, self.real_a)
            fake = one_by_one(generators[way], real)
            seen = examine_translations(real, fake, others)
            found |= {f"{name}_{way}": value for name, value in seen.items()}
            cycle = examine_cycle(real[:CYCLED], fake[:CYCLED], partial(one_by_one, generators[back]), as_jpeg)
            found |= {f"{name}_{source}": value for name, value in cycle.items()}
            judge = getattr(session.networks, f"disc_{target}")
            pushes = [push(judge, image, objective) for image in torch.split(fake[:CYCLED], 1)]
            found[f"push_{way}"] = torch.stack(pushes).mean()
        return found


def as_jpeg(images: Images) -> Images:
    """Return images as they come back from JPEG files."""
    return torch.cat([compressed(to_pixels(image)) for image in images]).to(images)


def compressed(pixels: Any) -> Images:
    """Return one picture as it comes back from a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, format="JPEG", quality=QUALITY)
    with Image.open(file) as image:
        return to_images(np.array(image).reshape(pixels.shape))
