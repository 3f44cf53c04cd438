"""Every setting, with its unit, its meaning and its bounds; TOML in and out; presets.

Settings come from the defaults, then the preset, then a file, then the command line.
"""

import dataclasses
import os
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w

from cyclegan.atomic import is_file_name, write_text
from cyclegan.errors import ConfigError, printable

Settings = Mapping[str, Mapping[str, Any]]  # section -> key -> value, as in the TOML file


@dataclass(frozen=True)
class Between:
    """Bounds of a number, both included."""

    low: float
    high: float = float("inf")

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high == float("inf") else f"between {self.low:g} and {self.high:g}"


Count = Annotated[int, Between(1, 10**9)]
Amount = Annotated[int, Between(0, 10**9)]
Weight = Annotated[float, Between(0, 10**6)]
Share = Annotated[float, Between(0, 1)]
Auto = Literal["auto"]


class Checked:
    """A section of settings: each value is checked against its annotation where it is born."""

    def __post_init__(self) -> None:
        for name, kind in typing.get_type_hints(type(self), include_extras=True).items():
            value = _checked(f"{SECTION_OF.get(type(self), '')}.{name}", kind, getattr(self, name))
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True)
class DataConfig(Checked):
    """Which pictures, and how they become training images."""

    folder_a: str = ""
    folder_b: str = ""
    name_a: str = "A"  # of the domain: its folder's name unless told otherwise
    name_b: str = "B"
    size: Annotated[int, Between(16, 4096)] = 256  # pixels, side of the training crop
    load_size: Annotated[int, Between(16, 8192)] | Auto = "auto"  # pixels, short side before the crop; size * 286 / 256
    keep_aspect: bool = True  # false: squashed to a square of load_size, as in the paper
    channels_a: Literal[1, 3] = 3  # 1: grey; with unequal channels there is no identity loss
    channels_b: Literal[1, 3] = 3
    flip: Share = 0.5  # how often mirrored left to right
    flip_vertical: Share = 0.0  # how often turned upside down; microscopes and satellites have no up
    quarter_turns: Share = 0.0  # how often turned by 90, 180 or 270 degrees
    rotate: Annotated[float, Between(0, 180)] = 0.0  # degrees, the most a picture is turned either way
    color_jitter: Share = 0.0  # the most that brightness, contrast and saturation change
    validate: Annotated[float, Between(0, 0.5)] = 0.0  # share of each domain's pictures held out for validation
    validate_a: str = ""  # folders of pictures for validation, instead of a share; both or none
    validate_b: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
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
class GeneratorConfig(Checked):
    """The generators."""

    architecture: Literal["resnet", "unet"] = "resnet"
    width: Annotated[int, Between(1, 1024)] = 64  # channels of the first layer
    blocks: Annotated[int, Between(0, 100)] | Auto = "auto"  # residual blocks; 9 from 256 px, 6 below, as in the paper
    depth: Annotated[int, Between(1, 12)] | Auto = "auto"  # halvings of a U-Net; down to one pixel, 8 for 256 px
    norm: Literal["instance", "batch"] = "instance"
    dropout: bool = False

    def __post_init__(self) -> None:
        # A ResNet has no depth and a U-Net no blocks; models of 0.1 say 0 there.
        object.__setattr__(self, "depth" if self.architecture == "resnet" else "blocks", "auto")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(Checked):
    """The discriminators."""

    architecture: Literal["patch", "pixel"] = "patch"
    width: Annotated[int, Between(1, 1024)] = 64
    layers: Annotated[int, Between(1, 8)] = 3  # strided ones and the next; 3 see 70 x 70 pixels
    norm: Literal["instance", "batch"] = "instance"


@dataclass(frozen=True, kw_only=True)
class LossConfig(Checked):
    """Weights of the generators' loss terms; the paper's λ."""

    cycle_a: Weight = 10.0  # |b2a(a2b(a)) - a|
    cycle_b: Weight = 10.0
    identity: Weight = 0.5  # |a2b(b) - b|, as a fraction of the cycle weight
    adversarial: Literal["lsgan", "vanilla", "hinge"] = "lsgan"
    distill: Weight = 10.0  # |a2b(a) - teacher(a)|, both directions, with a teacher


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Checked):
    """Adam, for all four networks."""

    learning_rate: Annotated[float, Between(0, 1)] = 2e-4
    beta1: Annotated[float, Between(0, 0.9999)] = 0.5
    beta2: Annotated[float, Between(0, 0.9999)] = 0.999
    scale: Literal["none", "sqrt", "linear"] = "none"  # how the learning rate grows with the number of devices


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Checked):
    """What a step does, beside its losses and optimizers."""

    seed: Annotated[int, Between(0, 2**32 - 1)] = 0
    batch_size: Annotated[int, Between(1, 4096)] = 1  # samples, on each device
    pool_size: Annotated[int, Between(0, 10_000)] = 50  # past fakes that each discriminator also sees; 0: none
    diffaugment: bool = False  # discriminators see every image elsewhere and with a hole; for few pictures
    init_gain: Annotated[float, Between(1e-6, 10)] = 0.02  # standard deviation of the first weights
    init_from: str = ""  # a model whose weights a new run begins with instead: a run's folder or name, or a file
    teacher: str = ""  # a model to distill: a run's folder or name, or a file
    ema_decay: Annotated[float, Between(0, 0.999999)] = 0.999  # of the generators' averaged weights; 0: no average
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the machine computes it natively


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig(Checked):
    """How long to train, and the learning rate on the way."""

    epochs: Amount = 100  # at the full learning rate
    decay_epochs: Amount = 100  # then falling linearly towards zero
    max_learning_rate: Share = 1.0  # a limit; keeps a run that is made longer at the rate where it ended
    max_steps: Count | Literal["none"] = "none"  # end after so many steps in all; the learning rate follows the epochs
    stop_on_diagnosis: bool = False  # end, saved, when the diagnosis is stop; false: it is advice
    plateau_patience: Count = 20  # validations without a better one, after which it is called a plateau
    stop_on_plateau: bool = False  # end, saved, on a plateau; false: it is advice


@dataclass(frozen=True, kw_only=True)
class MachineConfig(Checked):
    """What may differ from one machine to the next without changing what is learned."""

    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    devices: Annotated[int, Between(1, 1024)] = 1  # of this machine, each with pairs of its own in every step
    threads: Annotated[int, Between(1, 256)] | Auto = "auto"  # of arithmetic on a CPU; torch decides
    workers: Annotated[int, Between(0, 64)] = 2  # threads that prepare images; 0: the training thread does it
    cache: Literal["auto", "memory", "disk"] = "auto"  # where the resized pictures are kept
    activation_checkpointing: bool = False  # a third more time, a quarter of the activations; for the resnet
    compile: Literal["auto", "on", "off"] = "auto"  # the networks, and record the step; auto: on one CUDA device


@dataclass(frozen=True, kw_only=True)
class LoggingConfig(Checked):
    """What is written down while training, and how often."""

    every: Count = 50  # steps between lines in metrics.jsonl
    samples_every: Count = 500  # steps between sample grids
    diagnose_every: Count = 1000  # steps between measures of a few translations
    validate_every: Count | Auto = "auto"  # steps between validations; an epoch, within bounds of their cost
    samples: Annotated[int, Between(1, 32)] = 4  # pictures of each domain in a grid
    save_minutes: Annotated[float, Between(0, 1440)] = 5.0  # at most so much work is lost
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

        judged = 3 * 2**self.discriminator.layers  # pixels that leave the last norm something to normalise
        if self.discriminator.architecture == "patch" and self.data.size < judged:
            raise ConfigError(
                f"a discriminator of {self.discriminator.layers} layers needs images of at least {judged} pixels, "
                f"and data.size is {self.data.size}.",
                "Choose a larger --size or fewer discriminator.layers.",
            )

    @property
    def resnet_blocks(self) -> int:
        """Residual blocks of the ResNet generator."""
        if self.generator.blocks != "auto":
            return self.generator.blocks
        return 9 if self.data.size >= 256 else 6

    @property
    def generator_in_words(self) -> str:
        """What the generators are."""
        unet = self.generator.architecture == "unet"
        built = f"U-Net, depth {self.unet_depth}" if unet else f"ResNet, residual blocks: {self.resnet_blocks}"
        return f"{built}, width {self.generator.width}"

    @property
    def unet_depth(self) -> int:
        """How often the U-Net generator halves its image."""
        return self.data.size.bit_length() - 1 if self.generator.depth == "auto" else self.generator.depth


SECTIONS: dict[str, type[Checked]] = {f.name: f.type for f in dataclasses.fields(Config)}  # type: ignore[misc]
SECTION_OF = {section: name for name, section in SECTIONS.items()}
PLACES = ("folder_a", "folder_b", "name_a", "name_b")  # settings that every run has of its own
MAY_MOVE = ("folder_a", "folder_b", "validate_a", "validate_b")  # the pictures must stay the same
MAY_CHANGE = ("machine", "logging", "schedule")  # what a continued run may do otherwise


@dataclass(frozen=True)
class Preset:
    """Settings that belong together."""

    purpose: str
    settings: Settings


PRESETS = {
    "default": Preset("the paper's recipe with averaged weights", {}),
    "paper": Preset(
        "the paper to the letter",
        {"data": {"keep_aspect": False}, "training": {"precision": "fp32", "ema_decay": 0.0}},
    ),
    "fast": Preset(
        "128 px, by estimate ten minutes of one GPU for a thousand pictures",
        {"data": {"size": 128}, "schedule": {"epochs": 20, "decay_epochs": 20}},
    ),
    "small": Preset(
        "for a handful of pictures of each kind",
        {"training": {"diffaugment": True}, "schedule": {"epochs": 1000, "decay_epochs": 1000}},
    ),
    "tiny": Preset(
        "32 px and small networks, for trying things on a CPU",
        {
            "data": {"size": 32},
            "generator": {"width": 8, "blocks": 1},
            "discriminator": {"width": 8, "layers": 2},
        },
    ),
}


def build_config(*layers: Settings) -> Config:
    """Build the settings from layers of which the later ones win; unknown keys and wrong values are errors."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.items():
            if section == "game":
                raise ConfigError(
                    "these settings are of cyclegan 0.1, whose runs this version cannot continue.",
                    "Its models still translate; train a new run, or install cyclegan 0.1 to continue.",
                )
            if section not in SECTIONS:
                raise ConfigError(f"unknown setting {section}; known here: {', '.join(sorted(SECTIONS))}.", SPELLING)
            if not isinstance(values, Mapping):
                raise ConfigError(f"{section} is a section, not a value.", "Name a setting in it: section.key.")
            merged.setdefault(section, {}).update(values)
    for section, values in merged.items():
        known = {f.name for f in dataclasses.fields(SECTIONS[section])}  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                raise ConfigError(f"unknown setting {section}.{key}; known here: {', '.join(sorted(known))}.", SPELLING)
    return Config(**{section: SECTIONS[section](**values) for section, values in merged.items()})  # type: ignore[arg-type]


def preset(name: str) -> Settings:
    """Return a preset's settings."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {printable(name)}; known: {', '.join(PRESETS)}.", SPELLING)
    return PRESETS[name].settings


def parse_assignment(text: str) -> Settings:
    """Read `section.key=value`, the value as in TOML; a bare word is a string."""
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"{printable(text)} is no setting.", "Write --set section.key=value, as in loss.cycle_a=5.")
    try:
        return {section: {key: tomllib.loads(f"value = {value}")["value"]}}
    except (ValueError, RecursionError):
        return {section: {key: value.strip()}}


def load_settings(path: Path) -> Settings:
    """Read settings from a TOML file, such as a run's `config.toml`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{printable(path)} cannot be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{printable(path)} is not valid TOML: {error}.", "Correct it, or leave it out.") from error


def save_config(config: Config, path: Path) -> None:
    """Write every setting to a TOML file."""
    write_text(path, tomli_w.dumps(dataclasses.asdict(config)))


def forbidden_changes(old: Config, new: Config) -> list[str]:
    """Name the settings, `section.key (was … , now …)`, that differ though a continued run must keep them."""
    return [
        f"{section}.{f.name} (was {getattr(before, f.name)!r}, now {getattr(after, f.name)!r})"
        for section in SECTIONS
        if section not in MAY_CHANGE
        for before, after in [(getattr(old, section), getattr(new, section))]
        for f in dataclasses.fields(before)
        if getattr(before, f.name) != getattr(after, f.name) and not is_move(f.name, old, new)
    ]


def is_move(key: str, old: Config, new: Config) -> bool:
    """Tell whether a setting that differs says only that folders or models lie elsewhere, or are called otherwise."""
    if key in MAY_MOVE:
        return bool(getattr(old.data, key) and getattr(new.data, key))
    if key in ("name_a", "name_b"):  # named after its folder
        before, after = (getattr(config.data, key.replace("name", "folder")) for config in (old, new))
        return bool(os.path.realpath(before) != os.path.realpath(after))
    if key in ("init_from", "teacher"):
        return bool(Path(getattr(old.training, key)).name == Path(getattr(new.training, key)).name)
    return False


def changed_settings(config: Config) -> dict[str, Any]:
    """Return the settings that differ from the defaults, but for where the pictures are."""
    return {
        f"{section}.{f.name}": value
        for section in SECTIONS
        for f in dataclasses.fields(getattr(config, section))
        if (value := getattr(getattr(config, section), f.name)) != f.default and f.name not in PLACES
    }


SPELLING = "Check the spelling."


def _encodable(text: str) -> bool:
    """Tell whether a text can be written as UTF-8; names of files that were written otherwise cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked(name: str, kind: Any, value: Any) -> Any:
    """Return the value if it has the annotated type and lies within its bounds; an int is accepted for a float."""
    if typing.get_origin(kind) is typing.Union:  # a number, or a word such as auto
        number, word = typing.get_args(kind)
        return value if isinstance(value, str) and value in typing.get_args(word) else _checked(name, number, value)
    if typing.get_origin(kind) is Annotated:
        kind, bounds = typing.get_args(kind)
        value = _checked(name, kind, value)
        if not bounds.low <= value <= bounds.high:
            raise ConfigError(f"{name} is {value!r}; it must be {bounds}.", "Correct the value.")
        return value
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ConfigError(f"{name} is {value!r}; it must be {' or '.join(map(str, choices))}.", "Choose one.")
        return value
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 2**53 else float("inf")
    if kind is str and type(value) is str and not _encodable(value):
        raise ConfigError(f"{name} is {printable(value)}, which is not valid Unicode.", "Rename it.")
    if type(value) is not kind:
        article = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}[kind.__name__]
        raise ConfigError(f"{name} is {value!r}; it must be {article}.", "Correct the value.")
    return value
