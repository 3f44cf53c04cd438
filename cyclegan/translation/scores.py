"""Scores of translations by the model's own discriminator and inverse generator, written as a table for sorting."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cyclegan.atomic import write_text
from cyclegan.checkpoints.model_file import load_model, weights_of
from cyclegan.directions import names_of
from cyclegan.errors import DataError, ModelFileError
from cyclegan.images import Picture, Pixels, resized, to_images, to_pixels, with_bits, with_channels
from cyclegan.inference.padding import padded_by_reflection
from cyclegan.inference.translator import Translator
from cyclegan.models import discriminator_input, load_weights, meta_module
from cyclegan.text import printable
from cyclegan.translation.targets import Target
from cyclegan.video.flicker import Flicker
from cyclegan.video.frames import FrameState, SavedArrays, with_prefix, without_prefix

MAX_SCORED_PIXELS = 2**20  # a larger picture is reduced to so many before it is scored
FRAME_INTERVAL = 12  # every so many frames of a video, one is scored
TABLE = "scores.csv"


@dataclass(frozen=True)
class Score:
    """The columns of the table after the names."""

    realism: float  # mean output of the target domain's discriminator; 1 stands for real, 0 for fake
    cycle_error: float  # mean absolute difference, of 255, between a picture and its cycled one
    flicker: float | None = None  # of a video: its flicker as a multiple of the source's


HEADER = ["source", "target", *(column.name for column in fields(Score))]


class Scorer:
    """Scores the translations of a translator, with the discriminator and the inverse generator of its model."""

    def __init__(self, translator: Translator) -> None:
        info, weights = load_model(translator.path)
        names = names_of(translator.direction)
        discriminator_weights = weights_of(names.discriminator, weights)
        if info.discriminator is None or not discriminator_weights:
            raise ModelFileError(
                f"{printable(translator.path)} holds no discriminators, which scores need.",
                "Leave --scores away, or use the model of a run.",
            )
        self.inverse = Translator(
            translator.path,
            direction=names.inverse,
            device=str(translator.device),
            backend=translator.backend_name,
        )
        floats = {name: weight.float() for name, weight in discriminator_weights.items()}
        try:
            self.discriminator = load_weights(
                meta_module(info.discriminator, info.channels(names.discriminator)), floats
            )
        except ModelFileError as error:
            raise ModelFileError(
                f"{printable(translator.path)} does not hold the weights of the discriminator that it describes.",
                "Leave --scores away, or use the model of a run.",
            ) from error
        self.discriminator.to(translator.device)
        self.channels = translator.channels
        self.conditional = info.discriminator.conditional
        self.min_size = 8 << info.discriminator.layers  # pixels, so that the discriminator's output is not empty

    @torch.inference_mode()
    def score(self, original: Picture, translated: Picture) -> Score:
        """Score a translation as it will be written; one of more than a megapixel is scored at that size."""
        before = with_bits(with_channels(_reduced(original.pixels), self.channels[0]), 8)
        after = with_bits(with_channels(_reduced(translated.pixels), self.channels[1]), 8)
        image, source = (to_images(pixels).to(self.inverse.device) for pixels in (after, before))
        seen = discriminator_input(image, source if self.conditional else None)
        realism: Tensor = self.discriminator(padded_by_reflection(seen, 1, self.min_size))
        back = to_pixels(self.inverse.translate_images(image)[0])
        return Score(realism=float(realism.mean()), cycle_error=float(np.abs(back.astype(np.float32) - before).mean()))


class VideoScorer(FrameState):
    """Scores a video frame by frame: some frames by the networks, all of them for flicker."""

    def __init__(self, scorer: Scorer | None) -> None:
        self.scorer = scorer
        self.flicker = Flicker()
        self.scores: list[Score] = []
        self.frames = 0

    def add(self, source: Pixels, output: Pixels) -> None:
        """Add the next frame, uint8 h w 3, and its translation."""
        self.flicker.add(source, output)
        if self.scorer and self.frames % FRAME_INTERVAL == 0:
            self.scores.append(self.scorer.score(Picture(source), Picture(output)))
        self.frames += 1

    def score(self) -> Score:
        """Return the mean scores of the frames, and the flicker."""
        realism, cycle_error = (
            float(np.mean([getattr(score, name) for score in self.scores])) for name in ("realism", "cycle_error")
        )
        return Score(realism, cycle_error, self.flicker.ratio())

    def state_dict(self) -> SavedArrays:
        """Return the scores so far."""
        scores = np.array([(score.realism, score.cycle_error) for score in self.scores]).reshape(-1, 2)
        arrays = {"frames": np.array(self.frames), "scores": scores}
        return {**arrays, **with_prefix("flicker.", self.flicker.state_dict())}

    def load_state_dict(self, state: SavedArrays) -> None:
        """Continue after the frame after which `state` was returned."""
        if state:
            self.frames = int(state["frames"])
            self.scores = [Score(*map(float, row)) for row in state["scores"]]
            self.flicker.load_state_dict(without_prefix("flicker.", state))


def _reduced(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min((MAX_SCORED_PIXELS / (height * width)) ** 0.5, 1)
    return resized(pixels, max(round(width * scale), 1), max(round(height * scale), 1))


def write_scores(scores: Mapping[Target, Score]) -> list[Path]:
    """Write a table into every output folder, keeping older lines of other pictures; return the tables."""
    tables = _read_tables(scores)
    for target, score in scores.items():
        name = _name_in_table(target)
        tables[target.root / TABLE][name] = [printable(target.source), name, *map(_number, astuple(score))]
    for table, lines in tables.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *(lines[target] for target in sorted(lines))])
        write_text(table, text.getvalue())
    return list(tables)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def already_scored(targets: Collection[Target]) -> set[Target]:
    """Return the targets that have a line in their table; another file of that name is an error."""
    tables = _read_tables(targets)
    return {target for target in targets if _name_in_table(target) in tables[target.root / TABLE]}


def _read_tables(targets: Iterable[Target]) -> dict[Path, dict[str, list[str]]]:
    """Return the existing lines of the tables of these targets, by table and output."""
    return {table: _read_table(table) for table in dict.fromkeys(target.root / TABLE for target in targets)}


def _name_in_table(target: Target) -> str:
    return printable(target.path.relative_to(target.root))


def _read_table(table: Path) -> dict[str, list[str]]:
    """Return the lines of a table by output; none if it does not exist."""
    if not table.exists():
        return {}
    try:
        header, *lines = csv.reader(table.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError, csv.Error):
        header, lines = [], []
    if header != HEADER:
        raise DataError(f"{printable(table)} is not a table of scores.", "Move it, or choose another --output.")
    return {line[1]: line for line in lines if len(line) == len(HEADER)}
