"""DiffAugment (Zhao et al. 2020, 2006.10738): discriminators see shifted images with a hole.

Real images and fakes alike, in both updates: discriminators memorise few pictures less, and generators do not learn to
make augmented images. Without the paper's changes of colour.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cyclegan.devices import CPU
from cyclegan.images import Images

CHOICES = 4  # random numbers for an image: shift down and right, hole down and right
SHIFT, HOLE = 1 / 8, 1 / 2  # of the image: its largest shift, and the size of the hole


class DiffAugment:
    """Augments the images that one discriminator sees in a step, if it is `enabled`.

    It has its own random generator, which is saved with the state. Random choices are drawn beforehand, on the host, so
    that a CUDA graph can hold the augmentation.
    """

    def __init__(self, enabled: bool = False, seed: int = 0, device: torch.device = CPU) -> None:
        self.enabled = enabled
        self.random = torch.Generator().manual_seed(seed)
        self.choices = torch.zeros(0, CHOICES, device=device)

    def draw(self, count: int) -> None:
        """Draw for `count` fakes of the generator's update, and as many reals and fakes of the discriminator's."""
        if self.enabled:
            choices = torch.rand(3 * count, CHOICES, generator=self.random)
            if self.choices.shape != choices.shape:
                self.choices = torch.zeros_like(choices, device=self.choices.device)
            self.choices.copy_(choices, non_blocking=True)

    def of_fakes(self, fakes: Images) -> Images:
        """Return the augmented fakes of the generator's update."""
        return augmented(fakes, self.choices[: len(fakes)]) if self.enabled else fakes

    def of_reals_and_fakes(self, real: Images, fakes: Images) -> tuple[Images, Images]:
        """Return augmented reals and fakes of the discriminator's update."""
        if not self.enabled:
            return real, fakes
        count = len(real)
        return augmented(real, self.choices[count : 2 * count]), augmented(fakes, self.choices[2 * count :])

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that a restart needs."""
        return {"random": self.random.get_state()} if self.enabled else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go back to a state."""
        if self.enabled:
            self.random.set_state(state["random"])


def augmented(images: Images, choices: Float[Tensor, f"n {CHOICES}"]) -> Images:
    """Return augmented images; the choices lie in [0, 1)."""
    down, right, hole_down, hole_right = choices.unbind(1)
    height, width = images.shape[2:]
    shifted = shifts(height, down).to(images.dtype) @ images @ shifts(width, right).to(images.dtype).mT
    hole = in_hole(height, hole_down)[:, None, :, None] & in_hole(width, hole_right)[:, None, None, :]
    return shifted.masked_fill(hole, 0.0)


def shifts(size: int, choices: Float[Tensor, " n"]) -> Float[Tensor, "n 1 {size} {size}"]:
    """Return matrices that shift `size` rows by up to SHIFT of them, and fill with zeros."""
    max_shift = round(size * SHIFT)
    steps = (choices * (2 * max_shift + 1)).floor() - max_shift
    rows = torch.arange(size, device=choices.device)
    return (rows[:, None] + steps[:, None, None, None] == rows).float()


def in_hole(size: int, choices: Float[Tensor, " n"]) -> Bool[Tensor, "n {size}"]:
    """Tell which of `size` rows lie in a hole of HOLE of them, around a random row."""
    reach = round(size * HOLE) / 2
    middle = (choices * (size + 1)).floor()[:, None]
    rows = torch.arange(size, device=choices.device)
    return (rows >= middle - reach) & (rows < middle + reach)
