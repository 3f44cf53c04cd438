"""A model as a page of one's own: a folder of files that any web server serves, and the visitor's browser runs."""

import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from markupsafe import escape

from cyclegan.atomic import atomic_write, write_text
from cyclegan.checkpoints.model_file import ModelInfo
from cyclegan.directions import DirectionName
from cyclegan.errors import MissingExtraError
from cyclegan.export.programs import ProgramOptions, export_program
from cyclegan.images.xmp import mark_generated
from cyclegan.reference.pth import Weights
from cyclegan.reports.rendering import packaged, render

RUNTIME = "onnxruntime-web@1"  # of npm
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SIZES = (256, 384, 512, 768)  # pixels of the short side that a visitor can choose
NPM_HINT = "Install Node.js, which brings npm, and connect to the network once."


def web_files(folder: Path, directions: Iterable[DirectionName]) -> list[Path]:
    """Return the files of a page, `index.html` last."""
    programs = [folder / f"{direction}.onnx" for direction in directions]
    runtime = [folder / "onnxruntime" / name for name in RUNTIME_FILES]
    return [*programs, *runtime, folder / "page.js", folder / "index.html"]


def export_web_page(folder: Path, name: str, info: ModelInfo, directions: Mapping[DirectionName, Weights]) -> float:
    """Write a page that translates visitors' pictures in their browser; return the largest difference to PyTorch.

    `directions` are the weights of one generator or both, `name` the model's. npm brings ONNX Runtime for browsers:
    a `MissingExtraError` where it cannot. Some 14 MB, nearly all of them the runtime.
    """
    with TemporaryDirectory() as temporary:
        runtime = fetch_runtime(Path(temporary))
        differences = [
            export_program(
                folder / f"{direction}.onnx", weights, info, ProgramOptions(direction=direction, pictures=True)
            )
            for direction, weights in directions.items()
        ]
        for file in RUNTIME_FILES:
            with atomic_write(folder / "onnxruntime" / file) as aside:
                shutil.copyfile(runtime / file, aside)
    write_text(folder / "page.js", packaged("web_page.js"))
    write_text(folder / "index.html", page(name, info, list(directions)))
    return max(differences)


def page(name: str, info: ModelInfo, directions: list[DirectionName]) -> str:
    """Return the HTML of the page."""
    programs = [
        {
            "file": f"{direction}.onnx",
            "target": info.domains(direction)[1],
            "channels": info.channels(direction)[0],
        }
        for direction in directions
    ]
    source, target = info.domains(directions[0])
    return render(
        "web_page.html",
        title=f"{source} {'→' if len(directions) == 1 else '↔'} {target}",
        programs=programs,
        sizes=SIZES,
        selected_size=min(SIZES, key=lambda size: abs(size - info.size)),
        mark=escape(mark_generated(b"", name, composite=False).decode()),  # its byte order mark stays
    )


def fetch_runtime(folder: Path) -> Path:
    """Let npm bring ONNX Runtime for browsers into a folder; return where its files lie."""
    npm = shutil.which("npm")
    if npm is None:
        raise MissingExtraError("this needs npm, which brings ONNX Runtime for browsers.", NPM_HINT)
    packed = subprocess.run(  # npm checks what it brings against its registry's hash
        [npm, "pack", RUNTIME, "--silent", "--pack-destination", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(folder.glob("*.tgz"))
    if packed.returncode or not archives:
        raise MissingExtraError(f"npm did not bring {RUNTIME}.", NPM_HINT)
    with tarfile.open(archives[0]) as archive:
        for name in RUNTIME_FILES:
            archive.extract(f"package/dist/{name}", folder, filter="data")
    return folder / "package" / "dist"
