"""What diagnostics measure: of every step its discriminator scores, and now and then translations of a few pictures.

Every number stays on the device; `rules` says what the numbers mean.
"""

from collections.abc import Callable
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cyclegan.images import Images
from cyclegan.losses import Objective, gan_loss
from cyclegan.models import discriminator_input

Numbers = dict[str, Tensor]
Transform = Callable[[Images], Images]
Others = Float[Tensor, "_n _c h w"]  # of another domain: their number and their channels may differ
NOISE = 0.02  # standard deviation: 1 % of the way from black to white


def discriminator_measures(domain: str, real: Tensor, fake: Tensor, objective: Objective) -> Numbers:
    """Return the mean scores of one domain's discriminator, their standard deviation, and its accuracy.

    A score above the middle counts as "real"; the objective decides where the middle is.
    """
    scores = torch.stack([real.detach(), fake.detach()]).flatten(1)
    middle = 0.5 if objective == "lsgan" else 0.0
    real_score, fake_score = scores.mean(1)
    called_real = (scores > middle).float().mean(1)  # the share of the real, of the fakes
    return {
        f"real_score_{domain}": real_score,
        f"fake_score_{domain}": fake_score,
        f"score_std_{domain}": scores.std(correction=0),
        f"disc_accuracy_{domain}": (called_real[0] + 1 - called_real[1]) / 2,
    }


def fake_gradient_norm(
    discriminator: nn.Module, fake: Images, objective: Objective, source: Images | None = None
) -> Tensor:
    """Return the L1 norm of the adversarial loss's gradient at the pixels of fakes: how much a generator is taught.

    A conditional discriminator needs the sources of the fakes.
    """
    with torch.enable_grad():
        image = fake.detach().requires_grad_()
        scores = discriminator(discriminator_input(image, source))
        (gradient,) = torch.autograd.grad(gan_loss(scores, objective), image)
    return gradient.abs().sum()


def translation_measures(real: Images, fake: Others, target: Others) -> Numbers:
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


def cycle_measures(real: Images, fake: Others, back: Transform, as_jpeg: Transform) -> Numbers:
    """Return the mean cycle error of translations as they are, rounded to 8 bits, compressed as JPEG and given noise.

    fragility: the most that it grows, relative to the change of the translation. A generator that inverts what is
    visible passes on about as much as it receives; one that reads a hidden message loses far more.
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
