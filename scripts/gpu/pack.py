"""Make the set that is carried to a machine with a GPU: wheels that it lacks, pictures as WebP, a model to begin with.

    python -m scripts.gpu.pack [--photographs ../shared/horse2zebra] [--begin-with MODEL] [--toy]

Everything goes into .gpu, which git ignores: .gpu/wheels for every call, .gpu/clips for `smoke` (PyAV), .gpu/data for
`train`. What one call carries, the tracked files included, stays below the limit, or this is an error.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from scripts.gpu.processes import ROOT
from scripts.gpu.report import say
from scripts.gpu.train import draw_data

MIB = 2**20
LIMIT = 64 * MIB - MIB // 2  # of all that travels; the rest is for names and what wraps them
MOST_DATA = 56 * MIB
# What the bare machine lacks of what pyproject.toml asks for, and of their needs in turn. The versions are those of
# constraints.txt.
WHEELS = (
    *("albumentations", "albucore", "simsimd", "stringzilla", "pydantic", "pydantic_core", "annotated-types"),
    "typing-inspection",
    *("imagecodecs", "lightning-fabric", "tomli_w"),
)
CLIPS = ("av",)
# Of 70 codecs, the program uses these; what they link to is found by its name in them.
CODECS = {"imagecodecs": ("_cms", "_imcd", "_png", "_shared", "_shared_cython", "_tiff")}
PLATFORMS = ("2_28", "2_27", "2_17", "2014", "1")
QUALITIES = range(40, 96)  # of WebP


def pinned(names: Iterable[str]) -> list[str]:
    """Return requirements in the versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    versions = {line.partition("==")[0].lower().replace("_", "-"): line for line in lines if "==" in line}
    return [versions[name.lower().replace("_", "-")] for name in names]


def download(folder: Path, names: Iterable[str]) -> None:
    """Bring wheels for Python 3.12 on Linux, by pip as it is configured here."""
    platforms = [f"--platform=manylinux{'' if tag in ('1', '2014') else '_'}{tag}_x86_64" for tag in PLATFORMS]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.12", "--implementation=cp"]
    command = [sys.executable, "-m", "pip", "download", *options, *platforms, "--dest", str(folder), *pinned(names)]
    subprocess.run(command, check=True)
    for wheel in folder.glob("*.whl"):
        if codecs := CODECS.get(wheel.name.partition("-")[0]):
            lighten(wheel, codecs)


def lighten(wheel: Path, modules: Sequence[str]) -> None:
    """Leave out of a wheel all compiled modules but these and the libraries that they link to."""
    with zipfile.ZipFile(wheel) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    compiled = {name for name in members if ".so" in name.rpartition("/")[2]}
    used = {name for name in compiled if name.rpartition("/")[2].partition(".")[0] in modules}
    while more := {name for name in compiled - used if linked(name, [members[other] for other in used])}:
        used |= more
    record = next(name for name in members if name.endswith(".dist-info/RECORD"))
    lines = members[record].decode().splitlines(keepends=True)
    members[record] = "".join(line for line in lines if line.partition(",")[0] not in compiled - used).encode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in members.keys() - (compiled - used):
            archive.writestr(name, members[name])


def linked(library: str, binaries: Iterable[bytes]) -> bool:
    """Tell whether a library is named in one of the binaries."""
    return any(library.rpartition("/")[2].encode() in binary for binary in binaries)


def as_webp(path: Path, quality: int) -> bytes:
    """Return a picture as WebP; one that is smaller as it came stays as it came."""
    stream = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(stream, "WEBP", quality=quality, method=5)
    came = path.read_bytes() if path.suffix == ".webp" else b""
    return came if 0 < len(came) < stream.tell() else stream.getvalue()


def quality_for(pictures: Sequence[Path], room: int) -> int:
    """Return the best quality at which pictures fit, by a sample of them."""
    some = pictures[:: max(1, len(pictures) // 60)]

    def estimate(quality: int) -> float:
        return sum(len(as_webp(path, quality)) for path in some) / len(some) * len(pictures) / 0.98

    fitting = bisect_right(QUALITIES, room, key=estimate)
    if not fitting:
        raise SystemExit(f"{len(pictures)} pictures do not fit into {room / MIB:.1f} MiB. Pack fewer of them.")
    return QUALITIES[fitting - 1]


def pack_pictures(photographs: Path, data: Path, room: int) -> int:
    """Write trainA, trainB, testA and testB as WebP into `data`; return the quality."""
    pictures = [
        path for name in ("trainA", "trainB", "testA", "testB") for path in sorted((photographs / name).iterdir())
    ]
    quality = quality_for(pictures, room)
    for path in pictures:
        target = data / path.parent.name / f"{path.stem}.webp"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(as_webp(path, quality))
    return quality


def size_of(*folders: Path) -> int:
    """Return the bytes of all files in folders, or of single files."""
    files = [path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*"))]
    return sum(path.stat().st_size for path in files if path.is_file())


def travelling(root: Path) -> int:
    """Return the bytes of the working tree that always travel: tracked files, and others that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return size_of(*(root / name for name in names if (root / name).is_file()))


def pack(target: Path, photographs: Path, begin_with: Path | None, *, wheels: bool) -> None:
    """Make the set in a folder that has none, and see that what each call carries fits."""
    code = travelling(ROOT)
    for folder, names in (("wheels", WHEELS), ("clips", CLIPS)):
        (target / folder).mkdir(parents=True)
        if wheels:
            download(target / folder, names)
    begin = []
    if begin_with:
        from scripts.gpu.weights import convert  # which imports torch

        begin.append(target / "begin.safetensors")
        convert(begin_with, begin[0], "quantized")
    room = min(MOST_DATA, LIMIT - code - size_of(target / "wheels", *begin))
    quality = pack_pictures(photographs, target / "data", room)
    say(f"code {code / MIB:.1f} MiB; pictures at WebP quality {quality}, {size_of(target / 'data') / MIB:.1f} MiB")
    calls = {
        "smoke": [target / "wheels", target / "clips"],
        "benchmark": [target / "wheels"],
        "train": [target / "wheels", target / "data", *begin],
    }
    for name, carried in calls.items():
        size, names = code + size_of(*carried), " ".join(f".gpu/{path.name}" for path in carried)
        say(f"{name}: {size / MIB:.1f} MiB of {LIMIT / MIB:.1f}; carry {names}")
        if size > LIMIT:
            raise SystemExit(f"What {name} carries is over the limit. Track less, or carry less.")


def main() -> None:
    """Make the set anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, default=Path("../shared/horse2zebra"))
    parser.add_argument("--begin-with", type=Path, help="a model that a training on a fresh machine continues")
    parser.add_argument("--output", type=Path, default=ROOT / ".gpu")
    parser.add_argument("--toy", action="store_true", help="drawn pictures and no wheels")
    asked = parser.parse_args()
    for name in ("wheels", "clips", "data"):
        shutil.rmtree(asked.output / name, ignore_errors=True)
    (asked.output / "begin.safetensors").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        photographs = draw_data(Path(folder)) if asked.toy else asked.photographs
        pack(asked.output, photographs, asked.begin_with, wheels=not asked.toy)


if __name__ == "__main__":
    main()
