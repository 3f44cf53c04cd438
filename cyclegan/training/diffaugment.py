"""What discriminators are shown instead of images: the same, but elsewhere and with a hole.

DiffAugment (Zhao et al. 2020, 2006.10738) without its changes of colour: real images and fakes alike, in both updates,
so that few pictures are not soon known by heart, and generators still learn what is real and not what is augmented.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cyclegan.images import Images

CPU = torch.device("cpu")
CHOICES = 4  # random numbers for an image: shift down and right, hole down and right
SHIFT, HOLE = 1 / 8, 1 / 2  # of the side: the most that an image is shifted, and the side of the hole


class DiffAugment:
    """Augments what one discriminator sees in a step; its random choices are its own and survive a restart.

    They are drawn beforehand, on the host. Where nothing is `wanted`, images stay as they are.
    """

    def __init__(self, wanted: bool = False, seed: int = 0, device: torch.device = CPU) -> None:
        self.wanted = wanted
        self.random = torch.Generator().manual_seed(seed)
        self.choices = torch.zeros(0, CHOICES, device=device)

    def draw(self, count: int) -> None:
        """Choose how `count` fakes will be augmented for the generator, and as many pairs for the discriminator."""
        if self.wanted:
            choices = torch.rand(3 * count, CHOICES, generator=self.random)
            if self.choices.shape != choices.shape:
                self.choices = torch.zeros_like(choices, device=self.choices.device)
            self.choices.copy_(choices, non_blocking=True)

    def of_fakes(self, fakes: Images) -> Images:
        """Return the fakes as the discriminator sees them in the generator's step."""
        return augmented(fakes, self.choices[: len(fakes)]) if self.wanted else fakes

    def of_reals_and_fakes(self, real: Images, fakes: Images) -> tuple[Images, Images]:
        """Return what the discriminator learns from."""
        if not self.wanted:
            return real, fakes
        count = len(real)
        return augmented(real, self.choices[count : 2 * count]), augmented(fakes, self.choices[2 * count :])

    def state(self) -> dict[str, Tensor]:
        """Return all that a restart needs."""
        return {"random": self.random.get_state()} if self.wanted else {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state."""
        if self.wanted:
            self.random.set_state(state["random"])


def augmented(images: Images, choices: Float[Tensor, f"n {CHOICES}"]) -> Images:
    """Return images as the choices, from 0 to 1, have them."""
    down, right, hole_down, hole_right = choices.unbind(1)
    height, width = images.shape[2:]
    shifted = shifts(height, down).to(images.dtype) @ images @ shifts(width, right).to(images.dtype).mT
    hole = within(height, hole_down)[:, None, :, None] & within(width, hole_right)[:, None, None, :]
    return shifted.masked_fill(hole, 0.0)


def shifts(side: int, choices: Float[Tensor, " n"]) -> Float[Tensor, "n 1 {side} {side}"]:
    """Return matrices that move rows by up to an eighth of their number and leave zeros, exactly."""
    most = round(side * SHIFT)
    steps = (choices * (2 * most + 1)).floor() - most
    places = torch.arange(side, device=choices.device)
    return (places[:, None] + steps[:, None, None, None] == places).float()


def within(side: int, choices: Float[Tensor, " n"]) -> Bool[Tensor, "n {side}"]:
    """Tell which of `side` rows lie in a hole, half as high, around one of them."""
    reach = round(side * HOLE) / 2
    middle = (choices * (side + 1)).floor()[:, None]
    places = torch.arange(side, device=choices.device)
    return (places >= middle - reach) & (places < middle + reach)
