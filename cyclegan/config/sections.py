"""Every setting, with its unit, its meaning and its bounds."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclegan.atomic import is_file_name
from cyclegan.config.checks import Amount, Auto, Between, Count, Section, Share, Weight
from cyclegan.errors import ConfigError
from cyclegan.text import printable


@dataclass(frozen=True, kw_only=True)
class DataConfig(Section):
    """Which pictures, and how they become training images."""

    folder_a: str = ""
    folder_b: str = ""
    name_a: str = "A"  # of the domain; by default its folder's name
    name_b: str = "B"
    paired: bool = False  # pictures of the same name in both folders are pairs: a translation and its truth
    aligned: bool = False  # each picture of folder_a holds a pair, A in its left half and B in its right
    size: Annotated[int, Between(16, 4096)] = 256  # pixels, width and height of the training crop
    load_size: Annotated[int, Between(16, 8192)] | Auto = "auto"  # pixels, short side before the crop; size * 286 / 256
    keep_aspect: bool = True  # false: resized to a square of load_size, as in the paper
    channels_a: Literal[1, 3] = 3  # 1: grey; with unequal channels there is no identity loss
    channels_b: Literal[1, 3] = 3
    flip: Share = 0.5  # probability of mirroring left to right
    flip_vertical: Share = 0.0  # probability of turning upside down, for pictures without an up
    quarter_turns: Share = 0.0  # probability of turning by 90, 180 or 270 degrees
    rotate: Annotated[float, Between(0, 180)] = 0.0  # degrees, the largest rotation in either direction
    color_jitter: Share = 0.0  # the largest change of brightness, contrast and saturation
    validate: Annotated[float, Between(0, 0.5)] = 0.0  # share of each domain's pictures held out for validation
    validate_a: str = ""  # folders of pictures for validation, instead of a share; both or none
    validate_b: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.aligned:
            same = {"paired": True, "folder_b": self.folder_a, "validate_b": self.validate_a}
            for key, value in same.items():
                object.__setattr__(self, key, value)
        if self.short_side < self.size:
            raise ConfigError(
                f"data.load_size is {self.load_size}, less than data.size, {self.size}.",
                'Pictures are resized to load_size and cropped to size: make it at least as large, or "auto".',
            )
        if bool(self.validate_a) != bool(self.validate_b) or (self.validate_a and self.validate):
            raise ConfigError(
                "validation needs a share of both domains' pictures, or a folder for each of them.",
                "Write --validate 0.1, or --validate-a FOLDER --validate-b FOLDER.",
            )
        for held_out, folder in ((self.validate_a, self.folder_a), (self.validate_b, self.folder_b)):
            inside = Path(held_out).is_relative_to(folder) or Path(folder).is_relative_to(held_out)
            if held_out and folder and inside:
                raise ConfigError(
                    f"{printable(held_out)} and {printable(folder)} share pictures, which would be trained on.",
                    "Validate with pictures of a folder of their own.",
                )
        for name in (self.name_a, self.name_b):
            if not is_file_name(name):
                raise ConfigError(f"{printable(name)!r} cannot be a domain's name.", "Choose one without slashes.")

    @property
    def short_side(self) -> int:
        """Pixels of the short side before the random crop."""
        return round(self.size * 286 / 256) if self.load_size == "auto" else self.load_size


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(Section):
    """The generators."""

    architecture: Literal["resnet", "unet"] = "resnet"
    width: Annotated[int, Between(1, 1024)] = 64  # channels of the first layer
    blocks: Annotated[int, Between(0, 100)] | Auto = "auto"  # residual blocks; 9 from 256 px, 6 below, as in the paper
    depth: Annotated[int, Between(1, 12)] | Auto = "auto"  # halvings of a U-Net; down to one pixel, 8 for 256 px
    norm: Literal["instance", "batch"] = "instance"
    dropout: bool = False

    def __post_init__(self) -> None:
        # A ResNet has no depth and a U-Net no blocks; model files of 0.1 hold 0 there.
        object.__setattr__(self, "depth" if self.architecture == "resnet" else "blocks", "auto")
        super().__post_init__()

    @property
    def description(self) -> str:
        """The network, for people; of resolved settings."""
        unet = self.architecture == "unet"
        layers = f"U-Net, depth {self.depth}" if unet else f"ResNet, residual blocks: {self.blocks}"
        return f"{layers}, width {self.width}"


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(Section):
    """The discriminators."""

    architecture: Literal["patch", "pixel"] = "patch"
    width: Annotated[int, Between(1, 1024)] = 64
    layers: Annotated[int, Between(1, 8)] = 3  # strided ones and the next; 3 see 70 x 70 pixels
    norm: Literal["instance", "batch"] = "instance"
    conditional: bool = False  # with data.paired, they see the source before the image, as in pix2pix

    def input_channels(self, image: int, source: int) -> int:
        """Return the channels of what is scored, of those of an image and of the source of its translation."""
        return source + image if self.conditional else image


@dataclass(frozen=True, kw_only=True)
class LossConfig(Section):
    """Weights of the generators' loss terms; the paper's λ."""

    cycle_a: Weight = 10.0  # |b2a(a2b(a)) - a|
    cycle_b: Weight = 10.0
    identity: Weight = 0.5  # |a2b(b) - b|, as a fraction of the cycle weight
    adversarial: Literal["lsgan", "vanilla", "hinge"] = "lsgan"
    paired: Weight = 100.0  # |a2b(a) - b|, both directions, of the pairs with data.paired; as in pix2pix
    distill: Weight = 10.0  # |a2b(a) - teacher(a)|, both directions, with a teacher


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Section):
    """Adam, for all four networks."""

    learning_rate: Annotated[float, Between(0, 1)] = 2e-4
    beta1: Annotated[float, Between(0, 0.9999)] = 0.5
    beta2: Annotated[float, Between(0, 0.9999)] = 0.999
    scale: Literal["none", "sqrt", "linear"] = "none"  # of the learning rate with the number of devices


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Section):
    """The training step, beside its losses and optimizers."""

    seed: Annotated[int, Between(0, 2**32 - 1)] = 0
    batch_size: Annotated[int, Between(1, 4096)] = 1  # samples, on each device
    pool_size: Annotated[int, Between(0, 10_000)] = 50  # past fakes that each discriminator also sees; 0: no pool
    diffaugment: bool = False  # discriminators see shifted images with a hole; for few pictures
    init_gain: Annotated[float, Between(1e-6, 10)] = 0.02  # standard deviation of the initial weights
    init_from: str = ""  # a model whose weights a new run starts from: a run's folder or name, or a file
    # Steps at the start in which only the discriminators learn; auto: 1,500, but at most a tenth of the run, where the
    # generators come from a model and the discriminators do not, and else none.
    discriminator_warmup: Amount | Auto = "auto"
    teacher: str = ""  # a model to distill: a run's folder or name, or a file
    ema_decay: Annotated[float, Between(0, 0.999999)] = 0.999  # of the generators' averaged weights; 0: no EMA
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the machine computes it natively


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig(Section):
    """How long to train, and with which learning rate."""

    epochs: Amount = 100  # at the full learning rate
    decay_epochs: Amount = 100  # then falling linearly towards zero
    max_learning_rate: Share = 1.0  # an upper limit; a longer run can stay at the rate at which it ended
    max_steps: Count | Literal["none"] = "none"  # end after so many steps in all; the learning rate follows the epochs
    # Hours of work that the run fits itself to; epochs and decay_epochs then only say which share of them decays.
    hours: Annotated[float, Between(0.001, 10_000)] | Literal["none"] = "none"
    stop_on_diagnosis: bool = False  # end, saved, when the diagnosis is stop; false: it is advice
    plateau_patience: Count = 20  # validations without a better one that make a plateau
    stop_on_plateau: bool = False  # end, saved, on a plateau; false: it is advice


@dataclass(frozen=True, kw_only=True)
class MachineConfig(Section):
    """The machine: none of these settings changes what is learned."""

    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    devices: Annotated[int, Between(1, 1024)] = 1  # of this machine, each with its own samples in every step
    threads: Annotated[int, Between(1, 256)] | Auto = "auto"  # of arithmetic on a CPU; auto: torch decides
    two_threads: bool = True  # on a CPU, compute the two directions of a step at once, with half of the threads each
    workers: Annotated[int, Between(0, 64)] = 2  # threads that prepare images; 0: the training thread does it
    cache: Literal["auto", "memory", "disk"] = "auto"  # where the resized pictures are kept
    activation_checkpointing: bool = False  # a third more time, a quarter of the activations; for the resnet
    compile: Literal["auto", "on", "off"] = "auto"  # the networks, and capture the step; auto: on one CUDA device


@dataclass(frozen=True, kw_only=True)
class LoggingConfig(Section):
    """What is logged and saved during training, and how often."""

    every: Count = 50  # steps between lines in metrics.jsonl
    samples_every: Count = 500  # steps between sample grids
    diagnose_every: Count = 1000  # steps between measures of a few translations
    validate_every: Count | Auto = "auto"  # steps between validations; an epoch, within bounds of their cost
    samples: Annotated[int, Between(1, 32)] = 4  # pictures of each domain in a grid
    save_minutes: Annotated[float, Between(0, 1440)] = 5.0  # minutes of work that can be lost at most
    tensorboard: bool = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)

    def __post_init__(self) -> None:
        if self.schedule.epochs + self.schedule.decay_epochs == 0:
            raise ConfigError("there are no epochs to train.", "Ask for some with --epochs or --decay-epochs.")
        if "batch" in (self.generator.norm, self.discriminator.norm):
            raise ConfigError(
                "batch norm is for models made elsewhere: in training it would mix the two domains' statistics.",
                "Leave generator.norm and discriminator.norm at instance.",
            )
        if self.discriminator.conditional and not self.data.paired:
            raise ConfigError(
                "conditional discriminators learn from pairs, and data.paired is false.",
                "Add --paired, or leave discriminator.conditional at false.",
            )
        if self.generator.architecture == "unet" and self.data.size % 2**self.unet_depth:
            raise ConfigError(
                f"a U-Net of depth {self.unet_depth} needs a size that divides by {2**self.unet_depth}, "
                f"and data.size is {self.data.size}.",
                "Choose such a --size, a smaller generator.depth, or the resnet architecture.",
            )
        if self.generator.architecture == "resnet" and self.data.size % 4:
            raise ConfigError(
                f"data.size is {self.data.size}, which does not divide by 4.",
                f"Try --size {round(self.data.size / 4) * 4}.",
            )
        if self.machine.activation_checkpointing and self.generator.architecture != "resnet":
            raise ConfigError(
                "machine.activation_checkpointing is for the resnet architecture.",
                "Leave it out, or take --set generator.architecture=resnet.",
            )

        min_size = 3 * 2**self.discriminator.layers  # pixels, with which the last norm still has several values
        if self.discriminator.architecture == "patch" and self.data.size < min_size:
            raise ConfigError(
                f"a discriminator of {self.discriminator.layers} layers needs images of at least {min_size} pixels, "
                f"and data.size is {self.data.size}.",
                "Choose a larger --size or fewer discriminator.layers.",
            )

    @property
    def epochs(self) -> int | None:
        """Epochs of the whole run, without regard to `max_steps`; None where the time decides."""
        return self.schedule.epochs + self.schedule.decay_epochs if self.schedule.hours == "none" else None

    @property
    def decay_share(self) -> float:
        """Share of the training in which the learning rate falls, without regard to `max_steps`."""
        return self.schedule.decay_epochs / (self.schedule.epochs + self.schedule.decay_epochs)

    @property
    def resnet_blocks(self) -> int:
        """Residual blocks of the ResNet generator."""
        if self.generator.blocks != "auto":
            return self.generator.blocks
        return 9 if self.data.size >= 256 else 6

    @property
    def resolved_generator(self) -> GeneratorConfig:
        """The generator's settings without "auto": model files describe networks by numbers."""
        return dataclasses.replace(self.generator, blocks=self.resnet_blocks, depth=self.unet_depth)

    @property
    def generator_description(self) -> str:
        """The generators, for people."""
        return self.resolved_generator.description

    @property
    def unet_depth(self) -> int:
        """How often the U-Net generator halves its image."""
        return self.data.size.bit_length() - 1 if self.generator.depth == "auto" else self.generator.depth


SECTIONS: dict[str, type[Section]] = {f.name: f.type for f in dataclasses.fields(Config)}  # type: ignore[misc]
