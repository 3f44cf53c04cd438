"""The image pool: past fakes that the discriminators also see (Zhu et al. 2017, section 4; Shrivastava et al. 2017)."""

import torch
from torch import Tensor

from cyclegan.checkpoints.model_file import Tensors
from cyclegan.devices import CPU
from cyclegan.images import Images


class ImagePool:
    """Keeps up to `size` past fakes; it has a random generator of its own, which is saved with it.

    The random choices of a query are drawn beforehand, on the host, so that a CUDA graph can hold the query.
    """

    def __init__(
        self,
        size: int,
        seed: int,
        device: torch.device = CPU,
        memory_format: torch.memory_format = torch.contiguous_format,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.size = size
        self.device = device
        self.memory_format = memory_format
        self.dtype = dtype  # of stored fakes; the precision of the discriminators loses nothing
        self.images = torch.zeros(0, device=device)  # size c h w, once the first fake has come
        self.held = 0  # of these, from the first on
        self.random = torch.Generator().manual_seed(seed)
        self.choices = torch.zeros(3, 0, dtype=torch.long, device=device)

    def draw(self, count: int) -> None:
        """Draw for each of `count` fakes an index, whether it is stored there, and whether the older one comes out.

        Until the pool is full every fake is stored and returned; then, half the time, it is swapped for an older one.
        """
        if self.size:
            choices = torch.tensor([self._choice() for _ in range(count)]).T
            if self.choices.shape != choices.shape:
                self.choices = torch.zeros_like(choices, device=self.device)
            self.choices.copy_(choices, non_blocking=True)

    def query(self, fakes: Images) -> Images:
        """Return for each fake itself, or the older one that was drawn for it, which it replaces."""
        if self.size == 0:
            return fakes
        if not len(self.images):
            self.images = self._room(fakes)
        returned = []
        for fake, index, stored, swapped in zip(*(torch.split(row, 1) for row in (fakes, *self.choices)), strict=True):
            older = self.images.index_select(0, index)
            self.images.index_copy_(0, index, torch.where(stored.bool(), fake.to(self.dtype), older))
            returned.append(torch.where(swapped.bool(), older.to(fake.dtype), fake))
        return torch.cat(returned)

    def discard_non_finite(self) -> None:
        """Drop fakes that hold numbers that are not finite."""
        whole = [image for image in self.images[: self.held] if image.isfinite().all()]
        self.held = len(whole)
        if whole:
            self.images[: self.held] = torch.stack(whole)

    def state_dict(self) -> Tensors:
        """Return all that a restart needs."""
        images = {"images": self.images[: self.held].contiguous()} if self.held else {}
        return images | {"random": self.random.get_state()}

    def load_state_dict(self, state: Tensors) -> None:
        """Go back to a state."""
        self.images, self.held = torch.zeros(0, device=self.device), 0
        if "images" in state:
            images = state["images"].to(self.device)
            self.images, self.held = self._room(images), len(images)
            self.images[: self.held] = images
        self.random.set_state(state["random"])

    def _room(self, images: Images) -> Tensor:
        room = images.new_zeros(self.size, *images.shape[1:], dtype=self.dtype)
        return room.contiguous(memory_format=self.memory_format)

    def _choice(self) -> tuple[int, bool, bool]:
        if self.held < self.size:
            self.held += 1
            return self.held - 1, True, False
        coin, position = torch.rand(2, generator=self.random).tolist()
        swapped = coin >= 0.5
        return int(position * self.size), swapped, swapped
