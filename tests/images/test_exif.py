"""EXIF comes back byte for byte, but for what is no longer so: orientation, sizes, thumbnails, damaged tags."""

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pillow_heif
import pytest
from PIL import ExifTags, Image

from cyclegan.images import exif
from cyclegan.images.exif_block import EXIF_HEADER
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.support.exif_blocks import ASCII, EXIF, GPS, LONG, RATIONAL, SHORT, Tag, camera
from tests.support.pictures import notes_of, picture, translate


def jpeg() -> bytes:
    file = io.BytesIO()
    picture("RGB").save(file, "JPEG")
    return file.getvalue()


def block_of(path: Path) -> bytes:
    with Image.open(path) as image:
        image.load()
        return EXIF_HEADER + image.info["exif"].removeprefix(EXIF_HEADER)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_changes_only_in_orientation_and_size(suffix: str, order: str, tmp_path: Path, idle):
    before = camera(order)
    picture("RGB").save(tmp_path / f"x.{suffix}", exif=before)
    target = translate(tmp_path / f"x.{suffix}", idle)
    after = block_of(target)
    changed = [place for place in range(len(before)) if before[place] != after[place]]
    assert len(after) == len(before)
    assert len(changed) == 3  # orientation, width, height
    assert exif.orientation(after) == 1
    with Image.open(target) as image:
        inner = image.getexif().get_ifd(EXIF)
        assert (inner[0xA002], inner[0xA003]) == image.size == (24, 36)


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_animations_are_transposed_by_exif(suffix: str, tmp_path: Path, idle):
    frames = [picture("RGB"), picture("RGB").rotate(180)]
    frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:], exif=camera(">"))
    target = translate(tmp_path / f"x.{suffix}", idle)
    assert exif.orientation(block_of(target)) == 1
    with Image.open(target) as image:
        assert (image.size, image.n_frames) == ((24, 36), 2)


@pytest.mark.parametrize("suffix", ["avif", "heic"])
def test_avif_and_heic_keep_exif_without_orientation(suffix: str, tmp_path: Path, idle):
    if suffix == "heic":
        pillow_heif.register_heif_opener()
    before = exif.without_orientation(camera(">"))
    picture("RGB").save(tmp_path / f"x.{suffix}", exif=before)
    assert block_of(translate(tmp_path / f"x.{suffix}", idle, size=48)) == exif.exif_with_size(before, 72, 48)


@pytest.mark.parametrize("order", "<>")
def test_thumbnails_and_previews_are_blanked(order: str, tmp_path: Path, idle):
    before = camera(order, thumbnail=jpeg(), note_more=jpeg())
    assert before.count(b"\xff\xd8\xff") == 2
    picture("RGB").save(tmp_path / "x.jpg", exif=before)
    after = block_of(translate(tmp_path / "x.jpg", idle))
    assert b"\xff\xd8\xff" not in after
    assert len(after) == len(before)
    assert b"Firmware Version 1.10" in after
    loaded = Image.Exif()
    loaded.load(after)
    assert not loaded.get_ifd(ExifTags.IFD.IFD1)
    assert loaded.get_ifd(EXIF).get(0x9286, b"").startswith(b"UNICODE\0")


BAD_TAGS: dict[str, Tag] = {
    "ExposureTime": (0x829A, RATIONAL, 1, b""),  # outside the block
    "LensModel": (0xA434, ASCII, 2**31, b"abcd"),
    "FNumber": (0x829D, 99, 1, b"abcd"),
    "Artist": (0x013B, ASCII, 4000, b"abcd"),
    "Software": (0x0131, 0, 7, b"abcd"),
}


@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Metadata Warning")  # Pillow's, of the input
@pytest.mark.parametrize("name", BAD_TAGS)
@pytest.mark.parametrize("order", "<>")
def test_a_damaged_tag_alone_is_removed_and_named(name: str, order: str, tmp_path: Path, idle):
    tag, kind, count, data = BAD_TAGS[name]
    block = camera(order, more=((tag, kind, count, data or b"\xff\xff\xff\xf0"),))
    picture("RGB").save(tmp_path / "x.jpg", exif=block)
    [note] = notes_of(tmp_path / "x.jpg", idle)
    assert name in note
    assert "damaged" in note
    with Image.open(tmp_path / "out" / "x.jpg") as image:
        after = image.getexif()
        assert after[0x10F] == "Canon"
        assert after.get_ifd(EXIF)[0x9286].startswith(b"UNICODE\0")
        assert after.get_ifd(EXIF)[0xA001] == 65535
        assert tag not in after
        assert tag not in after.get_ifd(EXIF)


@pytest.mark.parametrize("pointer", [EXIF, GPS])
def test_an_invalid_pointer_loses_only_its_directory(pointer: int):
    block = camera(">")
    place = block.index(struct.pack(">HHI", pointer, LONG, 1))
    after, message = exif.clean_exif(block[: place + 8] + b"\x7f\xff\xff\xff" + block[place + 12 :])
    assert {EXIF: "ExifOffset", GPS: "GPSInfo"}[pointer] in message
    assert b"Canon" in after


def hostile() -> dict[str, bytes]:
    entry = struct.pack(">HHII", EXIF, LONG, 1, 8)
    wide = b"".join(struct.pack(">HHII", EXIF, LONG, 1, 10 + 12 * number) for number in range(4000))
    value = struct.pack(">HHII", 1, 7, 10**6, 8)
    single = struct.pack(">HHHIHHI", 1, 0x112, SHORT, 1, 6, 0, 8)
    return {
        "nothing": b"",
        "no byte order": b"XX\0*\0\0\0\x08",
        "points to itself": struct.pack(">H", 1) + entry + struct.pack(">I", 8),
        "only itself to follow": single,
        "no tag": bytes(6),
        "more tags than bytes": struct.pack(">H", 65535) + entry,
        "many directories": struct.pack(">H", 4000) + wide + b"\0\x10" * 100_000,
        "many values of everything": struct.pack(">H", 4000) + value * 4000 + bytes(10**6),
        "many beginnings of pictures": single + b"\xff\xd8\xff\xe0\0\x02" * 100_000 + b"\xff\xd9",
        "many pictures": single + b"\xff\xd8\xff\xc0\0\x02\xff\xda\0\x02" * 50_000,
    }  # fmt: skip


@pytest.mark.parametrize("kind", hostile())
def test_hostile_blocks_end_soon_and_raise_nothing(kind: str):
    data = hostile()[kind]
    block = data if kind in ("nothing", "no byte order") else b"MM\0*\0\0\0\x08" + data
    after, message = exif.clean_exif(EXIF_HEADER + block)
    assert after or message
    assert not after or len(after) == len(EXIF_HEADER + block)
    assert exif.orientation(after) in (None, 1)


def test_random_damage_raises_nothing():
    chance, block = Random(0), camera("<", thumbnail=jpeg())
    for _ in range(300):
        damaged = bytearray(block)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(min(300, len(block)))] = chance.randrange(256)
        cut = bytes(damaged[: chance.randint(0, len(block)) if chance.random() < 0.2 else None])
        after, message = exif.clean_exif(cut)
        assert after or message
        exif.exif_with_size(after, 70_000, 3)
        exif.without_orientation(after)


def test_a_size_beyond_a_short_becomes_a_long():
    loaded = Image.Exif()
    loaded.load(exif.exif_with_size(camera("<"), 70_000, 80_000))
    inner = loaded.get_ifd(EXIF)
    assert (inner[0xA002], inner[0xA003]) == (70_000, 80_000)


def test_exif_longer_than_a_segment_comes_back(tmp_path: Path, idle):
    block = camera(">", note_more=bytes(range(256)) * 400)
    picture("RGB").save(tmp_path / "x.png", exif=block)
    task_out = tmp_path / "y.jpg"
    [target] = plan_targets([tmp_path / "x.png"], "zebras", output=task_out)
    assert not translate_targets([target], TranslateJob(idle, TranslateOptions())).failed
    assert len(block_of(task_out)) == len(block)


def exiftool(path: Path) -> dict[str, Any]:
    shown = subprocess.run(["exiftool", "-j", "-a", "-G1", "-u", path], check=True, capture_output=True).stdout
    return json.loads(shown)[0]


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
@pytest.mark.parametrize("order", "<>")
def test_exiftool_sees_no_other_difference(order: str, tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.jpg", exif=camera(order, thumbnail=jpeg()))
    before, after = exiftool(tmp_path / "x.jpg"), exiftool(translate(tmp_path / "x.jpg", idle))
    groups = ("IFD0:", "ExifIFD:", "Canon:", "InteropIFD:", "GPS:", "File:ExifByteOrder", "ExifTool:Warning")
    names = {name for name in (*before, *after) if name.startswith(groups)}
    assert len(names) > 12
    assert {name for name in names if before.get(name) != after.get(name)} == {
        "IFD0:Orientation", "ExifIFD:ExifImageWidth", "ExifIFD:ExifImageHeight"
    }  # fmt: skip


def test_exif_of_orientation_alone_becomes_nothing():
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = 6
    assert exif.without_orientation(block.tobytes()) == b""
    block[ExifTags.Base.Make] = "Canon"
    rest = Image.Exif()
    rest.load(exif.without_orientation(block.tobytes()))
    assert dict(rest) == {ExifTags.Base.Make: "Canon"}
