"""Devices and precisions of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from cyclegan.errors import DeviceError, lacks_memory
from cyclegan.text import printable

CPU = torch.device("cpu")
KERNEL_WORDS = ("could not create a primitive", "could not execute a primitive")  # in errors of oneDNN


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; auto takes the fastest that is there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _mps() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{printable(name)} is no device.", "Choose auto, cpu, cuda, cuda:1 or mps.") from error
    cuda = device.type == "cuda" and torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if not (cuda or (device.type == "mps" and _mps()) or device.type == "cpu"):
        raise DeviceError(f"this machine has no {printable(name)} that torch can use.", "Choose auto or cpu.")
    return device if device.type == "cuda" else torch.device(device.type)  # the others have no numbers


def computes_bf16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 matrices in hardware, so that it is worth using."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":  # torch has no public way to ask this on every version
        asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(torch.cpu, question, lambda: False)()) for question in asked)
    return False


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Resolve a precision of `auto`, `fp32` or `bf16`."""
    if precision not in ("auto", "fp32", "bf16"):
        raise ValueError(f"precision is {precision!r}; it must be auto, fp32 or bf16")
    return precision == "bf16" or (precision == "auto" and computes_bf16(device))


def free_memory(device: torch.device) -> int:
    """Return the bytes of the device's memory that are free."""
    if device.type == "cuda":
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch's, for the next tensor
        return torch.cuda.mem_get_info(device)[0] + idle
    return int(psutil.virtual_memory().available)


def describe_device(device: torch.device) -> str:
    """Return the device's name for people."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' * (threads > 1)})" if device.type == "cpu" else str(device)


@contextmanager
def threads_of_torch(threads: int) -> Iterator[None]:
    """Let torch use so many threads for what this thread computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def limit_threads(threads: int) -> None:
    """Let torch use so many threads for what this new thread computes."""
    torch.get_num_threads()  # takes over the process's number; later it would replace that of the next line
    torch.set_num_threads(threads)


@contextmanager
def cuda_side_stream(device: torch.device) -> Iterator[None]:
    """Run all work on a CUDA device in a side stream, since the default one cannot be captured."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        yield


def lacks_kernel(error: RuntimeError) -> bool:
    """Tell whether oneDNN raised this, which has no convolution for some shapes that are too large for its kernels."""
    return any(words in str(error) for words in KERNEL_WORDS)


@contextmanager
def memory_errors(device: torch.device, hint: str) -> Iterator[None]:
    """Turn a device's lack of memory into a `DeviceError` with this hint."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        raise DeviceError(f"the memory of {describe_device(device)} is not enough for this.", hint) from error


def _mps() -> bool:
    return torch.backends.mps.is_available()
