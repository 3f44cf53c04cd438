"""Try every path that CUDA has and a CPU has not; four minutes on a GPU. Run from the repository's root.

    python -m scripts.gpu.smoke [--toy] [--out FOLDER]

Each path is a process of its own, caught and timed by itself. Nothing here measures speed: several run at once.
"""

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.gpu.processes import ProcessError, Processes, Running, processes_for, wait_until, work_folder
from scripts.gpu.report import Check, Figures, NotHere, Report, arguments
from scripts.gpu.runs import metrics
from scripts.gpu.sizes import REAL, TOY, Sizes, draw_folder
from scripts.gpu.variants import NEED_CUDA, VARIANTS

MINUTES = 4
TOLERANCE = 0.1  # relative, of the cycle losses of a recorded step: bf16 and Adam's first steps drift apart by less
COMPARED = ("cycle_a", "cycle_b")  # what a network or an image that is not renewed would change at once
EXACT = {"NVIDIA_TF32_OVERRIDE": "0"}  # fp32 without TF32, also where torch would allow it


class Smoke:
    """The paths, and what they share: processes, pictures, runs."""

    def __init__(self, processes: Processes, folder: Path, sizes: Sizes, *, on_cuda: bool) -> None:
        self.processes, self.folder, self.sizes, self.on_cuda = processes, folder, sizes, on_cuda
        side = sizes.side
        self.domains = [draw_folder(folder / name, 3, side + 20, side + 40) for name in ("horses", "zebras")]

    def start_training(self, name: str, *options: str, env: dict[str, str] | None = None) -> Running:
        """Start a training of a few steps, each of which writes its line."""
        common = ["--checkpoints", self.folder, "--name", name, "--json", *self.sizes.flags]
        common += ["--set", "logging.every=1", "--max-steps", self.sizes.steps]
        return self.processes.cyclegan(f"train {name}", "train", *self.domains, *common, *options, env=env)

    def train(self, timeout: float, name: str, *options: str, env: dict[str, str] | None = None) -> Figures:
        """Train for a few steps, and see that every line is there once."""
        self.start_training(name, *options, env=env).wait(timeout)
        return self.trained(name)

    def trained(self, name: str) -> Figures:
        """Return the figures of a training that has ended; a step that is missing or doubled is an error."""
        lines = metrics(self.folder / name)
        steps = [line["step"] for line in lines]
        if steps != list(range(1, self.sizes.steps + 1)):
            raise ValueError(f"the steps in the metrics are {steps}")
        half = lines[len(lines) // 2]
        took = (lines[-1]["elapsed_seconds"] - half["elapsed_seconds"]) / (lines[-1]["step"] - half["step"])
        return {"last cycle loss": round(lines[-1]["cycle_a"], 3), "a step beside others": f"{1e3 * took:.0f} ms"}

    def fp16(self, timeout: float) -> Figures:
        """Train in fp16, where the program offers it."""
        try:
            return self.train(timeout, "fp16", "--precision", "fp16", "--compile", "off")
        except ProcessError as error:
            if "exit status 2" in str(error):
                raise NotHere("the program does not offer fp16") from error
            raise

    def captured(self, timeout: float) -> Figures:
        """Train as the program does on CUDA: compiled, and recorded as one CUDA graph."""
        figures = self.train(timeout, "whole", "--precision", "auto", "--compile", "auto")
        said = (self.processes.logs / "train_whole.err").read_text(errors="replace").splitlines()
        told = [line for line in said if any(word in line.lower() for word in ("compiled", "recorded", "captur"))]
        if any("could not" in line for line in told):
            raise ValueError("; ".join(told))
        return figures | {"said": "; ".join(told)}

    def captured_like_eager(self, timeout: float) -> Figures:  # noqa: ARG002
        """Compare the losses of the recorded training with those of the eager one."""
        pairs = list(zip(metrics(self.folder / "whole"), metrics(self.folder / "auto"), strict=True))
        differences = [max(abs(one[name] - other[name]) / other[name] for name in COMPARED) for one, other in pairs]
        figures = {"first step": f"{differences[0]:.1e}", "largest": f"{max(differences):.1e}"}
        if not max(differences) <= TOLERANCE:
            raise ValueError(f"losses differ by {figures}")
        return figures if self.on_cuda else figures | {"on a CPU": "both were eager"}

    def killed(self, timeout: float) -> Figures:
        """Kill a training that saves at every step, continue it, and compare its model with the eager one's."""
        deadline = time.monotonic() + timeout
        options = ("--compile", "off", "--set", "logging.save_minutes=0")
        running = self.start_training("killed", *options)
        if not wait_until(lambda: len(metrics(self.folder / "killed")) >= 3, running, deadline):
            raise ValueError("it was over before it could be killed")
        running.kill()
        at = len(metrics(self.folder / "killed"))
        self.start_training("killed", *options).wait(deadline - time.monotonic())
        models = [self.folder / name / "model.safetensors" for name in ("killed", "auto")]
        compare = self.processes.start("compare", "scripts.gpu.weights:largest_difference", *models)
        difference = compare.wait(deadline - time.monotonic())
        if difference > 0 and not self.on_cuda:  # cuDNN's sums are not always in the same order
            raise ValueError(f"killed at step {at}, the model differs by {difference}")
        return self.trained("killed") | {"killed at step": at, "largest difference of weights": f"{difference:.1e}"}

    def out_of_memory(self, timeout: float) -> Figures:
        """Ask for far too much, and see that the error message says what fits."""
        if not self.on_cuda:
            raise NotHere("it would fill this machine's own memory")
        try:
            self.train(timeout, "huge", "--set", "data.size=4096", "--batch-size", "2", "--compile", "off")
        except ProcessError as error:
            if "exit status 2" in str(error):
                return {"said": error}
            raise
        raise ValueError("it was trained: the memory was enough")

    def translate(self, timeout: float, source: Path, *options: object) -> Figures:
        """Translate, and see that nothing is missing."""
        output = self.folder / f"translated {source.name}"
        common = ("--model", self.folder / "auto", "--output", output, "--json", *options)
        started = time.monotonic()
        told = self.processes.cyclegan(f"translate {source.name}", "translate", source, *common).wait(timeout)
        expected = len(list(source.iterdir())) if source.is_dir() else 1
        if len(told["written"]) != expected:
            raise ValueError(f"{len(told['written'])} of {expected} were written")
        return {"written": expected, "in": f"{time.monotonic() - started:.1f} s"}

    def large_picture(self, timeout: float, which: int) -> Figures:
        """Translate a large picture; its size stays."""
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = None
        width, height = self.sizes.large[which]
        source = draw_folder(self.folder / f"large {which}", 1, width, height)
        figures = self.translate(timeout, source)
        with Image.open(self.folder / f"translated large {which}" / "00000.jpg") as picture:
            if picture.size != (width, height):
                raise ValueError(f"{picture.size} became of {width} x {height}")
        return figures | {"size": f"{width} x {height}"}

    def clip(self, timeout: float) -> Figures:
        """Translate a short clip."""
        if not find_spec("av"):
            raise NotHere("av is not installed")
        self.processes.start("draw clip", draw_clip, self.folder / "clip.mp4", self.sizes.side).wait(timeout / 2)
        return self.translate(timeout / 2, self.folder / "clip.mp4", "--steady", "0.5")

    def onnx(self, timeout: float) -> Figures:
        """Export to ONNX, and compare what ONNX Runtime computes with what the device does."""
        if not find_spec("onnxruntime"):
            raise NotHere("onnxruntime is not installed")
        deadline, file = time.monotonic() + timeout, self.folder / "model.onnx"
        options = ("--format", "onnx", "--output", file, "--json")
        self.processes.cyclegan("export", "export", self.folder / "auto", *options).wait(timeout)
        compare = self.processes.start("onnx", compare_onnx, file, self.folder / "auto", self.sizes.side)
        figures: Figures = compare.wait(deadline - time.monotonic())
        return figures

    def two_at_once(self, timeout: float) -> Figures:
        """Train two runs beside each other on one device."""
        running = [self.start_training(name, "--compile", "off") for name in ("one", "other")]
        for each in running:
            each.wait(timeout)
        return {name: self.trained(name)["a step beside others"] for name in ("one", "other")}

    def machine(self, timeout: float) -> Figures:
        """Ask the program what it thinks of this machine."""
        told = self.processes.cyclegan("inspect", "inspect", "--json").wait(timeout)
        if not told["machine"]:
            raise ValueError("it says nothing of the machine")
        return {"answer": "in logs.zip, inspect.out"}

    def variant(self, timeout: float, name: str) -> Figures:
        """Try a variant of the authors' step, independent of the product's."""
        if name in NEED_CUDA and not self.on_cuda:
            raise NotHere("only CUDA has it")
        env = EXACT if name == "fp32" else {}
        running = self.processes.start(f"plain {name}", "scripts.gpu.steps:try_variant", name, self.sizes, env=env)
        figures: Figures = running.wait(timeout)
        return figures


def draw_clip(path: Path, side: int) -> None:
    """Write a clip of eight frames."""
    import av
    import numpy as np

    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = side
        for number in range(8):
            pixels = np.roll(np.tile(np.arange(side, dtype=np.uint8)[:, None, None], (1, side, 3)), number, axis=0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def compare_onnx(file: Path, model: Path, side: int) -> dict[str, Any]:
    """Compare ONNX Runtime on the CPU with the translator on the device, both in fp32."""
    import numpy as np
    import onnxruntime
    import torch

    from cyclegan import Translator

    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    ours = Translator(model, precision="fp32")(images).cpu().numpy()
    difference = float(np.abs(theirs - ours).max())
    if not difference < 1e-2:
        raise ValueError(f"ONNX Runtime and the device differ by {difference}")
    return {"largest difference": f"{difference:.1e}"}


def checks(smoke: Smoke) -> list[list[tuple[str, Check]]]:
    """Return the paths in the order in which they are tried; those in one list beside one another."""
    off = ("--compile", "off")

    def eager(name: str, *options: str, env: dict[str, str] | None = None) -> Callable[[float], Figures]:
        return lambda timeout: smoke.train(timeout, name, *options, *off, env=env)

    trainings: list[tuple[str, Check]] = [
        ("compiled and recorded", smoke.captured),
        ("eager, auto precision", eager("auto")),
        ("eager fp32 without TF32", eager("fp32", "--precision", "fp32", env=EXACT)),
        ("eager fp32, TF32 as torch has it", eager("tf32", "--precision", "fp32")),
        ("eager bf16, channels last", eager("bf16", "--precision", "bf16")),
        ("eager fp16", smoke.fp16),
        ("inspect", smoke.machine),
        *((f"plain step: {name}", partial(smoke.variant, name=name)) for name in VARIANTS),
    ]
    folder = draw_folder(smoke.folder / "folder", 9, smoke.sizes.side, smoke.sizes.side)
    uses: list[tuple[str, Check]] = [
        ("recorded against eager", smoke.captured_like_eager),
        ("killed and continued", smoke.killed),
        ("translate a folder", lambda timeout: smoke.translate(timeout, folder, "--batch-size", 4, "--scores")),
        ("translate a picture of 24 megapixels", partial(smoke.large_picture, which=0)),
        ("translate a picture of 100 megapixels", partial(smoke.large_picture, which=1)),
        ("translate a clip", smoke.clip),
        ("ONNX", smoke.onnx),
    ]
    return [trainings, uses, [("two runs at once", smoke.two_at_once)], [("out of memory", smoke.out_of_memory)]]


def main() -> None:
    """Try everything and write the table."""
    asked = arguments(__doc__, MINUTES).parse_args()
    sizes = TOY if asked.toy else REAL
    report = Report("smoke", asked)
    with work_folder() as name:
        folder = Path(name)
        processes = processes_for(folder / "logs")
        on_cuda = processes.start("cuda", cuda_here).wait(60)
        smoke = Smoke(processes, folder, sizes, on_cuda=on_cuda)
        for group, most in zip(checks(smoke), (150, 70, 40, 40), strict=True):
            report.together(group, workers=sizes.workers, at_most=most)
        processes.keep_logs(asked.out)
    raise SystemExit(report.write())


def cuda_here() -> bool:
    """Tell whether torch sees a GPU."""
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    main()
