"""Measurements of training steps, each called in a process of its own."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cyclegan.config import Config, build_config
from cyclegan.devices import choose_device, cuda_side_stream
from scripts.benchmark_training import counted_work, images, seconds, step_of
from scripts.gpu.sizes import Sizes
from scripts.gpu.variants import NEED_CUDA, VARIANTS
from scripts.plain_step import Options, PlainStep

Step = Callable[[Tensor, Tensor], Any]


def config_of(sizes: Sizes, batch: int) -> Config:
    """Return the default settings at these sizes."""
    return build_config(sizes.settings, {"training": {"batch_size": batch}})


def variant(name: str, sizes: Sizes, batch: int = 1) -> tuple[Step, Tensor, Tensor]:
    """Return a variant of the authors' step and images for it."""
    config, device = config_of(sizes, batch), choose_device()
    arguments = VARIANTS[name] | {"dtype": getattr(torch, VARIANTS[name].get("dtype", "float32"))}
    step = PlainStep(config, device, Options(**arguments))
    real_a, real_b = images(config, device)
    return (recorded(step, real_a, real_b) if step.options.recorded else step), real_a, real_b


def recorded(step: Step, real_a: Tensor, real_b: Tensor) -> Step:
    """Return what replays a step as one CUDA graph; its loss is then always in the same place."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # what is allocated once is there afterwards
            step(real_a, real_b)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(real_a, real_b)

    def replay(*_: Tensor) -> Tensor:
        graph.replay()
        return loss

    return replay


def try_variant(name: str, sizes: Sizes) -> dict[str, Any]:
    """Make a few steps of a variant and return the loss of the last; one that is not finite is an error."""
    step, real_a, real_b = variant(name, sizes)
    losses = [float(step(real_a, real_b)) for _ in range(sizes.steps)]
    if not all(abs(loss) < float("inf") for loss in losses):
        raise ValueError(f"losses are not finite: {losses}")
    return {"first loss": round(losses[0], 3), "last": round(losses[-1], 3)}


def compare_variants(sizes: Sizes, names: Sequence[str]) -> dict[str, Any]:
    """Measure variants in turns at batch 1; return milliseconds, or why one has failed."""
    device, steps, figures = choose_device(), {}, {}
    for name in names:
        if device.type != "cuda" and name in NEED_CUDA:
            figures[name] = "not here"
            continue
        try:
            steps[name] = variant(name, sizes)
            for _ in range(sizes.warm_up):
                steps[name][0](*steps[name][1:])
        except Exception as error:
            steps.pop(name, None)
            figures[name] = f"FAILED: {str(error)[:100]}"
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(sizes.turns):
        for name, (step, *real) in steps.items():
            times[name].append(seconds(lambda step=step, real=real: step(*real), device))
    return {name: f"{1e3 * statistics.median(took):.2f} ms" for name, took in times.items()} | figures


def compare_with_plain(sizes: Sizes, batch: int, turns: int, profile: str = "") -> dict[str, Any]:
    """Measure our step and the authors' in turns; with no turns, only fill the compiler's cache.

    Memory is what each reserves at most beyond what was reserved before it; on a CPU it is not counted.
    """
    config, device = config_of(sizes, batch), choose_device()
    torch.backends.cudnn.benchmark = True  # for both; all images are of one size
    real = images(config, device)
    steps, memory = {}, {}
    with cuda_side_stream(device):
        for version in ("ours", "plain")[: 2 if turns else 1]:
            before = reserved(device)
            steps[version] = step_of(version, config, device)
            for _ in range(sizes.warm_up):
                steps[version](*real)
            memory[version] = (reserved(device, most=True) - before) / 2**20
        if not turns:
            return {"prepared": batch}
        times: dict[str, list[float]] = {version: [] for version in steps}
        for _ in range(turns):
            for version, step in steps.items():
                times[version].append(seconds(lambda step=step: step(*real), device))
        if profile:
            save_profile(lambda: steps["ours"](*real), device, Path(profile))
    ours, plain = (statistics.median(times[version]) for version in ("ours", "plain"))
    floor = counted_work(config) / matrix_rate(device, sizes)
    return {
        "ours": f"{1e3 * ours:.2f} ms, {batch / ours:.1f} samples/s, {memory['ours']:.0f} MiB",
        "plain": f"{1e3 * plain:.2f} ms, {batch / plain:.1f} samples/s, {memory['plain']:.0f} MiB",
        "ratio": round(plain / ours, 2),
        "share of the floor": round(floor / ours, 3),
    }


def reserved(device: torch.device, *, most: bool = False) -> int:
    """Return the bytes that torch holds on the device now, or held at most since it was last asked."""
    if device.type != "cuda":
        return 0
    if most:
        return torch.cuda.max_memory_reserved(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_reserved(device)


def save_profile(work: Callable[[], object], device: torch.device, path: Path) -> None:
    """Write the 15 kernels that take most of one step's time."""
    from torch.profiler import ProfilerActivity, profile

    on_cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_cuda
    with profile(activities=activities) as profiler:
        seconds(work, device)
    order = "self_cuda_time_total" if on_cuda else "self_cpu_time_total"
    path.write_text(profiler.key_averages().table(sort_by=order, row_limit=15, max_name_column_width=90))


def ceilings(sizes: Sizes) -> dict[str, Any]:
    """Measure what the device can do at most: a bf16 matrix product, a copy within its memory."""
    device = choose_device()
    numbers = torch.randn(2**29 if device.type == "cuda" else 2**20, device=device)
    target = torch.empty_like(numbers)
    copy = min(seconds(lambda: target.copy_(numbers), device) for _ in range(8))
    return {
        "bf16 matrix product": f"{matrix_rate(device, sizes) / 1e12:.1f} TFLOP/s",
        "copy": f"{2 * numbers.nbytes / copy / 1e9:.0f} GB/s",
        "torch": torch.__version__,
    }


def matrix_rate(device: torch.device, sizes: Sizes) -> float:
    """Return the best rate of a large bf16 matrix product of random numbers, in operations per second."""
    a, b = torch.randn(2, sizes.matrix, sizes.matrix, device=device, dtype=torch.bfloat16)
    return 2 * sizes.matrix**3 / min(seconds(lambda: a @ b, device) for _ in range(10))


def network_speed(sizes: Sizes, model: str, batch: int) -> dict[str, Any]:
    """Measure the translator on images that are in memory."""
    from cyclegan import Translator

    translator = Translator(model)
    pictures = torch.rand(batch, 3, sizes.side, sizes.side) * 2 - 1
    translator(pictures)
    started, count = time.perf_counter(), 0
    while count < 3 or time.perf_counter() - started < sizes.turns / 10:
        translator(pictures)
        count += 1
    return {"images/s": round(count * batch / (time.perf_counter() - started), 1)}
