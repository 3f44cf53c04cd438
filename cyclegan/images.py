"""The pixel convention: float, [-1, 1], n c h w, RGB."""

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "n c h w"]
