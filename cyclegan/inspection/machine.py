"""The machine: devices, memory, disk and libraries."""

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from cyclegan import __version__
from cyclegan.devices import choose_device, computes_bf16, describe_device, free_memory
from cyclegan.inspection.findings import Finding
from cyclegan.text import printable

LIBRARIES = ("torch", "torchvision", "pillow", "numpy", "lightning-fabric", "safetensors")
MIN_FREE_MEMORY = 3 * 2**30  # bytes, of training at 256 px, rounded up (docs/benchmarks.md)
MIN_FREE_DISK = 10 * 2**30  # bytes


@dataclass(frozen=True)
class DeviceFacts:
    """Facts about a device."""

    name: str
    description: str
    memory: int  # bytes
    free: int
    precision: str  # that `auto` chooses
    reason: str


@dataclass(frozen=True)
class MachineReport:
    """Facts and findings about this machine."""

    devices: list[DeviceFacts]  # the one that `auto` chooses comes first
    threads: int
    processors: int
    memory: int
    free_memory: int
    disk: str
    free_disk: int
    system: str
    versions: dict[str, str]
    findings: list[Finding]


def inspect_machine(folder: Path) -> MachineReport:
    """Inspect this machine; `folder` lies on the disk for the runs."""
    devices = [device_facts(device) for device in all_devices()]
    free_disk = shutil.disk_usage(folder).free
    return MachineReport(
        devices=devices,
        threads=torch.get_num_threads(),
        processors=psutil.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        free_memory=psutil.virtual_memory().available,
        disk=str(folder.resolve()),
        free_disk=free_disk,
        system=platform.platform(),
        versions={"cyclegan": __version__, "python": platform.python_version()} | library_versions(),
        findings=machine_findings(devices, free_disk, folder),
    )


def all_devices() -> list[torch.device]:
    """Return every device, the one that `auto` chooses first."""
    first = choose_device("auto")
    cuda = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    others = cuda if first.type == "cuda" else [first] if first.type == "mps" else []
    return [*others, torch.device("cpu")]


def device_facts(device: torch.device) -> DeviceFacts:
    """Return facts about a device."""
    memory = psutil.virtual_memory().total
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
    has_bf16 = computes_bf16(device)
    return DeviceFacts(
        name=str(device),
        description=describe_device(device),
        memory=memory,
        free=free_memory(device),
        precision="bf16" if has_bf16 else "fp32",
        reason="its hardware multiplies bf16" if has_bf16 else "its hardware does not multiply bf16",
    )


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries on which results depend."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:  # pragma: no cover (a damaged installation)
            versions[library] = "unknown"
    return versions


def machine_findings(devices: list[DeviceFacts], free_disk: int, folder: Path) -> list[Finding]:
    """Return the problems of training on this machine."""
    findings = []
    if devices[0].name == "cpu":
        findings.append(
            Finding(
                "no accelerator",
                "torch finds no GPU, and training at 256 pixels takes weeks on a CPU.",
                "Install a torch for your GPU, train small (--size 64 or `cyclegan demo`), or train elsewhere.",
            )
        )
    if devices[0].free < MIN_FREE_MEMORY:
        findings.append(
            Finding(
                "little memory",
                f"{devices[0].free / 2**30:.1f} GiB are free on {devices[0].description}, too little for 256 pixels.",
                "Close other programs that use it, or choose a smaller --size or --set generator.width=32.",
            )
        )
    if free_disk < MIN_FREE_DISK:
        findings.append(
            Finding(
                "little disk",
                f"only {free_disk / 2**30:.1f} GiB are free on the disk of {printable(folder.resolve())}.",
                "Free some: a run of the default size needs 1.6 GiB while it saves.",
            )
        )
    return findings
