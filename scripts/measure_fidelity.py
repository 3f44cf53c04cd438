"""Translate any folder of files with a model that changes nothing, and compare each file before and after.

    python -m scripts.measure_fidelity FOLDER [--output DIR] [--list]

It prints a table: by format, how many files came back without a difference, and in how many each kind of thing differs.
`--list` names every difference. EXIF, XMP and IPTC are compared by exiftool, where it is installed. What is meant to
change is not counted: orientation, pixel sizes in metadata, thumbnails, previews and the mark. Lossy formats and
palettes may differ by two grey levels on average.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageOps, ImageSequence

from cyclegan.checkpoints.model_file import ModelInfo, save_model
from cyclegan.config import build_config
from cyclegan.images import FORMAT_OF, Pixels
from cyclegan.images.plugins import readable_formats
from cyclegan.models import build_networks
from cyclegan.translation import Target, TranslateJob, TranslateOptions, Translator, plan_targets, translate_targets

say = partial(print, flush=True)

PIXELS = ("pixels", "size", "mode", "alpha", "icc", "frames", "durations")
TAGS = ("exif", "xmp", "iptc")
LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "HEIF", "GIF")
TOLERANCE = 2.0  # grey levels on average, of lossy formats and palettes
MAX_PIXELS = 40_000_000
FILES_AT_ONCE = 200  # that exiftool reads in one call
IGNORED_GROUPS = {"System", "File", "ExifTool", "Composite", "IFD1", "IFD2", "IFD3",
                  "JFIF", "JFXX", "PNG", "PNG-pHYs", "GIF", "RIFF",
                  "Adobe", "SourceFile", "AVIF", "QuickTime", "Track1", "Meta", "MPF0"}  # fmt: skip
IGNORED_NAMES = {"Orientation", "ImageWidth", "ImageHeight", "ImageLength", "ImageSize", "PixelXDimension",
                 "PixelYDimension", "ExifImageWidth", "ExifImageHeight", "RelatedImageWidth", "RelatedImageHeight",
                 "DigitalSourceType", "AISystemUsed", "AISystemVersionUsed", "XMPToolkit", "StripOffsets",
                 "StripByteCounts", "RowsPerStrip", "TileOffsets", "TileByteCounts", "TileWidth", "TileLength",
                 "PlanarConfiguration", "Predictor", "SubfileType", "FillOrder",
                 "SamplesPerPixel", "BitsPerSample",
                 "PhotometricInterpretation", "Compression", "SampleFormat", "ExtraSamples", "ColorMap",
                 "PageNumber"}  # fmt: skip
KIND_OF = {"XMP": "xmp", "IPTC": "iptc", "Photoshop": "iptc", "ICC": "icc"}  # beginning of a group's name; else EXIF
PICTURES_IN_TAGS = ("Thumbnail", "Preview", "PhotoshopThumbnail", "JpgFromRaw", "OtherImage")


@dataclass
class Row:
    """How the files of one format fared."""

    files: int = 0
    same: int = 0
    refused: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


# ---- what a file holds


def pictures_in(path: Path) -> dict[str, Any]:
    """Return what Pillow sees in a file: every frame's pixels as they are seen, their times, the colour profile."""
    with Image.open(path, formats=[*readable_formats(path.suffix)]) as image:
        icc = image.info.get("icc_profile") or b""
        first = [ImageOps.exif_transpose(image)] if image.format in ("TIFF", "MPO") else ImageSequence.Iterator(image)
        frames, durations = [], []
        for frame in first:
            seen = ImageOps.exif_transpose(frame) if frame.format != "GIF" else frame
            has_alpha = seen.has_transparency_data
            frames.append(np.array(seen.convert("RGBA" if has_alpha else "RGB")))
            durations.append(frame.info.get("duration", 0))
        return {
            "format": image.format,
            "mode": image.mode,
            "icc": icc,
            "size": frames[0].shape[1::-1],
            "frames": len(frames),
            "durations": durations,
            "pixels": frames,
        }


def video_in(path: Path) -> dict[str, Any]:
    """Return what libav sees in a clip: how many frames of which size, when each is shown, and the streams."""
    with av.open(f"file:{path}") as clip:
        streams = sorted(stream.type for stream in clip.streams)
        shown = [(frame.width, frame.height, frame.time) for frame in clip.decode(video=0)]
        return {
            "format": clip.format.name.split(",")[0],
            "mode": streams,
            "size": shown[0][:2],
            "frames": len(shown),
            "durations": [time for *_, time in shown],
        }


def holds(path: Path) -> dict[str, Any]:
    """Return what a picture or clip holds."""
    return pictures_in(path) if path.suffix.lower() in FORMAT_OF else video_in(path)


def tags_of(paths: Iterable[Path]) -> dict[Path, dict[str, Any]]:
    """Return every file's tags as exiftool reads them; none where it is not installed."""
    todo, found = [*paths], dict[Path, dict[str, Any]]()
    while todo and shutil.which("exiftool"):
        part, todo = todo[:FILES_AT_ONCE], todo[FILES_AT_ONCE:]
        command = ["exiftool", "-j", "-a", "-G1", "-u", "-q", "-@", "-"]
        names = "\n".join(map(str, part)).encode()
        shown = subprocess.run(command, input=names, capture_output=True, check=False).stdout
        found |= {Path(tags["SourceFile"]): tags for tags in json.loads(shown or b"[]")}
    return found


# ---- what differs


def differences(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Yield the kinds of things that differ between two files, and how."""
    before, after = holds(source), holds(target)
    for kind in ("size", "mode", "icc", "frames", "durations"):
        if before.get(kind) != after.get(kind):
            yield kind, f"{brief(before.get(kind))} -> {brief(after.get(kind))}"
    pairs = [*zip(before.get("pixels", ()), after.get("pixels", ()), strict=False)]
    if any(one.shape[2] != other.shape[2] for one, other in pairs):
        yield "alpha", "there in one alone"
    pairs = [(one, other) for one, other in pairs if one.shape == other.shape]
    distance = max((float(distance_of(one, other)) for one, other in pairs), default=0.0)
    if distance > (TOLERANCE if before["format"] in LOSSY or before["mode"] in ("P", "PA") else 0):
        yield "pixels", f"{distance:.2f} grey levels"
    if any((one[..., 3:] != other[..., 3:]).any() for one, other in pairs) and before["format"] not in LOSSY:
        yield "alpha", "other values"


def distance_of(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean difference of two pictures where they can be seen."""
    visible = one[..., 3] > 0 if one.shape[2] == 4 else np.ones(one.shape[:2], bool)
    return float(np.abs(one.astype(int) - other)[visible, :3].mean()) if visible.any() else 0.0


def tag_differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kinds of tags that differ between two files, and which."""
    for name in sorted({*before, *after}):
        group, _, tag = name.partition(":")
        ignored = group in IGNORED_GROUPS or tag in IGNORED_NAMES or tag.startswith(PICTURES_IN_TAGS)
        if not ignored and before.get(name) != after.get(name):
            yield (
                KIND_OF.get(group.partition("-")[0].partition("_")[0], "exif"),
                f"{name}: {brief(before.get(name))} -> {brief(after.get(name))}",
            )


def brief(value: object) -> str:
    """Return a value in a few characters."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---- the measurement


class Unchanged(Translator):
    """A translator that returns every picture's pixels as they came."""

    def translate_pixels(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Return them."""
        return [*pictures]


def translate_unchanged(folder: Path, output: Path) -> tuple[list[Target], list[str]]:
    """Translate a folder without changing a pixel; return the targets, and what failed."""
    config = build_config({"generator": {"width": 4, "blocks": 1}, "discriminator": {"width": 4}})
    networks = build_networks(config)
    info = ModelInfo(
        domain_a="photos",
        domain_b="same",
        size=config.data.size,
        steps=0,
        averaged=True,
        generator=config.resolved_generator,
        discriminator=config.discriminator,
    )
    weights = {
        f"{way}.{name}": weight for way, net in networks.named_children() for name, weight in net.state_dict().items()
    }
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "nothing.safetensors"
        save_model(model, info, weights)
        translator = Unchanged(model, device="cpu", precision="fp32")
        targets = plan_targets([folder], "same", output=output)
        outcome = translate_targets(targets, TranslateJob(translator, TranslateOptions(max_pixels=MAX_PIXELS)))
    return targets, [str(error) for error in outcome.failed]


def measure(folder: Path, output: Path, *, listed: bool) -> dict[str, Row]:
    """Return a row for every format."""
    targets, failed = translate_unchanged(folder, output)
    done = [target for target in targets if target.path.exists()]
    tags = tags_of(path for target in done for path in (target.source, target.path))
    rows: defaultdict[str, Row] = defaultdict(Row)
    for target in targets:
        row = rows[target.source.suffix.lower().lstrip(".")]
        row.files += 1
        if target not in done:
            row.refused += 1
            continue
        try:
            found = [*differences(target.source, target.path)]
        except Exception as error:  # decoders raise whatever they like
            found = [("unread", str(error))]
        found += tag_differences(tags.get(target.source, {}), tags.get(target.path, {}))
        kinds = {kind for kind, _ in found}
        row.kinds.update(kinds)
        row.same += not kinds
        for kind, what in found if listed else ():
            say(f"{target.source.name}: {kind}: {what}")
    for reason in failed if listed else ():
        say(f"refused: {reason}")
    return rows


def table(rows: dict[str, Row]) -> str:
    """Return the rows as a table in Markdown."""
    kinds = [*PIXELS, *(TAGS if shutil.which("exiftool") else ()), "unread"]
    lines = [f"| format | files | no difference | {' | '.join(kinds)} | refused |", "|" + " --- |" * (len(kinds) + 4)]
    for name, row in sorted(rows.items()):
        counts = " | ".join(str(row.kinds[kind] or "") for kind in kinds)
        lines.append(f"| {name} | {row.files} | {row.same} | {counts} | {row.refused or ''} |")
    return "\n".join(lines)


def main() -> None:
    """Measure a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, help="where the translations stay; default: nowhere")
    parser.add_argument("--list", action="store_true", help="name every difference")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of Pillow, about odd files
    with tempfile.TemporaryDirectory() as place:
        rows = measure(options.folder, options.output or Path(place) / "out", listed=options.list)
    say(table(rows))
    if not shutil.which("exiftool"):
        say("\nexiftool is not installed: EXIF, XMP and IPTC were not compared.")


if __name__ == "__main__":
    main()
