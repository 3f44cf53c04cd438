"""The machine: what it computes on, with what, and what fits into it."""

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from cyclegan import __version__
from cyclegan.config import build_config
from cyclegan.devices import choose_device, computes_bf16, describe_device, free_memory
from cyclegan.errors import printable
from cyclegan.inspection.findings import Finding
from cyclegan.training.needs import SPARED, Needs, needs_of

LIBRARIES = ("torch", "torchvision", "pillow", "numpy", "lightning-fabric", "safetensors")
SIZES = (128, 256, 512, 1024)  # pixels
LITTLE_DISK = 10 * 2**30  # bytes
LARGEST = 4096  # pixels, of a training image


@dataclass(frozen=True)
class DeviceFacts:
    """Something to compute on."""

    name: str
    description: str
    memory: int  # bytes
    free: int
    precision: str  # that auto takes
    why: str


@dataclass(frozen=True)
class Fit:
    """How large a batch fits at a size; 0: not even one pair."""

    size: int  # pixels
    batch_size: int
    bytes: int  # that one pair takes, and all that does not depend on the batch


@dataclass(frozen=True)
class MachineReport:
    """What this machine is, and what fits into it."""

    devices: list[DeviceFacts]  # the one that auto takes comes first
    fits: list[Fit]  # into the first, with the default networks
    largest_size: int  # pixels, at a batch of one; 0: none
    threads: int
    processors: int
    memory: int
    free_memory: int
    disk: str
    free_disk: int
    system: str
    versions: dict[str, str]
    findings: list[Finding]


def inspect_machine(place: Path) -> MachineReport:
    """Say what this machine is and what fits into it; `place` is on the disk that is meant."""
    devices = [device_facts(device) for device in all_devices()]
    free_disk = shutil.disk_usage(place).free
    room, half = int(devices[0].free * SPARED), devices[0].precision == "bf16"
    needs = {size: needs_of(build_config({"data": {"size": size}}), half=half) for size in (128, 256)}  # 6 and 9 blocks
    fits = [fit(needs[128 if size < 256 else 256], size, room) for size in SIZES]
    return MachineReport(
        devices=devices,
        fits=fits,
        largest_size=needs[256].largest_size(room, upto=LARGEST),
        threads=torch.get_num_threads(),
        processors=psutil.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        free_memory=psutil.virtual_memory().available,
        disk=str(place.resolve()),
        free_disk=free_disk,
        system=platform.platform(),
        versions={"cyclegan": __version__, "python": platform.python_version()} | library_versions(),
        findings=what_is_wrong(devices, fits, free_disk, place),
    )


def all_devices() -> list[torch.device]:
    """Return every device there is, the one that auto takes first."""
    first = choose_device("auto")
    cuda = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    others = cuda if first.type == "cuda" else [first] if first.type == "mps" else []
    return [*others, torch.device("cpu")]


def device_facts(device: torch.device) -> DeviceFacts:
    """Return what a device is."""
    memory = psutil.virtual_memory().total
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
    half = computes_bf16(device)
    why = "it multiplies bf16 in hardware" if half else "it has no arithmetic of its own for bf16"
    return DeviceFacts(
        str(device), describe_device(device), memory, free_memory(device), "bf16" if half else "fp32", why
    )


def library_versions() -> dict[str, str]:
    """Return the versions of what our results depend on."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:  # pragma: no cover (an installation that was taken apart)
            found[library] = "unknown"
    return found


def fit(needs: Needs, size: int, room: int) -> Fit:
    """Return how large a batch of images of `size` pixels fits into so many bytes."""
    return Fit(size, needs.largest_batch(size, room), needs.at(size, batch_size=1))


def what_is_wrong(devices: list[DeviceFacts], fits: list[Fit], free_disk: int, place: Path) -> list[Finding]:
    """Find what keeps this machine from training well."""
    findings = []
    if devices[0].name == "cpu":
        findings.append(
            Finding(
                "no accelerator",
                "torch finds no GPU here, and training at 256 pixels takes weeks on a CPU.",
                "Install a torch that knows your GPU, train small (--size 64 or `cyclegan demo`), or train elsewhere.",
            )
        )
    if not fits[1].batch_size:
        findings.append(
            Finding(
                "little memory",
                f"the memory of {devices[0].description} is not enough to train at {fits[1].size} pixels.",
                "Close what else uses it, or choose a smaller --size or --set generator.width=32.",
            )
        )
    if free_disk < LITTLE_DISK:
        findings.append(
            Finding(
                "little disk",
                f"only {free_disk / 2**30:.1f} GiB are free on the disk of {printable(place.resolve())}.",
                "Free some: a run of the default size needs 1.6 GiB while it saves.",
            )
        )
    return findings
