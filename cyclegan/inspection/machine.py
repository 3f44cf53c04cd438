"""The machine: its devices, memory, disk and libraries."""

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from cyclegan import __version__
from cyclegan.devices import choose_device, computes_bf16, describe_device, free_memory
from cyclegan.errors import printable
from cyclegan.inspection.findings import Finding

LIBRARIES = ("torch", "torchvision", "pillow", "numpy", "lightning-fabric", "safetensors")
TRAINING_MEMORY = 3 * 2**30  # bytes that training at 256 px takes, rounded up (docs/benchmarks.md)
LITTLE_DISK = 10 * 2**30  # bytes


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
class MachineReport:
    """What this machine is, and what is wrong with it."""

    devices: list[DeviceFacts]  # the one that auto takes comes first
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
    """Return what this machine is; `place` is a folder on the disk that runs are to be kept on."""
    devices = [device_facts(device) for device in all_devices()]
    free_disk = shutil.disk_usage(place).free
    return MachineReport(
        devices=devices,
        threads=torch.get_num_threads(),
        processors=psutil.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        free_memory=psutil.virtual_memory().available,
        disk=str(place.resolve()),
        free_disk=free_disk,
        system=platform.platform(),
        versions={"cyclegan": __version__, "python": platform.python_version()} | library_versions(),
        findings=what_is_wrong(devices, free_disk, place),
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


def what_is_wrong(devices: list[DeviceFacts], free_disk: int, place: Path) -> list[Finding]:
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
    if devices[0].free < TRAINING_MEMORY:
        findings.append(
            Finding(
                "little memory",
                f"{devices[0].free / 2**30:.1f} GiB are free on {devices[0].description}, too little for 256 pixels.",
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
