"""The image pool: past fakes that the discriminators also see (Zhu et al. 2017, section 4; Shrivastava et al. 2017)."""

import torch
from torch import Tensor

from cyclegan.images import Images

State = dict[str, Tensor]


class ImagePool:
    """Keeps up to `size` past fakes; its random choices are its own and survive a restart."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.images: list[Tensor] = []  # each c h w
        self.random = torch.Generator().manual_seed(seed)

    def trade(self, fakes: Images) -> Images:
        """Swap each fake for itself or, half the time once the pool is full, for an older one, which it replaces."""
        if self.size == 0:
            return fakes
        return torch.stack([self._trade_one(fake) for fake in fakes])

    def _trade_one(self, fake: Tensor) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(fake.clone())
            return fake
        coin, place = torch.rand(2, generator=self.random).tolist()
        if coin < 0.5:
            return fake
        chosen = int(place * self.size)
        older, self.images[chosen] = self.images[chosen], fake.clone()
        return older

    def discard_broken(self) -> None:
        """Throw out fakes that hold anything but finite numbers."""
        self.images = [image for image in self.images if image.isfinite().all()]

    def state(self) -> State:
        """Return all that a restart needs."""
        images = {"images": torch.stack(self.images)} if self.images else {}
        return images | {"random": self.random.get_state()}

    def restore(self, state: State, device: torch.device) -> None:
        """Go back to a state."""
        self.images = list(state["images"].to(device)) if "images" in state else []
        self.random.set_state(state["random"])
