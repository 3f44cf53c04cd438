"""What the doctor measures: the vital signs of every step, and now and then an examination of a few pictures.

Every number stays on the device; what the numbers mean stands in `health`.
"""

from collections.abc import Callable
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cyclegan.images import Images
from cyclegan.losses import Objective, generator_loss

Numbers = dict[str, Tensor]
Redraw = Callable[[Images], Images]
Others = Float[Tensor, "_n _c h w"]  # of another domain: their number and their channels may differ
NOISE = 0.02  # standard deviation: 1 % of the way from black to white


def score_signs(side: str, real: Tensor, fake: Tensor, objective: Objective) -> Numbers:
    """Return how the discriminator of one domain judges: its mean scores, their spread, and its rate of right guesses.

    A score above the middle says "real"; the objective decides where the middle is.
    """
    scores = torch.stack([real.detach(), fake.detach()]).flatten(1)
    middle = 0.5 if objective == "lsgan" else 0.0
    real_score, fake_score = scores.mean(1)
    called_real = (scores > middle).float().mean(1)  # the share of the real, of the fakes
    return {
        f"real_score_{side}": real_score,
        f"fake_score_{side}": fake_score,
        f"score_spread_{side}": scores.std(correction=0),
        f"right_guesses_{side}": (called_real[0] + 1 - called_real[1]) / 2,
    }


def push(discriminator: nn.Module, fake: Images, objective: Objective) -> Tensor:
    """Return how hard a discriminator pushes translations: by how much its verdict follows a change of all pixels."""
    with torch.enable_grad():
        shown = fake.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(generator_loss(discriminator(shown), objective), shown)
    return gradient.abs().sum()


def examine_translations(real: Images, fake: Others, target: Others) -> Numbers:
    """Return how translations compare with what they were made from, and with real images of the target domain.

    change: the mean difference to the input, as a share of that between images of the two domains.
    diversity: the mean difference between two translations, as a share of that between two images of the target.
    correlation: of the pixels of a translation and of its input, from -1, its negative, to 1.
    """
    strangers = torch.stack([difference(image, other) for image in real for other in target]).mean()
    return {
        "change": difference(fake, real) / strangers,
        "diversity": diversity(fake) / diversity(target),
        "correlation": correlation(fake, real),
    }


def examine_cycle(real: Images, fake: Others, back: Redraw, as_jpeg: Redraw) -> Numbers:
    """Return the mean cycle error of translations as they are, rounded to 8 bits, compressed as JPEG and given noise.

    fragility: the most that it grows, relative to what was done to the translation. An honest way back passes on about
    as much as it is given; one that reads a hidden message loses far more.
    """
    noise = torch.randn(fake.shape, generator=torch.Generator().manual_seed(0)).to(fake) * NOISE
    worn = {"rounded": rounded(fake), "jpeg": as_jpeg(fake), "noise": fake + noise}
    clean = difference(back(fake), real)
    errors = {name: difference(back(image), real) for name, image in worn.items()}
    growths = [(errors[name] - clean) / difference(image, fake) for name, image in worn.items()]
    named = {f"cycle_error_{name}": error for name, error in errors.items()}
    return {"cycle_error": clean, **named, "fragility": torch.stack(growths).max()}


def rounded(images: Images) -> Images:
    """Return images as 8 bits can hold them."""
    return images.add(1.0).mul(127.5).round().div(127.5).sub(1.0)


def difference(image: Tensor, other: Tensor) -> Float[Tensor, ""]:
    """Return the mean absolute difference."""
    return (image - other).abs().mean()


def diversity(images: Images) -> Float[Tensor, ""]:
    """Return the mean difference of two images of a batch; zero where there is only one."""
    pairs = list(combinations(images, 2)) or [(images[0], images[0])]
    return torch.stack([difference(image, other) for image, other in pairs]).mean()


def correlation(images: Images, others: Others) -> Float[Tensor, ""]:
    """Return the mean correlation of each image with its counterpart, around every channel's mean; grey if need be."""
    first, second = (batch - batch.mean((2, 3), keepdim=True) for batch in (images, others))
    if first.shape[1] != second.shape[1]:
        first, second = first.mean(1), second.mean(1)
    return torch.cosine_similarity(first.flatten(1), second.flatten(1)).mean()
