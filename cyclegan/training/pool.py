"""The image pool: past fakes that the discriminators also see (Zhu et al. 2017, section 4; Shrivastava et al. 2017)."""

import torch
from torch import Tensor

from cyclegan.images import Images

State = dict[str, Tensor]
CPU = torch.device("cpu")


class ImagePool:
    """Keeps up to `size` past fakes; its random choices are its own and survive a restart.

    What the next fakes are traded for is drawn beforehand, on the host; the trade itself is the device's.
    """

    def __init__(
        self,
        size: int,
        seed: int,
        device: torch.device = CPU,
        layout: torch.memory_format = torch.contiguous_format,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.size = size
        self.device = device
        self.layout = layout
        self.dtype = dtype  # of what is kept; what the discriminators compute in loses nothing
        self.images = torch.zeros(0, device=device)  # size c h w, once the first fake has come
        self.held = 0  # of these, from the first on
        self.random = torch.Generator().manual_seed(seed)
        self.choices = torch.zeros(3, 0, dtype=torch.long, device=device)

    def draw(self, count: int) -> None:
        """Choose, for each of the next `count` fakes, a place, whether it goes there, and whether what was there comes.

        Until the pool is full each finds a place of its own; then, half the time, it is swapped for an older one.
        """
        if self.size:
            choices = torch.tensor([self._choice() for _ in range(count)]).T
            if self.choices.shape != choices.shape:
                self.choices = torch.zeros_like(choices, device=self.device)
            self.choices.copy_(choices, non_blocking=True)

    def trade(self, fakes: Images) -> Images:
        """Give each fake, or the older one that was drawn for it."""
        if self.size == 0:
            return fakes
        if not len(self.images):
            self.images = self._room(fakes)
        given = []
        for fake, place, goes, swapped in zip(*(torch.split(row, 1) for row in (fakes, *self.choices)), strict=True):
            older = self.images.index_select(0, place)
            self.images.index_copy_(0, place, torch.where(goes.bool(), fake.to(self.dtype), older))
            given.append(torch.where(swapped.bool(), older.to(fake.dtype), fake))
        return torch.cat(given)

    def discard_broken(self) -> None:
        """Throw out fakes that hold anything but finite numbers."""
        whole = [image for image in self.images[: self.held] if image.isfinite().all()]
        self.held = len(whole)
        if whole:
            self.images[: self.held] = torch.stack(whole)

    def state(self) -> State:
        """Return all that a restart needs."""
        images = {"images": self.images[: self.held].contiguous()} if self.held else {}
        return images | {"random": self.random.get_state()}

    def restore(self, state: State) -> None:
        """Go back to a state."""
        self.images, self.held = torch.zeros(0, device=self.device), 0
        if "images" in state:
            images = state["images"].to(self.device)
            self.images, self.held = self._room(images), len(images)
            self.images[: self.held] = images
        self.random.set_state(state["random"])

    def _room(self, images: Images) -> Tensor:
        room = images.new_zeros(self.size, *images.shape[1:], dtype=self.dtype)
        return room.contiguous(memory_format=self.layout)

    def _choice(self) -> tuple[int, bool, bool]:
        if self.held < self.size:
            self.held += 1
            return self.held - 1, True, False
        coin, place = torch.rand(2, generator=self.random).tolist()
        swapped = coin >= 0.5
        return int(place * self.size), swapped, swapped
