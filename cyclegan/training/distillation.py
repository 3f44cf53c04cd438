"""Distillation: smaller generators learn the translations of a trained model (Li et al. 2020, 2003.08936)."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from cyclegan.checkpoints.find import find_model
from cyclegan.checkpoints.model_file import ModelInfo, Tensors, load_model, weights_of
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config, DataConfig, Settings
from cyclegan.directions import DIRECTIONS
from cyclegan.errors import ConfigError, ModelFileError, RunError
from cyclegan.images import Images
from cyclegan.models import Generator, load_weights, meta_module
from cyclegan.text import printable

STUDENT_WIDTH_DIVISOR = 4  # by default; a ResNet-9 of width 16 has a fifteenth of the multiply-adds of one of width 64


@dataclass(frozen=True)
class Teacher:
    """A trained model that is distilled."""

    info: ModelInfo
    weights: Tensors

    def generators(self) -> dict[str, Generator]:
        """Return its generators by direction, as far as it has them."""
        return {
            direction: load_weights(meta_module(self.info.generator, self.info.channels(direction)), own)
            for direction, *_ in DIRECTIONS
            if (own := weights_of(direction, self.weights))
        }

    def discriminators(self, config: Config) -> Tensors:
        """Return the weights of its discriminators, if they are built as the settings say."""
        same = self.info.discriminator == config.discriminator
        return {name: weight for name, weight in self.weights.items() if same and name.startswith("disc_")}


class TeacherModule(nn.Module):
    """A generator of the teacher: computes in bf16 or fp32, returns fp32."""

    def __init__(self, generator: nn.Module, *, bf16: bool) -> None:
        super().__init__()
        self.generator = generator
        self.bf16 = bf16

    def forward(self, images: Images) -> Images:
        """Map images in [-1, 1] to images in [-1, 1]."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            output: Tensor = self.generator(images)
        return output.float()


def student_settings(run: Run) -> Settings:
    """Return the settings of a run with narrower generators, random first weights, and this run as their teacher."""
    config = run.load_config()
    generator = replace(config.generator, width=max(config.generator.width // STUDENT_WIDTH_DIVISOR, 1))
    training = replace(config.training, init_from="", teacher=str(find_model(run.folder).parent.resolve()))
    return asdict(replace(config, generator=generator, training=training))


def load_teacher(config: Config, run: Run, *, new: bool) -> Teacher | None:
    """Read the teacher of a new run, or its copy in a run that continues; None without distillation."""
    if not config.training.teacher:
        return None
    if not (new or run.teacher.is_file()):
        raise RunError(
            f"{printable(run.teacher)} is gone, the copy of the teacher of this run.",
            "Put it back to continue, or start again with --fresh.",
        )
    path = find_model(config.training.teacher) if new else run.teacher
    teacher = Teacher(*load_model(path))
    check_images(config.data, path, teacher)
    return teacher


def check_images(data: DataConfig, path: Path, teacher: Teacher) -> None:
    """Raise an error if the teacher's images are not those of this training."""
    info, name, generators = teacher.info, printable(path), teacher.generators()
    if not generators:
        raise ModelFileError(f"{name} holds no generator.", "Name another model.")
    if (info.channels_a, info.channels_b) != (data.channels_a, data.channels_b):
        raise ConfigError(
            f"the images of {name} have {info.channels_a} and {info.channels_b} channels, and those of this training "
            f"{data.channels_a} and {data.channels_b}.",
            "Set data.channels_a and data.channels_b to those of the model.",
        )
    stride = max(generator.stride for generator in generators.values())
    if data.size % stride:
        raise ConfigError(
            f"{name} translates images whose sides divide by {stride}, and data.size is {data.size}.",
            f"Try --size {max(round(data.size / stride), 1) * stride}.",
        )
