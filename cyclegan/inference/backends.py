"""Backends: what runs a generator on whole pictures; strips and tiles need its layers, and stay with torch."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor

from cyclegan.devices import CPU
from cyclegan.errors import ConfigError, DeviceError, require_extra
from cyclegan.images import Images
from cyclegan.inference.onnx_graph import INPUT, onnx_graph
from cyclegan.inference.padding import fastest_memory_format
from cyclegan.models import Generator

BackendName = Literal["torch", "openvino", "onnxruntime"]
BackendChoice = Literal["auto", "torch", "openvino", "onnxruntime"]


@runtime_checkable
class Backend(Protocol):
    """Runs one generator on batches n c h w in [-1, 1].

    Height and width divide by `stride` and are at least `min_size` pixels.
    """

    stride: int
    min_size: int

    def __call__(self, images: Images) -> Images:
        """Translate a batch; the output is of any float type, on the backend's device."""
        ...


def choose_backend(choice: str, device: torch.device, precision: str = "auto") -> BackendName:
    """Resolve a backend of `auto`, `torch`, `openvino` or `onnxruntime`.

    `auto` is OpenVINO where it is installed and the device is a CPU, else torch (docs/benchmarks.md has the figures). A
    backend that is not installed, or that cannot compute on the device or in the precision, is a `CycleganError`.
    """
    if choice not in get_args(BackendChoice):
        raise ValueError(f"backend is {choice!r}; it must be auto, torch, openvino or onnxruntime")
    if choice == "auto":
        installed = all(find_spec(module) for module in ("openvino", "onnx"))
        return "openvino" if installed and device == CPU else "torch"
    if choice == "torch":
        return "torch"
    if device != CPU:
        raise DeviceError(f"{choice} computes on the CPU, and the device is {device}.", "Add --device cpu.")
    if choice == "openvino":
        import_openvino()
        return "openvino"
    if precision == "bf16":
        raise ConfigError("onnxruntime computes in fp32.", "Leave --precision away, or choose another --backend.")
    require_extra("onnxruntime", "onnxruntime")
    return "onnxruntime"


def backend_for(choice: BackendChoice, pictures: int) -> BackendChoice:
    """Return the choice for so many pictures or frames: with `auto` a single one is left to torch.

    To import OpenVINO and compile costs about what it saves on thirty pictures of 256 px (docs/benchmarks.md).
    """
    return "torch" if choice == "auto" and pictures == 1 else choice


def make_backend(
    name: BackendName,
    generator: Callable[[torch.dtype], Generator],
    device: torch.device,
    dtype: torch.dtype,
    streams: int = 1,
) -> Backend:
    """Return a backend that computes in `dtype`; `generator` returns the generator in a type.

    It is called by so many threads (`streams`) at the same time, each with as many threads as torch has in this one.
    """
    if name == "torch":
        return TorchBackend(generator(dtype), device, dtype)
    if name == "openvino":
        return OpenVINOBackend(generator(torch.float32), dtype, streams)
    return ONNXRuntimeBackend(generator(torch.float32))


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry: else each import is reported to a server."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # None makes an import of it fail
    return require_extra("openvino", "openvino")


class TorchBackend:
    """The generator itself."""

    def __init__(self, generator: Generator, device: torch.device, dtype: torch.dtype) -> None:
        self.stride, self.min_size = generator.stride, generator.min_size
        self.generator, self.device, self.dtype = generator, device, dtype

    def __call__(self, images: Images) -> Images:
        """Translate a batch."""
        images = images.to(self.device, self.dtype, memory_format=fastest_memory_format(self.device, self.dtype))
        output: Tensor = self.generator(images)
        return output


class OpenVINOBackend:
    """A generator in fp32, compiled by OpenVINO to compute in `dtype`; each stream has as many threads as torch."""

    def __init__(self, generator: Generator, dtype: torch.dtype, streams: int) -> None:
        self.stride, self.min_size = generator.stride, generator.min_size
        core = import_openvino().Core()
        graph = core.read_model(onnx_graph(generator, "openvino", exact=dtype == torch.float32))
        hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * torch.get_num_threads(),
        }
        self.model = core.compile_model(graph, "CPU", hints)

    def __call__(self, images: Images) -> Images:
        """Translate a batch; each call has a request of its own, as threads may share the backend."""
        return torch.from_numpy(self.model.infer_new_request([images.float().numpy()])[0])


class ONNXRuntimeBackend:
    """A generator in fp32, run by ONNX Runtime with as many threads as torch."""

    def __init__(self, generator: Generator) -> None:
        self.stride, self.min_size = generator.stride, generator.min_size
        runtime: Any = require_extra("onnxruntime", "onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        graph = onnx_graph(generator, "onnxruntime", exact=True)
        self.session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, images: Images) -> Images:
        """Translate a batch."""
        return torch.from_numpy(self.session.run(None, {INPUT: images.float().numpy()})[0])
