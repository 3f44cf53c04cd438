"""What a model itself thinks of a translation, so that thousands of them can be sorted."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cyclegan.atomic import write_text
from cyclegan.checkpoints.model_file import Direction, load_model, weights_of
from cyclegan.errors import DataError, ModelFileError, printable
from cyclegan.images import Picture, Pixels, resized, to_images, to_pixels, with_bits, with_channels
from cyclegan.inference.padding import padded_by_reflection
from cyclegan.inference.translator import Translator
from cyclegan.models import load_weights, meta_module
from cyclegan.translation.targets import Target
from cyclegan.video.flicker import Flicker
from cyclegan.video.frames import FrameState, State, with_prefix, without_prefix

MOST = 2**20  # pixels of a picture that is scored; a larger one is shrunk to so many
FRAMES_BETWEEN = 12  # of a clip, of which one is scored
TABLE = "scores.csv"


@dataclass(frozen=True)
class Score:
    """What is in a line of the table, beside the names."""

    realism: float  # mean score of the target domain's discriminator; a real picture is meant to have 1, a fake 0
    cycle_error: float  # mean difference, in grey levels of 255, of a picture to what comes back from its translation
    flicker: float | None = None  # of a clip: how restless it is, as a multiple of the source's own restlessness


HEADER = ["source", "target", *(column.name for column in fields(Score))]


class Scorer:
    """Scores the translations of a translator, with the discriminator and the way back that its model holds."""

    def __init__(self, translator: Translator) -> None:
        info, weights = load_model(translator.path)
        back: Direction = "b2a" if translator.direction == "a2b" else "a2b"
        judge = "disc_b" if translator.direction == "a2b" else "disc_a"
        own = weights_of(judge, weights)
        if info.discriminator is None or not own:
            raise ModelFileError(
                f"{printable(translator.path)} holds no discriminators, without which there are no scores.",
                "Leave --scores away, or use the model of a run.",
            )
        self.way_back = Translator(translator.path, direction=back, device=str(translator.device))
        floats = {name: weight.float() for name, weight in own.items()}
        try:
            self.discriminator = load_weights(meta_module(info.discriminator, info.channels(judge)), floats)
        except ModelFileError as error:
            raise ModelFileError(
                f"{printable(translator.path)} does not hold the weights of the discriminator that it describes.",
                "Leave --scores away, or use the model of a run.",
            ) from error
        self.discriminator.to(translator.device)
        self.channels = translator.channels
        self.min_size = 8 << info.discriminator.layers  # pixels, so that there are patches to judge

    @torch.inference_mode()
    def score(self, original: Picture, translated: Picture) -> Score:
        """Score a translation as it will be written; one of more than a megapixel is scored at that size."""
        before = with_bits(with_channels(_shrunk(original.pixels), self.channels[0]), 8)
        after = with_bits(with_channels(_shrunk(translated.pixels), self.channels[1]), 8)
        image = to_images(after).to(self.way_back.device)
        judged: Tensor = self.discriminator(padded_by_reflection(image, 1, self.min_size))
        back = to_pixels(self.way_back.redraw(image)[0])
        return Score(realism=float(judged.mean()), cycle_error=float(np.abs(back.astype(np.float32) - before).mean()))


class ClipScorer(FrameState):
    """Scores a clip as its frames are drawn: some of them by the networks, all of them for flicker."""

    def __init__(self, scorer: Scorer | None) -> None:
        self.scorer = scorer
        self.flicker = Flicker()
        self.scores: list[Score] = []
        self.frames = 0

    def add(self, source: Pixels, output: Pixels) -> None:
        """Take the next frame, uint8 h w 3, of the clip and of what was drawn from it."""
        self.flicker.add(source, output)
        if self.scorer and self.frames % FRAMES_BETWEEN == 0:
            self.scores.append(self.scorer.score(Picture(source), Picture(output)))
        self.frames += 1

    def score(self) -> Score:
        """Return the means of what was scored, and the flicker."""
        realism, cycle_error = (
            float(np.mean([getattr(score, name) for score in self.scores])) for name in ("realism", "cycle_error")
        )
        return Score(realism, cycle_error, self.flicker.ratio())

    def state_dict(self) -> State:
        """Return what was scored."""
        scores = np.array([(score.realism, score.cycle_error) for score in self.scores]).reshape(-1, 2)
        own = {"frames": np.array(self.frames), "scores": scores}
        return {**own, **with_prefix("flicker.", self.flicker.state_dict())}

    def load_state_dict(self, state: State) -> None:
        """Continue after the frame after which `state` was returned."""
        if state:
            self.frames = int(state["frames"])
            self.scores = [Score(*map(float, row)) for row in state["scores"]]
            self.flicker.load_state_dict(without_prefix("flicker.", state))


def _shrunk(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min((MOST / (height * width)) ** 0.5, 1)
    return resized(pixels, max(round(width * scale), 1), max(round(height * scale), 1))


def write_scores(scores: Mapping[Target, Score]) -> list[Path]:
    """Write a table into every folder that was translated to, keeping older lines of other pictures; return them."""
    tables = _tables_of(scores)
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
    """Return the targets that have a line in their table; a file of that name that is no such table is an error."""
    tables = _tables_of(targets)
    return {target for target in targets if _name_in_table(target) in tables[target.root / TABLE]}


def _tables_of(targets: Iterable[Target]) -> dict[Path, dict[str, list[str]]]:
    """Return the tables that these targets' lines belong to, as they are."""
    return {table: _lines_of(table) for table in dict.fromkeys(target.root / TABLE for target in targets)}


def _name_in_table(target: Target) -> str:
    return printable(target.path.relative_to(target.root))


def _lines_of(table: Path) -> dict[str, list[str]]:
    """Return the lines of a table that is there already, by target."""
    if not table.exists():
        return {}
    try:
        header, *lines = csv.reader(table.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError, csv.Error):
        header, lines = [], []
    if header != HEADER:
        raise DataError(f"{printable(table)} is no table of scores.", "Move it, or choose another --output.")
    return {line[1]: line for line in lines if len(line) == len(HEADER)}
