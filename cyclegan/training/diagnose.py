"""Diagnostics during training: measures of a few translations now and then, and findings from the metrics."""

import io
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from cyclegan.checkpoints.records import read_metrics
from cyclegan.diagnostics.measures import Numbers, cycle_measures, fake_gradient_norm, translation_measures
from cyclegan.diagnostics.rules import HISTORY_SPANS, diagnose, span_of, verdict
from cyclegan.directions import DIRECTIONS
from cyclegan.images import Images, to_images, to_pixels
from cyclegan.training.grids import center_crops, one_by_one
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.state import TrainState

TRANSLATED_PICTURES, CYCLED_PICTURES = 8, 4  # of each domain
JPEG_QUALITY = 75  # the default of most programs


class Diagnose:
    """Adds measures of translations, when they are due, and findings to each line of the metrics."""

    def __init__(self, inputs: TrainInputs) -> None:
        self.inputs = inputs
        self.span = span_of(inputs.total_steps)
        self.history: list[dict[str, Any]] = read_metrics(inputs.run)
        size = inputs.config.data.size
        self.real_a = center_crops(inputs.domain_a.pictures, TRANSLATED_PICTURES, size).to(inputs.device)
        self.real_b = center_crops(inputs.domain_b.pictures, TRANSLATED_PICTURES, size).to(inputs.device)

    def __call__(self, state: TrainState, line: dict[str, Any]) -> dict[str, Any]:
        """Return the line with measures and findings."""
        if self.inputs.is_due(state.step, self.inputs.config.logging.diagnose_every):
            line = line | self.measure(state)
        recent = [past for past in self.history if past["step"] > state.step - HISTORY_SPANS * self.span]
        findings = diagnose([*recent, line], self.span, self.inputs.config.loss.adversarial)
        line = line | {"health": {"verdict": verdict(findings), "findings": [vars(finding) for finding in findings]}}
        self.history = [*recent, line]
        return line

    def measure(self, state: TrainState) -> dict[str, float]:
        """Translate the pictures, one at a time, and return the measures by their names in metrics."""
        with state.eval_generators() as generators:
            measures = self.measure_on_device(state, generators)
        values = torch.stack(list(measures.values())).tolist()
        return {name: value for name, value in zip(measures, values, strict=True) if math.isfinite(value)}

    def measure_on_device(self, state: TrainState, generators: Mapping[str, Any]) -> Numbers:
        """Return the measures of both directions, still on the device."""
        objective, images = self.inputs.config.loss.adversarial, {"a": self.real_a, "b": self.real_b}
        measures: Numbers = {}
        for names in DIRECTIONS:
            direction, inverse, source, target = names
            discriminator = state.networks.get_submodule(names.discriminator)
            real = images[source]
            fake = one_by_one(generators[direction], real)
            of_translations = translation_measures(real, fake, images[target])
            measures |= {f"{name}_{direction}": value for name, value in of_translations.items()}
            back = partial(one_by_one, generators[inverse])
            of_cycles = cycle_measures(real[:CYCLED_PICTURES], fake[:CYCLED_PICTURES], back, through_jpeg)
            measures |= {f"{name}_{source}": value for name, value in of_cycles.items()}
            sources, fakes = (torch.split(images[:CYCLED_PICTURES], 1) for images in (real, fake))
            norms = [
                fake_gradient_norm(discriminator, image, objective, source if state.conditional else None)
                for image, source in zip(fakes, sources, strict=True)
            ]
            measures[f"fake_grad_norm_{direction}"] = torch.stack(norms).mean()
        return measures


def through_jpeg(images: Images) -> Images:
    """Return images as they come back from JPEG files."""
    return torch.cat([pixels_through_jpeg(to_pixels(image)) for image in images]).to(images)


def pixels_through_jpeg(pixels: Any) -> Images:
    """Return one picture as it comes back from a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, format="JPEG", quality=JPEG_QUALITY)
    with Image.open(file) as image:
        return to_images(np.array(image).reshape(pixels.shape))
