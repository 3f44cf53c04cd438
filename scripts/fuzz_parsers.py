"""What `scripts.fuzz_coverage` runs: for each parser of foreign bytes, valid inputs and a call of it on other bytes."""

import io
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from imagecodecs import cms_profile
from PIL import Image, PngImagePlugin, TiffImagePlugin

from cyclegan.checkpoints.model_file import described, load_tensors
from cyclegan.checkpoints.records import append_metrics, read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config, load_settings, parse_assignment, save_config
from cyclegan.data.archives import unpack
from cyclegan.export import export_reference
from cyclegan.images import read_picture
from cyclegan.images.cicp import code_points_of_avif, code_points_of_profile, jp2_profile
from cyclegan.images.decoding_errors import picture_errors
from cyclegan.images.exif import clean_exif, exif_with_size, orientation, without_orientation
from cyclegan.images.icc import converts_back, needs_conversion
from cyclegan.images.photoshop import join_resources, split_resources
from cyclegan.images.tiff_tags import FileChange, update_tags
from cyclegan.images.xmp import clean_xmp, mark_generated, shorten, xmp_with_size
from cyclegan.inspection.checkpoints import inspect_model
from cyclegan.reference.importing import read_network
from cyclegan.reports import render_progress
from cyclegan.reports.facts import headline_facts
from scripts.untrained_model import write_untrained_model

FOLDER = Path(tempfile.mkdtemp())  # of the files of parsers that read files
TINY = build_config(
    {"data": {"size": 32}, "generator": {"width": 1, "blocks": 1}, "discriminator": {"width": 1, "layers": 1}}
)
DOUBLED = FileChange(scale=(2.0, 2.0), shape=(24, 40, 3), dtype="uint8")


@dataclass(frozen=True)
class Parser:
    """A parser, which may raise a `CycleganError`, and a function that returns valid inputs."""

    parse: Callable[[bytes], object]
    valid: Callable[[], list[bytes]]


def parse_header(data: bytes) -> None:
    """Read a model's description from its metadata, which the library reads as texts by name."""
    try:
        metadata = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values()):
        described(FOLDER / "model.safetensors", metadata).resolved_keep("auto")


def headers() -> list[bytes]:
    """Return the metadata of a model."""
    path = write_untrained_model(FOLDER / "model.safetensors", TINY)
    return [json.dumps(load_tensors(path)[1]).encode()]


def parse_model(data: bytes) -> None:
    """Inspect a model file."""
    inspect_model(written(data, "model.safetensors"))


def models() -> list[bytes]:
    """Return a model file."""
    return [write_untrained_model(FOLDER / "model.safetensors", TINY).read_bytes()]


def parse_pth(data: bytes) -> None:
    """Read a network of the reference."""
    read_network(written(data, "net_G_A.pth"))


def pth_files() -> list[bytes]:
    """Return small networks of the reference, in torch's present file format and in its old one."""
    model = write_untrained_model(FOLDER / "model.safetensors", TINY)
    tensors, metadata = load_tensors(model)
    export_reference(FOLDER, tensors, described(model, metadata))
    files = []
    for path in (FOLDER / "latest_net_D_A.pth", FOLDER / "latest_net_G_A.pth"):
        weights = torch.load(path, weights_only=True)
        for present in (True, False):
            file = io.BytesIO()
            torch.save(weights, file, _use_new_zipfile_serialization=present)
            files.append(file.getvalue())
    return files


def parse_exif(data: bytes) -> None:
    """Correct a block of EXIF in every way."""
    orientation(data)
    cleaned, _ = clean_exif(data)
    without_orientation(exif_with_size(cleaned, 640, 480))
    without_orientation(exif_with_size(data, 640, 480))


def exif_blocks() -> list[bytes]:
    """Return blocks of both byte orders, with directories of EXIF and GPS, and one with a thumbnail."""
    blocks = []
    for prefix in (b"II", b"MM"):
        tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=prefix)
        tags[271], tags[274], tags[282] = "maker", 6, 72.0
        tags[0x8769] = {0xA002: 20, 0xA003: 12, 0x927C: b"\xff\xd8\xff\xc0\0\2\xff\xda\0\2\xff\xd9"}
        tags[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
        tags.save(file := io.BytesIO())
        blocks.append(b"Exif\0\0" + file.getvalue())
    picture = b"\xff\xd8\xff\xd9"
    first = struct.pack("<HHHIII", 1, 274, 3, 1, 6, 26)
    thumbnail = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(picture), 0)
    return [*blocks, b"II*\0" + struct.pack("<I", 8) + first + thumbnail + picture]


def parse_xmp(data: bytes) -> None:
    """Correct a packet, mark it and shorten it."""
    cleaned, _ = clean_xmp(data)
    shorten(xmp_with_size(mark_generated(cleaned, "horses2zebras", composite=False), 640, 480), 1000)
    mark_generated(data, "horses2zebras", composite=True)


def xmp_packets() -> list[bytes]:
    """Return packets with claims as attributes, as elements, in other encodings, and marked."""
    begin = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    end = "</r:RDF></x:xmpmeta>"
    attributes = '<r:Description xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6" t:ImageWidth="20"/>'
    elements = (
        '<r:Description xmlns:C="http://ns.google.com/photos/1.0/container/"><C:Directory><r:Seq/></C:Directory>'
        '<e:PixelXDimension xmlns:e="http://ns.adobe.com/exif/1.0/">20</e:PixelXDimension></r:Description>'
    )
    packets = [begin + attributes + end, begin + elements + end]
    return [*(packet.encode() for packet in packets), ("\ufeff" + packets[0]).encode("utf-16-le")]


def parse_icc(data: bytes) -> None:
    """Convert all colors by a profile, and back."""
    with picture_errors(FOLDER):
        code_points_of_profile(data)
        for channels in (1, 3, 4):
            if needs_conversion(data, channels):
                converts_back(data)
    for cached in (needs_conversion, converts_back):
        cached.cache_clear()


def icc_profiles() -> list[bytes]:
    """Return profiles of gray and of RGB, and one whose code points are added."""
    rgb = cms_profile("rgb", whitepoint=(0.34, 0.35), primaries=[0.64, 0.33, 0.3, 0.6, 0.15, 0.06], gamma=1.8)
    with_cicp = bytearray(rgb)
    with_cicp[132:144] = b"cicp" + struct.pack(">II", len(rgb), 12)
    return [rgb, cms_profile("gray", gamma=1.8), bytes(with_cicp) + b"cicp\0\0\0\0\x0c\x0d\0\1"]


def parse_tiff(data: bytes) -> None:
    """Update the tags of a TIFF for a picture of another size."""
    update_tags(data, DOUBLED)


def tiff_tags() -> list[bytes]:
    """Return tags with each kind of description, and with map coordinates."""
    ome = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels SizeX="20" PhysicalSizeX="0.5">'
        "<Channel/><TiffData/></Pixels></Image></OME>"
    )
    blocks = []
    for description in ("ImageJ=1.53\nimages=3\nslices=3\nunit=um\n", ome, '{"shape": [12, 20, 3]}'):
        tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
        tags[270], tags[282], tags[283] = description, 72.0, 72.0
        tags.tagtype |= {33550: 12, 33922: 12, 34735: 3}
        tags[33550], tags[33922] = (0.5, 0.5, 0.0), (0.0, 0.0, 0.0, 9.0, 48.0, 0.0)
        tags[34735] = (1, 1, 0, 1, 1025, 0, 1, 2)
        tags.save(file := io.BytesIO())
        blocks.append(file.getvalue())
    return blocks


def parse_png(data: bytes) -> None:
    """Read a PNG: its chunks, and its pixels."""
    if data.startswith(b"\x89PNG"):  # else other formats would be tried, by their own readers
        read_picture(written(data, "picture.png"), max_pixels=2**16)


def pngs() -> list[bytes]:
    """Return PNGs of 8 and of 16 bits, with texts, EXIF, code points and a color profile."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type iptc", "\niptc\n       4\n1c025000\n", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", xmp_packets()[0].decode())
    texts.add(b"cICP", b"\x0c\x0d\0\1")
    options = ({"pnginfo": texts, "exif": exif_blocks()[0], "dpi": (72, 72)}, {"icc_profile": icc_profiles()[0]})
    files = []
    for values, extra in zip((np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3), np.uint16)), options, strict=True):
        Image.fromarray(values).save(file := io.BytesIO(), "PNG", **extra)
        files.append(file.getvalue())
    return files


def parse_boxes(data: bytes) -> None:
    """Read code points of an AVIF, the profile of a JPEG 2000 file, and Photoshop's resources."""
    with picture_errors(FOLDER):
        code_points_of_avif(data)
        jp2_profile(data)
    join_resources(*split_resources(data))


def boxes() -> list[bytes]:
    """Return the boxes of an AVIF and of a JPEG 2000 file that are read, and resources."""

    def box(kind: bytes, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload) + 8) + kind + payload

    colors = box(b"colr", b"nclx\0\x0c\0\x0d\0\1\x80")
    associations = box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 1, 1, 0x81))
    properties = box(b"iprp", box(b"ipco", colors) + associations)
    avif = box(b"meta", bytes(4) + box(b"pitm", b"\0\0\0\0\0\1") + properties)
    return [avif, box(b"jp2h", box(b"colr", b"\2\0\0profile")), join_resources(b"\x1c\2\x50\0\1x", b"")]


def parse_metrics(data: bytes) -> None:
    """Read the metrics of a run, and write what the report and the page show of them."""
    metrics = read_metrics(Run(written(data, "run/metrics.jsonl").parent))
    headline_facts(TINY, metrics)
    render_progress(metrics)


def metrics_files() -> list[bytes]:
    """Return metrics of three steps."""
    run = Run(FOLDER / "seed")
    run.folder.mkdir(exist_ok=True)
    for step in (1, 2, 3):
        scores = {"gan_a2b": 0.5, "disc_a": 0.2, "disc_accuracy_a": 0.5, "best_step_a2b": 1, "swd_a2b": 0.1}
        append_metrics(run, {"step": step, "epoch": 0, "elapsed_seconds": 1.5 * step, "samples_per_second": 2} | scores)
    return [run.metrics.read_bytes()]


def parse_settings(data: bytes) -> None:
    """Read a settings file, and a setting of the command line."""
    parse_assignment("loss.cycle_a=" + data.decode(errors="replace"))
    build_config(load_settings(written(data, "config.toml")))


def settings_files() -> list[bytes]:
    """Return all settings, and a few."""
    save_config(build_config(), FOLDER / "config.toml")
    return [(FOLDER / "config.toml").read_bytes(), b'[data]\nsize = 32\nname_a = "horses"\n[loss]\ncycle_a = 5.0\n']


def parse_archive(data: bytes) -> None:
    """Unpack the archive of a data set."""
    folder = FOLDER / "unpacked"
    try:
        unpack(written(data, "set.zip"), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def archives() -> list[bytes]:
    """Return archives whose members are stored and deflated."""
    files = []
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(file := io.BytesIO(), "w", compression) as archive:
            for name in ("set/trainA/0.png", "set/trainB/0.png", "__MACOSX/._0"):
                archive.writestr(zipfile.ZipInfo(name), b"a picture", compression)
        files.append(file.getvalue())
    return files


def written(data: bytes, name: str) -> Path:
    """Write a file for a parser that reads one."""
    path = FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


PARSERS = {
    "header": Parser(parse_header, headers),
    "model": Parser(parse_model, models),
    "pth": Parser(parse_pth, pth_files),
    "exif": Parser(parse_exif, exif_blocks),
    "xmp": Parser(parse_xmp, xmp_packets),
    "icc": Parser(parse_icc, icc_profiles),
    "tiff": Parser(parse_tiff, tiff_tags),
    "png": Parser(parse_png, pngs),
    "boxes": Parser(parse_boxes, boxes),
    "metrics": Parser(parse_metrics, metrics_files),
    "settings": Parser(parse_settings, settings_files),
    "archive": Parser(parse_archive, archives),
}
