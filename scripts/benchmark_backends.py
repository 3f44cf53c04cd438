"""Measure the backends of translation on the CPU; run from the repository's root.

    python -m scripts.benchmark_backends [--widths 16 64] [--size 256] [--turns 9]

Every turn translates one picture by each backend, one after the other in one process; medians are compared. `start` is
what a backend takes from its import to its first picture beyond the median, `cpu` the processor's time of a picture,
which other work on the machine changes little.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from cyclegan import Translator
from cyclegan.config import build_config, preset
from cyclegan.devices import describe_device
from scripts.untrained_model import write_untrained_model

CASES = [("torch", "fp32"), ("torch", "auto"), ("openvino", "fp32"), ("openvino", "auto"), ("onnxruntime", "auto")]
ISA_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def processor() -> str:
    """Return the processor's name and the flags that matter here, on Linux."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    by_name = {name.strip(): value.strip() for name, value in facts.items()}
    flags = [flag for flag in ISA_FLAGS if flag in by_name["flags"].split()]
    return f"{by_name['model name']} ({', '.join(flags)})"


def measure(model: Path, size: int, turns: int) -> None:
    """Measure one model and print a table."""
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    translators, first = [], []
    for backend, precision in CASES:
        begin = time.perf_counter()
        translators.append(Translator(model, device="cpu", backend=backend, precision=precision))  # type: ignore[arg-type]
        translators[-1].translate_pixels([pixels])
        first.append(time.perf_counter() - begin)
    wall: list[list[float]] = [[] for _ in CASES]
    cpu: list[list[float]] = [[] for _ in CASES]
    for _ in range(turns):
        for number, translator in enumerate(translators):
            begin, begin_cpu = time.perf_counter(), time.process_time()
            translator.translate_pixels([pixels])
            wall[number].append(time.perf_counter() - begin)
            cpu[number].append(time.process_time() - begin_cpu)
    medians = [statistics.median(times) for times in wall]
    for (backend, _), translator, median, times, start in zip(CASES, translators, medians, cpu, first, strict=True):
        name = f"{backend} {str(translator.dtype).removeprefix('torch.')}"
        ratio, of_cpu = medians[0] / median, statistics.median(times)
        print(f"{name:21} {median:7.3f} s {ratio:6.2f} x {of_cpu:7.3f} s cpu {start - median:6.2f} s start")  # noqa: T201


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    print(f"{processor()}; {describe_device(torch.device('cpu'))}; torch {torch.__version__}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        for width in options.widths:
            config = build_config(preset("default"), {"generator": {"width": width}})
            print(f"width {width}")  # noqa: T201
            measure(write_untrained_model(Path(folder) / f"{width}.safetensors", config), options.size, options.turns)


if __name__ == "__main__":
    main()
