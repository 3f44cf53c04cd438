"""LPIPS: the distance of two pictures in an AlexNet's features, weighted to agree with people (Zhang et al. 2018)."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from cyclegan.errors import require_extra
from cyclegan.evaluation.extractors import torch_cache
from cyclegan.text import printable

LPIPS_MIN_SIDE = 64  # pixels; of smaller pictures AlexNet's last layer sees nothing
Lpips = Callable[[Tensor, Tensor], Tensor]  # batches of one, 1 3 h w, of 0 to 255; 0: equal


def alexnet_file() -> Path:
    """Return where torchvision keeps AlexNet's weights, whether they are there or not."""
    return torch_cache() / Path(alexnet_url()).name


def alexnet_url() -> str:
    """Return the URL from which torchvision gets AlexNet's weights."""
    url: str = require_extra("torchvision.models", "evaluate").AlexNet_Weights.DEFAULT.url
    return url


def load_lpips(device: torch.device) -> Lpips | None:
    """Return LPIPS; None if AlexNet's weights are not on this machine, as nothing is downloaded for it."""
    if not alexnet_file().is_file():
        return None
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(device)

    def lpips(picture: Tensor, other: Tensor) -> Tensor:
        distance: Tensor = metric(picture.to(device) / 255, other.to(device) / 255)
        return distance.detach()

    return lpips


def why_no_lpips() -> str:
    """Return why LPIPS cannot be measured, and what to do."""
    if alexnet_file().is_file():
        return f"a picture is smaller than {LPIPS_MIN_SIDE} pixels; give a --size"
    return f"it needs AlexNet's weights, {alexnet_url()} (233 MiB), in {printable(torch_cache())}"
