"""The losses: tensors in, one number out.

Zhu et al. 2017, section 3; least squares after Mao et al. 2017, hinge after Lim and Ye 2017.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from cyclegan.images import Images

Objective = Literal["lsgan", "vanilla", "hinge"]


def generator_loss(scores: Tensor, objective: Objective) -> Tensor:
    """Return how far a discriminator is from taking fakes for real; `scores` are its scores of the fakes."""
    if objective == "lsgan":
        return (scores - 1).square().mean()
    if objective == "vanilla":
        return F.softplus(-scores).mean()
    return -scores.mean()


def discriminator_loss(real: Tensor, fake: Tensor, objective: Objective) -> Tensor:
    """Return how far a discriminator is from telling real from fake by its scores of both: half the sum of its errors.

    The half slows the discriminators, relative to the generators (section 4).
    """
    if objective == "lsgan":
        errors = (real - 1).square().mean() + fake.square().mean()
    elif objective == "vanilla":
        errors = F.softplus(-real).mean() + F.softplus(fake).mean()
    else:
        errors = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return errors / 2


def distance(image: Images, other: Images) -> Tensor:
    """Return the mean absolute difference of two batches: the cycle and the identity loss before their weights."""
    return (image - other).abs().mean()
