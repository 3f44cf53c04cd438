"""The losses: tensors in, one number out.

Zhu et al. 2017, section 3; least squares after Mao et al. 2017, hinge after Lim and Ye 2017.
"""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cyclegan.directions import DIRECTIONS, DirectionName, names_of
from cyclegan.images import Images

# Every term of the generators' loss, and the ending of its name in metrics: the direction of the translation, or the
# domain (source or target of that direction) whose real images it compares with.
GENERATOR_TERMS = {
    "gan": "direction",
    "cycle": "source",
    "identity": "target",
    "paired": "direction",
    "distill": "direction",
}
Objective = Literal["lsgan", "vanilla", "hinge"]


def term_name(term: str, direction: DirectionName) -> str:
    """Return the name of a generator's term in one direction, as in `cycle_a` for the term `cycle` of `a2b`."""
    return f"{term}_{getattr(names_of(direction), GENERATOR_TERMS[term])}"


LOSS_NAMES = (
    *(name for term in GENERATOR_TERMS for name in sorted(term_name(term, direction) for direction, *_ in DIRECTIONS)),
    *("disc_a", "disc_b"),
)


def gan_loss(scores: Tensor, objective: Objective) -> Tensor:
    """Return the adversarial loss of a generator, from the discriminator's `scores` of its fakes."""
    if objective == "lsgan":
        return (scores - 1).square().mean()
    if objective == "vanilla":
        return F.softplus(-scores).mean()
    return -scores.mean()


def discriminator_loss(
    real: Tensor, fake: Tensor, objective: Objective, is_pair: Float[Tensor, " n"] | None = None
) -> Tensor:
    """Return the loss of a discriminator, from its scores of real images and of fakes.

    Half the sum of both errors: the half slows the discriminators, relative to the generators (section 4). With
    `is_pair`, samples that are no pairs (0) have no error.
    """
    if objective == "lsgan":
        real_errors, fake_errors = (real - 1).square(), fake.square()
    elif objective == "vanilla":
        real_errors, fake_errors = F.softplus(-real), F.softplus(fake)
    else:
        real_errors, fake_errors = F.relu(1 - real), F.relu(1 + fake)
    if is_pair is not None:
        real_errors, fake_errors = (errors * is_pair[:, None, None, None] for errors in (real_errors, fake_errors))
    return (real_errors.mean() + fake_errors.mean()) / 2


def paired_l1(image: Images, truth: Images, is_pair: Float[Tensor, " n"]) -> Tensor:
    """Return the mean absolute difference of a batch to its truth; samples that are no pairs (0) count as equal."""
    return ((image - truth).abs().mean((1, 2, 3)) * is_pair).mean()


def l1(image: Images, other: Images) -> Tensor:
    """Return the mean absolute difference of two batches: cycle, identity and distillation losses unweighted."""
    return (image - other).abs().mean()
