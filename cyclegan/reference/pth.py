"""Weights of the reference, converted to our names and back.

The reference is the CycleGAN authors' PyTorch code, junyanz/pytorch-CycleGAN-and-pix2pix. Its published `.pth` files
hold one network each.
"""

import re
from collections.abc import Iterable, Mapping, Set

import torch
from torch import Tensor, nn

from cyclegan.config import DiscriminatorConfig, GeneratorConfig
from cyclegan.errors import ConfigError, ModelFileError
from cyclegan.models import NetworkConfig, PixelDiscriminator, UNetGenerator
from cyclegan.models.layers import InstanceNorm, Norm
from cyclegan.text import printable

Weights = dict[str, Tensor]

NETWORK_NAMES = {
    "G_A": "a2b",
    "G_B": "b2a",
    "D_A": "disc_b",
    "D_B": "disc_a",
}  # the reference's D_A scores outputs of G_A: images of B
GENERATOR_NAMES = ("generator", "gen", "netg", "net_g", "g")  # in lower case
CHECKPOINT_KEYS = (  # of a generator's weights in checkpoints, in lower case, the preferred ones first
    *("params_ema", "ema", *(f"{name}_ema" for name in GENERATOR_NAMES)),
    *("params", "model_state_dict", "state_dict", "model"),
    *(f"{name}{end}" for name in GENERATOR_NAMES for end in ("", "_state_dict")),
)
MAX_NESTING = 2  # of these keys
FIRST_WEIGHT_NAMES = (
    "model.model.0.weight",
    "model.1.weight",
    "net.0.weight",
    "model.0.weight",
)  # of each architecture; see `infer_config`
WRAPPERS = ("module.", "_orig_mod.")  # prefixes of DataParallel and torch.compile
BATCH_COUNTER = "num_batches_tracked"  # of batch norms since torch 0.4.1; has no effect
NORM_STATISTICS = (
    "running_mean",
    "running_var",
    BATCH_COUNTER,
)  # of instance norms before torch 0.4, which never used them
CHANNELS_OF_TWO_IMAGES = (2, 4, 6)
STATE_DICT_HINT = "Save the network's state_dict() alone."
SEPARATE_FILES_HINT = "Save the state_dict() of each in a file of its own."
SUPPORTED_HINT = "Only networks as the reference builds them, for grey or RGB pictures, can be imported."


def extract_weights(saved: object) -> Weights:
    """Return the weights in the contents of a `.pth` file, without prefixes of wrappers.

    Of a checkpoint with epochs, optimizers or a discriminator, return the generator's weights.
    """
    saved = unwrap_checkpoint(saved)
    if not isinstance(saved, Mapping) or not saved:
        raise ModelFileError("it holds no weights by name.", STATE_DICT_HINT)
    weights = {_strip_wrappers(str(name)): value for name, value in saved.items()}
    if len(weights) < len(saved):
        raise ModelFileError("it holds weights twice, with a prefix and without.", STATE_DICT_HINT)
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise ModelFileError(
                f"its entry {printable(name)} is no tensor but {type(value).__name__}.", STATE_DICT_HINT
            )
        if not _is_complete(value):
            raise ModelFileError(f"its tensor {printable(name)} does not hold all its numbers.", STATE_DICT_HINT)
    return strip_prefixes(weights)


def unwrap_checkpoint(saved: object) -> object:
    """Return the weights inside a checkpoint; return anything else unchanged."""
    for _ in range(MAX_NESTING):
        if not isinstance(saved, Mapping) or any(isinstance(value, Tensor) for value in saved.values()):
            return saved
        networks = {str(name): value for name, value in saved.items() if _holds_tensors(value, MAX_NESTING)}
        preferred = [networks[name] for key in CHECKPOINT_KEYS for name in networks if name.lower() == key]
        if not preferred and len(networks) > 1:
            raise ModelFileError(f"it holds several networks: {printable(', '.join(networks))}.", SEPARATE_FILES_HINT)
        if not networks:
            return saved
        saved = (preferred or list(networks.values()))[0]
    return saved


def strip_prefixes(weights: Weights) -> Weights:
    """Remove prefixes that all names share; where names have prefixes of several networks, select the generator."""
    stripped = weights
    for generator in GENERATOR_NAMES:
        split = {name: name.partition(".") for name in stripped}
        selected = {rest: stripped[name] for name, (first, _, rest) in split.items() if first.lower() == generator}
        stripped = selected or stripped
    while not any(name in stripped for name in FIRST_WEIGHT_NAMES):
        prefixes = {name.partition(".")[0] for name in stripped}
        if len(prefixes) > 1 or not all(name.partition(".")[2] for name in stripped):
            return weights
        stripped = {name.partition(".")[2]: value for name, value in stripped.items()}
    return stripped


def infer_config(weights: Mapping[str, Tensor]) -> NetworkConfig:
    """Infer the settings of a network from the names and shapes of its weights.

    Dropout in a U-Net cannot be seen; in a ResNet it shifts a block's second convolution from index 5 to 6.
    """
    try:
        if "model.model.0.weight" in weights:
            depth = 1 + _count(r"model\.model\.1\.model(\.3\.model)*\.1\.weight", weights)
            width = _width(weights, "model.model.0.weight")
            return GeneratorConfig(architecture="unet", width=width, depth=depth, norm=_norm(weights))
        if "model.1.weight" in weights:
            blocks, without_dropout = (_count(rf"model\.\d+\.conv_block\.{index}\.weight", weights) for index in (1, 5))
            width, dropout = _width(weights, "model.1.weight"), blocks > without_dropout
            return GeneratorConfig(width=width, blocks=blocks, norm=_norm(weights), dropout=dropout)
        if "net.0.weight" in weights:
            width, conditional = _width(weights, "net.0.weight"), _is_conditional(weights, "net.0.weight")
            return DiscriminatorConfig(architecture="pixel", width=width, norm=_norm(weights), conditional=conditional)
        if "model.0.weight" in weights:
            convolutions = sum(tensor.ndim == 4 for tensor in weights.values())
            width, conditional = _width(weights, "model.0.weight"), _is_conditional(weights, "model.0.weight")
            norm = _norm(weights)
            return DiscriminatorConfig(width=width, layers=convolutions - 2, norm=norm, conditional=conditional)
    except ConfigError as error:
        raise ModelFileError(f"its network cannot be built: {error}", SUPPORTED_HINT) from error
    raise ModelFileError(f"it holds no known network, but {_example(weights)}.", SUPPORTED_HINT)


def infer_channels(config: NetworkConfig, weights: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return the channels of a network's input and, for a generator, of its output, from the shapes of its weights.

    Images have 1 or 3, and conditional discriminators see two of them; other numbers are an error. Where a weight is
    missing they are 3; `from_reference` raises the error.
    """
    if isinstance(config, DiscriminatorConfig):
        weight_axes = [("net.0.weight" if config.architecture == "pixel" else "model.0.weight", 1)]
    elif config.architecture == "unet":
        weight_axes = [("model.model.0.weight", 1), ("model.model.3.weight", 1)]  # the last is transposed
    else:
        weight_axes = [("model.1.weight", 1), (f"model.{17 + int(config.blocks)}.weight", 0)]
    shapes = [(weights[name].shape if name in weights else (), axis) for name, axis in weight_axes]
    channels = tuple(shape[axis] if len(shape) == 4 else 3 for shape, axis in shapes)
    is_conditional = isinstance(config, DiscriminatorConfig) and config.conditional
    for count in channels:
        if count not in (1, 3) and not is_conditional:
            raise ModelFileError(
                f"its images have {count} channels, where 1 (grey) or 3 (RGB) were expected.", SUPPORTED_HINT
            )
    return channels


def from_reference(network: nn.Module, weights: Mapping[str, Tensor]) -> Weights:
    """Rename the reference's weights for `network`, in its precision.

    Biases and statistics without effect, because of an instance norm, are left out. Other missing or additional names,
    other shapes and non-finite numbers are errors.
    """
    ours = network.state_dict()
    names = {reference_name(network, name): name for name in ours}
    _check_names(network, names.keys(), weights.keys())
    zero_count = torch.zeros((), dtype=torch.int64)
    return {name: _converted(theirs, weights.get(theirs, zero_count), ours[name]) for theirs, name in names.items()}


def to_reference(network: nn.Module) -> Weights:
    """Return the network's weights under the reference's names, with zeros for biases that only the reference has."""
    weights = {reference_name(network, name): tensor for name, tensor in network.state_dict().items()}
    return weights | {name: torch.zeros(size) for name, size in _unused_biases(network).items()}


def reference_name(network: nn.Module, name: str) -> str:
    """Return the reference's name of a weight of `network`."""
    if isinstance(network, UNetGenerator):
        half, level, index, kind = name.split(".")
        return f"{_unet_path(int(level))}.{int(index) + _unet_offset(half, int(level), len(network.down))}.{kind}"
    if isinstance(network, PixelDiscriminator):
        return name.replace("body.", "net.", 1)
    return name.replace("body.", "model.", 1).replace(".body.", ".conv_block.")


def _check_names(network: nn.Module, expected: Set[str], names: Set[str]) -> None:
    """Raise an error unless `names` are the `expected` ones, but for biases and statistics without effect."""
    biases = _unused_biases(network).keys()
    missing = {name for name in expected if not name.endswith(BATCH_COUNTER)} - names
    unknown = names - expected - biases - _unused_statistics(network)
    if missing or unknown:
        raise ModelFileError(
            f"these weights are of another network: {len(missing)} missing, {len(unknown)} unknown, "
            f"such as {_example(missing | unknown)}.",
            SUPPORTED_HINT,
        )
    if biases and not biases & names:
        raise ModelFileError(
            "this network has no norm: neither batch norms, nor biases before instance norms.", SUPPORTED_HINT
        )


def _converted(name: str, theirs: Tensor, ours: Tensor) -> Tensor:
    """Return one of the reference's tensors in our precision; another shape or a non-finite number is an error."""
    if theirs.shape != ours.shape or theirs.is_floating_point() != ours.is_floating_point():
        raise ModelFileError(
            f"{name} is {_type_and_shape(theirs)}, where {_type_and_shape(ours)} was expected.", SUPPORTED_HINT
        )
    tensor = theirs.to(ours.dtype)
    if not tensor.isfinite().all():
        raise ModelFileError(
            f"{name} holds numbers that are not finite: its training diverged.", "Use an earlier file."
        )
    return tensor


def _type_and_shape(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {[*tensor.shape]}"


def _unet_path(level: int) -> str:
    """Return the path of a level: the reference nests its U-Net, each level inside the one before."""
    return "model.model" if level == 0 else "model.model.1.model" + ".3.model" * (level - 1)


def _unet_offset(half: str, level: int, depth: int) -> int:
    """Return the index of the first layer of a half ("down" or "up") within a level."""
    if half == "down":
        return 0
    return 2 if level in (0, depth - 1) else 4


def _unused_biases(network: nn.Module) -> dict[str, int]:
    """Return the reference's biases that an instance norm cancels, with their lengths."""
    modules = list(network.named_modules())
    if any(isinstance(module, nn.BatchNorm2d) for _, module in modules):
        return {}
    return {
        reference_name(network, f"{name}.bias"): module.out_channels
        for name, module in modules
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None
    }


def _unused_statistics(network: nn.Module) -> set[str]:
    """Return the names of statistics of old instance norms."""
    norms = [name for name, module in network.named_modules() if isinstance(module, InstanceNorm)]
    return {reference_name(network, f"{name}.{kind}") for name in norms for kind in NORM_STATISTICS}


def _strip_wrappers(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.partition(".")[2]
    return name


def _holds_tensors(value: object, nesting: int) -> bool:
    """Tell whether a mapping holds tensors within this nesting; those of an optimizer lie deeper."""
    if not isinstance(value, Mapping) or nesting == 0:
        return False
    return any(isinstance(inner, Tensor) or _holds_tensors(inner, nesting - 1) for inner in value.values())


def _is_complete(tensor: Tensor) -> bool:
    """Tell whether a tensor has its own number in memory for each element."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _norm(weights: Mapping[str, Tensor]) -> Norm:
    """Return the kind of norm: only a batch norm has statistics and weights."""
    norms = [name.removesuffix(".running_mean") for name in weights if name.endswith(".running_mean")]
    return "batch" if any(f"{norm}.weight" in weights for norm in norms) else "instance"


def _width(weights: Mapping[str, Tensor], name: str) -> int:
    """Return the output channels of a convolution."""
    return weights[name].shape[0] if weights[name].ndim else 0


def _is_conditional(weights: Mapping[str, Tensor], name: str) -> bool:
    """Tell whether the convolution of this name takes two images, each grey or RGB."""
    return weights[name].ndim == 4 and weights[name].shape[1] in CHANNELS_OF_TWO_IMAGES


def _count(pattern: str, names: Iterable[str]) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in names)


def _example(names: Iterable[str]) -> str:
    return printable(min(names))
