"""The reference's weights, in and out: pure functions from one set of names to the other.

The reference is the CycleGAN authors' PyTorch code, junyanz/pytorch-CycleGAN-and-pix2pix, whose published `.pth` files
hold one network each, with these names.
"""

import re
from collections.abc import Iterable, Mapping, Set

import torch
from torch import Tensor, nn

from cyclegan.config import DiscriminatorConfig, GeneratorConfig
from cyclegan.errors import ConfigError, ModelFileError, printable
from cyclegan.models import NetworkConfig, PixelDiscriminator, UNetGenerator
from cyclegan.models.layers import InstanceNorm, Norm

Weights = dict[str, Tensor]

OURS = {"G_A": "a2b", "G_B": "b2a", "D_A": "disc_b", "D_B": "disc_a"}  # their D_A judges what G_A makes: images of B
GENERATOR_NAMES = ("generator", "gen", "netg", "net_g", "g")  # in lower case
CHECKPOINT_KEYS = (  # in lower case, under which training programs keep a generator's weights, the better ones first
    *("params_ema", "ema", *(f"{name}_ema" for name in GENERATOR_NAMES)),
    *("params", "model_state_dict", "state_dict", "model"),
    *(f"{name}{end}" for name in GENERATOR_NAMES for end in ("", "_state_dict")),
)
LEVELS = 2  # of such keys, one in the other
FIRST_WEIGHTS = ("model.model.0.weight", "model.1.weight", "net.0.weight", "model.0.weight")  # see `recognised`
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
COUNTER = "num_batches_tracked"  # of batch norms since torch 0.4.1; changes nothing
STATISTICS = ("running_mean", "running_var", COUNTER)  # instance norms before torch 0.4 kept them and never used them
ALONE = "Save the network's state_dict() alone."
ONE_EACH = "Save the state_dict() of each in a file of its own."
ALIKE = "Only networks as the reference builds them, for grey or RGB pictures, can be imported."


def bare(saved: object) -> Weights:
    """Return the weights that a `.pth` file held, their names without what wrappers put before them.

    A checkpoint that holds a generator's weights beside an epoch, optimizers or a discriminator stands for these.
    """
    saved = within_checkpoint(saved)
    if not isinstance(saved, Mapping) or not saved:
        raise ModelFileError("it holds no weights by name.", ALONE)
    weights = {_unwrapped(str(name)): value for name, value in saved.items()}
    if len(weights) < len(saved):
        raise ModelFileError("it holds weights twice, with a prefix and without.", ALONE)
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise ModelFileError(f"its entry {printable(name)} is no tensor but {type(value).__name__}.", ALONE)
        if not _is_whole(value):
            raise ModelFileError(f"its tensor {printable(name)} does not hold all its numbers.", ALONE)
    return without_prefix(weights)


def within_checkpoint(saved: object) -> object:
    """Return the weights inside a checkpoint; what is none comes back as it is."""
    for _ in range(LEVELS):
        if not isinstance(saved, Mapping) or any(isinstance(value, Tensor) for value in saved.values()):
            return saved
        networks = {str(name): value for name, value in saved.items() if _holds_tensors(value, LEVELS)}
        known = [networks[name] for key in CHECKPOINT_KEYS for name in networks if name.lower() == key]
        if not known and len(networks) > 1:
            raise ModelFileError(f"it holds several networks: {printable(', '.join(networks))}.", ONE_EACH)
        if not networks:
            return saved
        saved = (known or list(networks.values()))[0]
    return saved


def without_prefix(weights: Weights) -> Weights:
    """Return weights without prefixes that all names share, or that a generator's have beside a discriminator's."""
    stripped = weights
    for generator in GENERATOR_NAMES:
        split = {name: name.partition(".") for name in stripped}
        own = {rest: stripped[name] for name, (first, _, rest) in split.items() if first.lower() == generator}
        stripped = own or stripped
    while not any(name in stripped for name in FIRST_WEIGHTS):
        firsts = {name.partition(".")[0] for name in stripped}
        if len(firsts) > 1 or not all(name.partition(".")[2] for name in stripped):
            return weights
        stripped = {name.partition(".")[2]: value for name, value in stripped.items()}
    return stripped


def recognised(weights: Mapping[str, Tensor]) -> NetworkConfig:
    """Tell from names and shapes alone which network these weights are of, as far as they tell.

    Dropout in a U-Net leaves no trace; in a ResNet it shifts a block's second convolution from place 5 to 6.
    """
    try:
        if "model.model.0.weight" in weights:
            depth = 1 + _count(r"model\.model\.1\.model(\.3\.model)*\.1\.weight", weights)
            width = _width(weights, "model.model.0.weight")
            return GeneratorConfig(architecture="unet", width=width, depth=depth, norm=_norm(weights))
        if "model.1.weight" in weights:
            blocks, undropped = (_count(rf"model\.\d+\.conv_block\.{place}\.weight", weights) for place in (1, 5))
            width, dropout = _width(weights, "model.1.weight"), blocks > undropped
            return GeneratorConfig(width=width, blocks=blocks, norm=_norm(weights), dropout=dropout)
        if "net.0.weight" in weights:
            width = _width(weights, "net.0.weight")
            return DiscriminatorConfig(architecture="pixel", width=width, norm=_norm(weights))
        if "model.0.weight" in weights:
            convolutions = sum(tensor.ndim == 4 for tensor in weights.values())
            width = _width(weights, "model.0.weight")
            return DiscriminatorConfig(width=width, layers=convolutions - 2, norm=_norm(weights))
    except ConfigError as error:
        raise ModelFileError(f"its network cannot be built: {error}", ALIKE) from error
    raise ModelFileError(f"it holds no network that is known here, but {_some(weights)}.", ALIKE)


def channels_of(spec: NetworkConfig, weights: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return the channels of what a network takes and, if it is a generator, of what it gives.

    Others than 1 and 3 are an error. Those that no shape tells are 3: `from_reference` says what is wrong.
    """
    if isinstance(spec, DiscriminatorConfig):
        places = [("net.0.weight" if spec.architecture == "pixel" else "model.0.weight", 1)]
    elif spec.architecture == "unet":
        places = [("model.model.0.weight", 1), ("model.model.3.weight", 1)]  # the last is transposed
    else:
        places = [("model.1.weight", 1), (f"model.{17 + int(spec.blocks)}.weight", 0)]
    shapes = [(weights[name].shape if name in weights else (), axis) for name, axis in places]
    channels = tuple(shape[axis] if len(shape) == 4 else 3 for shape, axis in shapes)
    for count in channels:
        if count not in (1, 3):
            raise ModelFileError(f"its images have {count} channels, where 1 (grey) or 3 (RGB) were expected.", ALIKE)
    return channels


def from_reference(network: nn.Module, weights: Mapping[str, Tensor]) -> Weights:
    """Rename the reference's weights for `network`, in its precision.

    Biases and statistics that an instance norm makes void are left out; anything else that is missing or left over is
    an error, and so are other shapes and numbers that are not finite.
    """
    ours = network.state_dict()
    names = {reference_name(network, name): name for name in ours}
    _refuse_another_network(network, names.keys(), weights.keys())
    uncounted = torch.zeros((), dtype=torch.int64)
    return {name: _taken(theirs, weights.get(theirs, uncounted), ours[name]) for theirs, name in names.items()}


def to_reference(network: nn.Module) -> Weights:
    """Return the network's weights under the reference's names, with zeros for the biases that only it keeps."""
    weights = {reference_name(network, name): tensor for name, tensor in network.state_dict().items()}
    return weights | {name: torch.zeros(size) for name, size in _cancelled_biases(network).items()}


def reference_name(network: nn.Module, name: str) -> str:
    """Return what the reference calls the weight that `network` calls `name`."""
    if isinstance(network, UNetGenerator):
        side, level, place, kind = name.split(".")
        return f"{_unet_path(int(level))}.{int(place) + _unet_offset(side, int(level), len(network.down))}.{kind}"
    if isinstance(network, PixelDiscriminator):
        return name.replace("body.", "net.", 1)
    return name.replace("body.", "model.", 1).replace(".body.", ".conv_block.")


def _refuse_another_network(network: nn.Module, names: Set[str], given: Set[str]) -> None:
    """Raise an error unless the names given are those of `network`, but for what an instance norm makes void."""
    cancelled = _cancelled_biases(network).keys()
    missing = {name for name in names if not name.endswith(COUNTER)} - given
    unknown = given - names - cancelled - _void_statistics(network)
    if missing or unknown:
        raise ModelFileError(
            f"these weights are of another network: {len(missing)} missing, {len(unknown)} unknown, "
            f"such as {_some(missing | unknown)}.",
            ALIKE,
        )
    if cancelled and not cancelled & given:
        raise ModelFileError("this network has no norm: neither batch norms, nor the biases that go without.", ALIKE)


def _taken(name: str, theirs: Tensor, ours: Tensor) -> Tensor:
    """Return one of the reference's tensors as ours is: of the same shape and precision, and finite."""
    if theirs.shape != ours.shape or theirs.is_floating_point() != ours.is_floating_point():
        raise ModelFileError(f"{name} is {_described(theirs)}, where {_described(ours)} was expected.", ALIKE)
    tensor = theirs.to(ours.dtype)
    if not tensor.isfinite().all():
        raise ModelFileError(
            f"{name} holds numbers that are not finite: its training was lost.", "Use an earlier file."
        )
    return tensor


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {[*tensor.shape]}"


def _unet_path(level: int) -> str:
    """Return where a level stands: the reference nests its U-Net, each level inside the one before."""
    return "model.model" if level == 0 else "model.model.1.model" + ".3.model" * (level - 1)


def _unet_offset(side: str, level: int, depth: int) -> int:
    """Return where the way up begins within a level: after what goes down and, but for the waist, the next level."""
    if side == "down":
        return 0
    return 2 if level in (0, depth - 1) else 4


def _cancelled_biases(network: nn.Module) -> dict[str, int]:
    """Return the reference's biases that an instance norm takes away again, and how long each is."""
    modules = list(network.named_modules())
    if any(isinstance(module, nn.BatchNorm2d) for _, module in modules):
        return {}
    return {
        reference_name(network, f"{name}.bias"): module.out_channels
        for name, module in modules
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None
    }


def _void_statistics(network: nn.Module) -> set[str]:
    """Return the names of the statistics that instance norms once kept."""
    norms = [name for name, module in network.named_modules() if isinstance(module, InstanceNorm)]
    return {reference_name(network, f"{name}.{kind}") for name in norms for kind in STATISTICS}


def _unwrapped(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.partition(".")[2]
    return name


def _holds_tensors(value: object, levels: int) -> bool:
    """Tell whether a mapping holds tensors, within so many levels; those of an optimizer lie deeper."""
    if not isinstance(value, Mapping) or levels == 0:
        return False
    return any(isinstance(inner, Tensor) or _holds_tensors(inner, levels - 1) for inner in value.values())


def _is_whole(tensor: Tensor) -> bool:
    """Tell whether a tensor holds a number of its own for each of its places, in memory."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _norm(weights: Mapping[str, Tensor]) -> Norm:
    """Return which norm it is: only a batch norm has statistics and weights."""
    kept = [name.removesuffix(".running_mean") for name in weights if name.endswith(".running_mean")]
    return "batch" if any(f"{norm}.weight" in weights for norm in kept) else "instance"


def _width(weights: Mapping[str, Tensor], name: str) -> int:
    """Return how many channels a convolution makes."""
    return weights[name].shape[0] if weights[name].ndim else 0


def _count(pattern: str, names: Iterable[str]) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in names)


def _some(names: Iterable[str]) -> str:
    return printable(min(names))
