"""What goes in comes out: every format, mode and feature of a picture, through the whole translation."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, TiffImagePlugin

from cyclegan import Translator
from cyclegan.images import read_picture, with_bits
from cyclegan.images.colour import srgb
from cyclegan.images.metadata import RDF, marked
from cyclegan.models import UNetGenerator
from cyclegan.translation import Manner, Work, plan_tasks, translate_all
from tests.models_for_tests import write_model

SHARED = Path(__file__).parents[3] / "shared" / "horse2zebra" / "testA"
WIDE = imagecodecs.cms_profile("adobergb")
GREY = imagecodecs.cms_profile("gray", gamma=1.8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "stripes.safetensors")


@pytest.fixture(scope="module")
def translator(model: Path) -> Translator:
    return Translator(model, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def idle(model: Path) -> Translator:
    """Return a translator whose network returns what it is given."""
    translator = Translator(model, device="cpu", precision="fp32")
    translator.generators[torch.float32] = Idle()
    return translator


@pytest.fixture(scope="module")
def both(translator: Translator, idle: Translator) -> tuple[Translator, Translator]:
    """Return one that changes pictures and one that does not."""
    return translator, idle


class Idle(UNetGenerator):
    """The generator that changes nothing."""

    stride, smallest = 4, 8

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return them."""
        return images


def smooth(height: int = 24, width: int = 36, channels: int = 3) -> np.ndarray:
    """Return soft colours, which lossy formats keep."""
    down, across = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    waves = [120 + 100 * np.sin(3 * down + place) * np.cos(2 * across - place) for place in range(channels)]
    return np.stack(waves, axis=-1).round().astype(np.uint8)


def transparent(image: Image.Image) -> Image.Image:
    alpha = np.tile(np.linspace(0, 255, image.width).round().astype(np.uint8), (image.height, 1))
    image.putalpha(Image.fromarray(alpha))
    return image


def picture(mode: str) -> Image.Image:
    """Return a picture of any mode."""
    colours = Image.fromarray(smooth())
    if mode in ("RGBA", "LA"):
        return transparent(colours.convert(mode[:-1]))
    if mode == "I;16":
        return Image.fromarray(smooth()[..., 0].astype(np.uint16) * 257 + 3)
    return colours.convert(mode)


@dataclass
class Case:
    """A file, and what must come back of it."""

    suffix: str
    mode: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.suffix}-{self.mode}-{'-'.join(self.options)}"


CASES = [
    *[Case("png", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")],
    *[Case("tif", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "LAB")],
    *[Case("tif", "RGB", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")],
    *[Case("jpg", mode) for mode in ("L", "RGB", "CMYK")],
    *[Case("jpg", "RGB", {"quality": quality}) for quality in (30, 90, 97)],
    Case("jpg", "RGB", {"progressive": True, "subsampling": 2}),
    *[Case("webp", mode, {"lossless": lossless}) for mode in ("RGB", "RGBA") for lossless in (False, True)],
    *[Case("avif", mode) for mode in ("RGB", "RGBA")],
    *[Case("bmp", mode) for mode in ("1", "L", "P", "RGB")],
    *[Case("gif", mode) for mode in ("L", "P")],
    *[Case("ppm", mode) for mode in ("L", "RGB")],
]


def translate(source: Path, translator: Translator, **manner: Any) -> Path:
    """Translate one file and return what it became."""
    [task] = plan_tasks([source], "zebras", output=source.parent / "out")
    outcome = translate_all([task], Work(translator, Manner(**manner)))
    assert not outcome.failed, outcome.failed
    return task.target


@pytest.mark.parametrize("case", CASES, ids=str)
def test_format_size_and_mode_come_back(case: Case, tmp_path: Path, translator: Translator, idle: Translator):
    source = tmp_path / f"x.{case.suffix}"
    picture(case.mode).save(source, **case.options)
    for network in (translator, idle):
        written = translate(source, network, overwrite=True)
        assert written.name == source.name
        with Image.open(source) as before, Image.open(written) as after:
            assert (after.format, after.size, after.mode) == (before.format, before.size, before.mode)
            if "A" in before.mode and before.mode != "LAB":
                alphas = [np.asarray(image.convert("RGBA"))[..., 3] for image in (before, after)]
                assert np.array_equal(*alphas) or case.suffix == "avif"
            if case.suffix == "tif":
                assert after.info["compression"] == before.info["compression"]
    assert difference(source, written) < (9 if case.mode in ("1", "P", "LAB") else 3)


def difference(one: Path, other: Path) -> float:
    """Return the mean difference of two pictures where they can be seen, in grey levels of 255."""
    before, after = (read_picture(path) for path in (one, other))
    visible = np.ones(before.pixels.shape[:2]) if before.alpha is None else before.alpha > 0
    levels = [with_bits(picture.pixels, 8).astype(float) for picture in (before, after)]
    return float(np.abs(levels[0] - levels[1])[visible > 0].mean())


@pytest.mark.parametrize(  # Pillow opens no TIFF of two channels
    ("suffix", "channels"), [("png", 1), ("png", 2), ("png", 3), ("png", 4), ("tif", 1), ("tif", 3), ("tif", 4)]
)
def test_sixteen_bits_come_back_as_sixteen_bits(suffix: str, channels: int, tmp_path: Path, idle, translator):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20, channels), dtype=np.uint16)
    source = tmp_path / f"x.{suffix}"
    encode = imagecodecs.png_encode if suffix == "png" else imagecodecs.tiff_encode
    source.write_bytes(deep_file(levels, suffix, encode))
    stored = read_levels(source)
    assert np.array_equal(read_levels(translate(source, idle)), stored)
    redrawn = read_levels(translate(source, translator, overwrite=True))
    assert redrawn.shape == stored.shape
    assert len(np.unique(redrawn[..., 0] % 256)) > 50  # the low bytes are used
    if channels in (2, 4):
        assert np.array_equal(redrawn[..., -1], stored[..., -1])


def deep_file(levels: np.ndarray, suffix: str, encode: Any) -> bytes:
    if suffix == "png":
        return encode(levels[..., 0] if levels.shape[2] == 1 else levels)
    file = io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    raw = levels.astype("<u2").tobytes()
    values = {
        256: levels.shape[1], 257: levels.shape[0], 258: (16,) * levels.shape[2], 259: 1,
        262: 2 if levels.shape[2] > 1 else 1, 273: (0,), 277: levels.shape[2], 278: levels.shape[0], 279: (len(raw),),
    }  # fmt: skip
    for tag, value in values.items():
        tags[tag] = value
    if levels.shape[2] == 4:
        tags[338] = (2,)
    tags.save(file)
    return file.getvalue() + raw


def read_levels(path: Path) -> np.ndarray:
    """Return 16-bit levels as they stand in a file, by another reader than ours."""
    decode = imagecodecs.png_decode if path.suffix == ".png" else imagecodecs.tiff_decode
    levels = decode(path.read_bytes())
    assert levels.dtype == np.uint16
    return levels[..., None] if levels.ndim == 2 else levels


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("tile", [16, 100])
def test_a_generator_that_changes_nothing_changes_nothing_in_tiles(kind: type, tile: int, idle):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (217, 330, 3), dtype=kind, endpoint=True)
    before, idle.tile = idle.tile, tile
    try:
        assert not idle.fits_whole(217, 330, 1, torch.float32)
        assert np.array_equal(idle.redraw_pixels([pixels])[0], pixels)
    finally:
        idle.tile = before


def test_a_fine_jpeg_keeps_its_tables_and_a_coarse_one_gets_better_ones(tmp_path: Path, idle):
    for quality, at_least in ((97, 97), (92, 92), (50, 90)):
        source = tmp_path / f"{quality}.jpg"
        picture("RGB").save(source, quality=quality, subsampling=1)
        with Image.open(translate(source, idle)) as after:
            reference = io.BytesIO()
            picture("RGB").save(reference, "JPEG", quality=at_least)
            assert after.quantization == Image.open(reference).quantization
    with Image.open(translate(source, idle, quality=60, overwrite=True)) as after:
        picture("RGB").save(reference := io.BytesIO(), "JPEG", quality=60)
        assert after.quantization == Image.open(reference).quantization


PROFILES = {
    "png": ("png", "RGB", WIDE),
    "jpg": ("jpg", "RGB", WIDE),
    "tif with alpha": ("tif", "RGBA", WIDE),
    "webp": ("webp", "RGB", WIDE),
    "grey png": ("png", "L", GREY),
}


@pytest.mark.parametrize(("suffix", "mode", "profile"), PROFILES.values(), ids=PROFILES)
def test_a_colour_profile_is_understood_and_comes_back(suffix, mode, profile, tmp_path, both):
    source = tmp_path / f"x.{suffix}"
    soft = Image.fromarray((smooth() * 0.5 + 60).astype(np.uint8)).convert(mode)  # within sRGB, so nothing is cut off
    soft.save(source, icc_profile=profile, **({"lossless": True} if suffix == "webp" else {}))
    seen = with_bits(read_picture(source).pixels, 8).astype(int)
    stored = np.asarray(soft.convert("L" if mode == "L" else "RGB")).astype(int).reshape(seen.shape)
    assert np.abs(seen - stored).max() > 5  # what the network sees has been converted
    for network in both:
        with Image.open(translate(source, network, overwrite=True)) as after:
            assert after.info["icc_profile"] == profile
            levels = np.asarray(after.convert(soft.mode)).astype(int)
    assert np.abs(levels - np.asarray(soft)).mean() < (1.5 if suffix == "jpg" else 0.5)


def test_a_profile_of_srgb_changes_nothing(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.png", icc_profile=srgb())
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.array_equal(np.asarray(after), smooth())
        assert after.info["icc_profile"] == srgb()


@pytest.mark.parametrize("profile", [b"no profile at all", GREY, b"\0" * 200], ids=["text", "of greys", "zeros"])
def test_a_profile_that_makes_no_sense_is_passed_on(profile: bytes, tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.png", icc_profile=profile)
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.array_equal(np.asarray(after), smooth())
        assert after.info["icc_profile"] == profile


def test_sixteen_bits_with_a_profile_lose_nothing_to_eight(tmp_path: Path, idle):
    levels = (smooth().astype(np.uint16) * 100) + 9000
    data = imagecodecs.png_encode(levels)
    profile = struct.pack(">I", 0)
    source = tmp_path / "x.png"
    source.write_bytes(data)
    image = read_picture(source)
    image.profile = WIDE
    from cyclegan.images import write_picture

    write_picture(image, source, "PNG")
    assert profile
    before = read_levels(source)
    after = translate(source, idle)
    assert np.abs(read_levels(after).astype(int) - before).mean() < 8  # of 65,535
    with Image.open(after) as written:
        assert written.info["icc_profile"] == WIDE


def exif_with_thumbnail() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "a camera"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] = 2.8
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 36
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif.tobytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_exif_comes_back_upright_and_without_a_thumbnail(suffix: str, tmp_path: Path, idle):
    source = tmp_path / f"x.{suffix}"
    picture("RGB").save(source, exif=exif_with_thumbnail())
    with Image.open(translate(source, idle, size=48)) as after:
        exif = after.getexif()
        assert after.size == (48, 72)  # 36 x 24, turned, at twice the size
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        assert exif[ExifTags.Base.Make] == "a camera"
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] == pytest.approx(2.8)
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 48
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert not exif.get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_once(orientation: int, tmp_path: Path, idle):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture("RGB").save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as before, Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(before)), np.asarray(after))
        assert after.getexif().get(ExifTags.Base.Orientation, 1) == 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "gif"])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_translation_says_that_it_was_generated(suffix: str, strength: float, tmp_path: Path, translator):
    source = tmp_path / f"x.{suffix}"
    old = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        b' tiff:Orientation="6" dc:source="the old one" rdf:about=""/></rdf:RDF></x:xmpmeta>'
    )
    options: dict[str, Any] = {} if suffix in ("gif", "png", "tif") else {"xmp": old}
    if suffix == "tif":
        options["tiffinfo"] = {700: old}
    picture("P" if suffix == "gif" else "RGB").save(source, **options)
    packet = translate(source, translator, strength=strength).read_bytes()
    kind = b"trainedAlgorithmicMedia" if strength == 1 else b"compositeWithTrainedAlgorithmicMedia"
    assert b'DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/' + kind in packet
    assert b"stripes" in packet  # the model's name
    if options:
        assert b"the old one" in packet
        assert b"tiff:Orientation" not in packet


def test_a_mark_replaces_an_older_mark():
    twice = marked(marked(b"", "one & <all>", composite=True), "another", composite=False)
    assert twice.count(b"DigitalSourceType") == 1
    assert b"one &amp;" not in twice
    assert marked(b"\xff\xfe no XML", "it", composite=False).startswith(b"<?xpacket")


def test_text_resolution_comments_and_captions_come_back(tmp_path: Path, idle):
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Author", "somebody")
    picture("RGB").save(tmp_path / "x.png", pnginfo=text, dpi=(300, 300))
    caption = b"\x1c\x02\x78\x00\x05hello"
    segment = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", len(caption)) + caption
    extra = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    picture("RGB").save(tmp_path / "y.jpg", extra=extra, dpi=(240, 240), comment=b"a comment")
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert after.text["Author"] == "somebody"
        assert after.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    with Image.open(translate(tmp_path / "y.jpg", idle)) as after:
        assert after.info["photoshop"][0x0404] == caption
        assert after.info["dpi"] == (240, 240)
        assert after.info["comment"] == b"a comment"


def test_what_is_transparent_leaves_no_fringe(tmp_path: Path, idle):
    colours = np.full((20, 20, 4), (200, 120, 40, 255), dtype=np.uint8)
    colours[:, 10:] = 0  # an editor's black under what cannot be seen
    Image.fromarray(colours).save(tmp_path / "x.png")
    assert (read_picture(tmp_path / "x.png").pixels == (200, 120, 40)).all()
    with Image.open(translate(tmp_path / "x.png", idle, size=40)) as after:
        seen = np.asarray(after)
    assert (seen[..., :3] == (200, 120, 40)).all()


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_hole_in_a_palette_stays_a_hole(suffix: str, tmp_path: Path, translator):
    image = picture("RGB").quantize(16)
    image.paste(3, (4, 4, 20, 12))
    image.save(tmp_path / f"x.{suffix}", transparency=3)
    written = translate(tmp_path / f"x.{suffix}", translator)
    with Image.open(tmp_path / f"x.{suffix}") as before, Image.open(written) as after:
        alphas = [np.asarray(image.convert("RGBA"))[..., 3] for image in (before, after)]
    assert (alphas[0] == 0).any()
    assert np.array_equal(*alphas)


def test_a_big_tiff_is_a_picture_like_any_other(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.tif", big_tiff=True)
    assert difference(tmp_path / "x.tif", translate(tmp_path / "x.tif", idle)) == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("text", ["© 2024 José, 日本語".encode(), "© Müller".encode("latin-1")])
def test_text_of_every_script_keeps_its_bytes(suffix: str, text: bytes, tmp_path: Path, idle):
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    tags.tagtype[ExifTags.Base.Copyright] = 2
    tags[ExifTags.Base.Copyright] = text
    file = io.BytesIO()
    tags.save(file)
    options = {"tiffinfo": tags} if suffix == "tif" else {"exif": b"Exif\0\0" + file.getvalue()}
    picture("RGB").save(tmp_path / f"x.{suffix}", **options)
    assert text in translate(tmp_path / f"x.{suffix}", idle, size=30).read_bytes()


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_deep_tiffs_are_turned_too(orientation: int, tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20, 3), dtype=np.uint16)
    (tmp_path / "x.tif").write_bytes(deep_file(levels, "tif", None))
    with Image.open(tmp_path / "x.tif") as image:
        tags = image.tag_v2
    tags[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    tags[273] = (0,)
    tags.save(file)
    (tmp_path / "x.tif").write_bytes(file.getvalue() + levels.astype("<u2").tobytes())
    turned = {
        2: levels[:, ::-1],
        3: levels[::-1, ::-1],
        6: np.rot90(levels, -1),
        8: np.rot90(levels),
    }[orientation]
    assert np.array_equal(read_levels(translate(tmp_path / "x.tif", idle)), turned)


def test_a_planar_deep_tiff_is_read(tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (3, 12, 20), dtype=np.uint16)
    data = deep_file(np.moveaxis(levels, 0, -1).copy(), "tif", None)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    with Image.open(io.BytesIO(data)) as image:
        for tag, value in image.tag_v2.items():
            tags[tag] = value
    size = levels[0].nbytes
    tags[273], tags[279], tags[284] = (0, size, 2 * size), (size,) * 3, 2
    tags.save(file := io.BytesIO())
    (tmp_path / "x.tif").write_bytes(file.getvalue() + levels.astype("<u2").tobytes())
    assert np.array_equal(read_levels(translate(tmp_path / "x.tif", idle)), np.moveaxis(levels, 0, -1))


def test_deep_greys_with_transparency_become_a_tiff_that_others_open(tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20, 2), dtype=np.uint16)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(levels))
    [task] = plan_tasks([tmp_path / "x.png"], "zebras", image_format="tif")
    assert not translate_all([task], Work(idle, Manner())).failed
    with Image.open(task.target) as after:
        assert after.mode == "RGBA"
    assert np.array_equal(read_levels(task.target)[..., [0, 3]], levels)


def test_a_deep_pgm_stays_deep(tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20), dtype=np.uint16)
    (tmp_path / "x.pgm").write_bytes(b"P5 20 12 65535\n" + levels.astype(">u2").tobytes())
    with Image.open(translate(tmp_path / "x.pgm", idle)) as after:
        assert np.array_equal(np.asarray(after), levels)


def packet_of(inner: str) -> str:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{inner}</rdf:RDF></x:xmpmeta>'


def test_xmp_of_any_spelling_is_kept_and_marked_once():
    from cyclegan.images.metadata import IPTC

    title = '<rdf:Description rdf:about="" xmlns:q="a:b" q:title="the old title"/>'
    captured = f'<rdf:Description rdf:about="" xmlns:i="{IPTC}" i:DigitalSourceType="digitalCapture"/>'
    element = (
        f'<rdf:Description xmlns:i="{IPTC}"><i:DigitalSourceType>digitalCapture</i:DigitalSourceType></rdf:Description>'
    )
    plain = packet_of(title + captured + element)
    for packet in (plain.encode(), plain.encode("utf-16"), plain.replace("rdf:", "r:").replace(":rdf", ":r").encode()):
        text = marked(packet, "it", composite=False).decode()
        assert "the old title" in text
        assert "digitalCapture" not in text
        assert text.count("trainedAlgorithmicMedia") == 1
        ElementTree.fromstring(text.encode())


@pytest.mark.parametrize("filling", [" ", "x"])
def test_xmp_too_long_for_a_jpeg_is_cut_to_fit_and_the_mark_stays(filling: str, tmp_path: Path, idle):
    if filling == " ":
        packet = packet_of("") + " " * 65_000 + "<?xpacket end='w'?>"
    else:
        packet = packet_of(f'<rdf:Description rdf:about="" xmlns:q="a:b" q:t="{"x" * 65_100}"/>')
    picture("RGB").save(tmp_path / "x.jpg", xmp=packet.encode())
    with Image.open(translate(tmp_path / "x.jpg", idle)) as after:
        assert b"trainedAlgorithmicMedia" in after.info["xmp"]


def test_a_lossless_webp_is_known_behind_a_long_profile(tmp_path: Path, idle):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
        tmp_path / "x.webp", lossless=True, icc_profile=srgb() + bytes(9_000)
    )
    assert difference(tmp_path / "x.webp", translate(tmp_path / "x.webp", idle)) == 0


def test_a_png_s_gamma_is_heeded_and_said(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    gamma = b"gAMA" + struct.pack(">I", 100_000)  # 1: levels proportional to light
    (tmp_path / "x.png").write_bytes(
        data[:33] + struct.pack(">I", 4) + gamma + struct.pack(">I", zlib.crc32(gamma)) + data[33:]
    )
    assert with_bits(read_picture(tmp_path / "x.png").pixels, 8).mean() > smooth().mean() + 20
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.abs(np.asarray(after).astype(int) - smooth()).max() <= 1
        assert after.info["icc_profile"]


def test_a_hole_in_a_deep_grey_stays_a_hole(tmp_path: Path, idle):
    image = picture("I;16")
    image.save(tmp_path / "x.png", transparency=int(np.asarray(image)[5, 5]))
    levels = read_levels(translate(tmp_path / "x.png", idle))
    assert levels.shape[2] == 2
    assert (levels[5, 5, 1], levels[..., 1].max()) == (0, 65535)


def test_grey_stays_grey(tmp_path: Path, translator):
    for mode in ("L", "LA", "I;16"):
        picture(mode).save(tmp_path / f"{mode[0]}{len(mode)}.png")
    Image.fromarray(np.repeat(smooth()[..., :1], 3, axis=2)).save(tmp_path / "rgb.png")
    assert read_picture(translate(tmp_path / "L1.png", translator)).channels == 1
    assert read_picture(translate(tmp_path / "I4.png", translator)).channels == 1
    assert read_picture(translate(tmp_path / "rgb.png", translator)).mode == "RGB"


def test_the_first_of_several_pages_is_taken_and_that_is_said(tmp_path: Path, translator):
    picture("RGB").save(tmp_path / "x.tif", save_all=True, append_images=[picture("RGB")])
    [task] = plan_tasks([tmp_path / "x.tif"], "zebras")
    assert "holds 2 pictures; the first is taken" in translate_all([task], Work(translator, Manner())).notes[0]


def test_heic_comes_back(tmp_path: Path, idle):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    picture("RGB").save(tmp_path / "x.heic", quality=95)
    with Image.open(translate(tmp_path / "x.heic", idle)) as after:
        assert (after.format, after.size) == ("HEIF", (36, 24))
        assert b"trainedAlgorithmicMedia" in after.info["xmp"]
    assert difference(tmp_path / "x.heic", tmp_path / "out" / "x.heic") < 4


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif", "avif"])
@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK", "I;16", "LAB", "F"])
def test_any_mode_can_become_any_format(suffix: str, mode: str, tmp_path: Path, idle):
    source = tmp_path / "x.tif"
    picture(mode).save(source)
    [task] = plan_tasks([source], "zebras", output=tmp_path / "out", image_format=suffix)
    outcome = translate_all([task], Work(idle, Manner()))
    assert not outcome.failed, outcome.failed
    with Image.open(task.target) as after:
        after.load()
        assert after.size == (36, 24)
    before, written = read_picture(source), read_picture(task.target)
    if before.alpha is not None and written.alpha is not None and suffix in ("png", "webp", "tif"):
        assert np.array_equal(with_bits(written.alpha[..., None], 8), with_bits(before.alpha[..., None], 8))
    if mode in ("CMYK", "LAB", "F"):
        assert difference(source, task.target) < 9


def test_floats_of_unknown_white_are_refused(tmp_path: Path, translator):
    Image.fromarray(np.random.default_rng(0).random((8, 8)).astype(np.float32)).save(tmp_path / "x.tif")
    [task] = plan_tasks([tmp_path / "x.tif"], "zebras")
    [error] = translate_all([task], Work(translator, Manner())).failed
    assert "x.tif cannot be read: its values go from" in str(error)


def test_a_real_photograph_comes_back(tmp_path: Path, idle):
    if not SHARED.is_dir():
        pytest.skip("the photographs are not here")
    for photograph in sorted(SHARED.iterdir())[:20]:
        source = tmp_path / photograph.name
        source.write_bytes(photograph.read_bytes())
        written = translate(source, idle)
        with Image.open(source) as before, Image.open(written) as after:
            assert (after.format, after.size, after.mode) == (before.format, before.size, before.mode)
        assert difference(source, written) < 1.5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    mode=st.sampled_from(
        ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
    ),
    tile=st.sampled_from([0, 32]),
)
def test_any_size_and_mode_gives_a_picture_of_that_size_and_mode(translator, width, height, mode, tile):
    image = Image.fromarray(smooth(height, width, 4), "RGBA")
    if mode in ("I;16", "I", "F"):
        image = image.convert("L").convert(mode)
    elif mode in ("RGBa", "La"):
        image = image.convert({"La": "LA"}.get(mode, "RGBA")).convert(mode)
    else:
        image = (
            image.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "HSV", "P", "1") else image.convert(mode)
        )
    translator.tile = tile
    redrawn = translator(image)
    assert redrawn.size == (width, height)
    assert redrawn.mode == {"RGBa": "RGBA", "La": "LA"}.get(mode, mode)
