"""What is tried where a device cannot compute a picture as planned: smaller parts, then fp32."""

from collections.abc import Callable
from typing import TypeVar

import torch

from cyclegan.devices import lacks_kernel, lacks_memory

Result = TypeVar("Result")
Shape = tuple[int, int, int]  # images, height, width
Attempt = tuple[torch.dtype, int]  # the type to compute in, and the height in pixels of the parts; 0: as memory allows


class Fallbacks:
    """Tries one way after the other, and remembers which failed for which shape, so that it is not tried again.

    oneDNN has no bf16 convolution from few channels into the last 7x7 for some large shapes (Intel AMX), and no device
    says reliably how much memory it has.
    """

    def __init__(self) -> None:
        self.failed: set[tuple[Shape, Attempt]] = set()
        self.notes: list[str] = []  # what the user should know, each said once

    def run(
        self, compute: Callable[[torch.dtype, int], Result], shape: Shape, planned: Attempt, smaller: int
    ) -> Result:
        """Compute images of a shape as planned; where that fails, in parts of height `smaller`, and then in fp32."""
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
        note = (
            f"large pictures were computed in smaller parts{' and in fp32' * in_fp32}: this machine cannot otherwise."
        )
        if note not in self.notes:
            self.notes.append(note)
