"""Second attempts where a device cannot translate a picture as planned: smaller strips or tiles, then fp32."""

from collections.abc import Callable
from typing import TypeVar

import torch

from cyclegan.devices import lacks_kernel
from cyclegan.errors import lacks_memory

Result = TypeVar("Result")
Shape = tuple[int, int, int]  # images, height, width
Attempt = tuple[torch.dtype, int | None]  # type, and height in pixels of strips; None: by the free memory


class Fallbacks:
    """Tries one attempt after the other, and remembers failures by shape, so that they are not repeated.

    oneDNN has no bf16 convolution from few channels into the last 7x7 for some large shapes (Intel AMX), and no device
    says reliably how much memory it has.
    """

    def __init__(self) -> None:
        self.failed: set[tuple[Shape, Attempt]] = set()
        self.notes: list[str] = []  # messages for the user, each once

    def run(
        self, compute: Callable[[torch.dtype, int | None], Result], shape: Shape, planned: Attempt, smaller: int
    ) -> Result:
        """Compute images of a shape as planned; if that fails, in strips of height `smaller`, and then in fp32."""
        dtype, _ = planned
        attempts = list(dict.fromkeys([planned, (dtype, smaller), (torch.float32, smaller)]))
        last = attempts.pop()
        for attempt in [*(attempt for attempt in attempts if (shape, attempt) not in self.failed), last]:
            try:
                result = compute(*attempt)
                break
            except RuntimeError as error:
                if attempt == last or not (lacks_kernel(error) or lacks_memory(error)):
                    raise
                self.failed.add((shape, attempt))
        if attempt != planned:
            self._note(in_fp32=attempt[0] != dtype)
        return result

    def _note(self, *, in_fp32: bool) -> None:
        method = f"in smaller parts{' and in fp32' * in_fp32}"
        note = f"large pictures were translated {method}, for lack of memory or kernels."
        if note not in self.notes:
            self.notes.append(note)
