"""What a TIFF says beside its pixels comes back right, and the original is not left inside."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from cyclegan.images import read_picture
from tests.support.pictures import picture, smooth, translate
from tests.support.tiffs import RGB, tiff_file, with_directory

SECRET = b"the original, pixel by pixel"
DATE, LATITUDE_REFERENCE = 0x9003, 1


MODES = {"raw": ("L", "RGB", "I;16"), "jpeg": ("L", "RGB", "CMYK"), "packbits": ("1", "L", "RGB", "I;16")}
EVERY_MODE = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16")
COMPRESSED = [
    (name, mode) for name in (*MODES, "tiff_lzw", "tiff_adobe_deflate") for mode in MODES.get(name, EVERY_MODE)
]


@pytest.mark.parametrize(("compression", "mode"), COMPRESSED)
def test_a_compressed_tiff_keeps_exif_and_gps(compression, mode, tmp_path, idle):
    picture(mode).save(file := io.BytesIO(), "TIFF", compression=compression)
    date = b"2020:01:01 00:00:00\0"
    tiff = with_directory(file.getvalue(), ExifTags.IFD.Exif, {DATE: date})
    tiff = with_directory(tiff, ExifTags.IFD.GPSInfo, {LATITUDE_REFERENCE: b"N\0"})
    (tmp_path / "x.tif").write_bytes(tiff)
    with Image.open(translate(tmp_path / "x.tif", idle)) as after, Image.open(tmp_path / "x.tif") as before:
        assert after.getexif().get_ifd(ExifTags.IFD.Exif)[DATE] == "2020:01:01 00:00:00"
        assert after.getexif().get_ifd(ExifTags.IFD.GPSInfo)[LATITUDE_REFERENCE] == "N"
        assert after.info["compression"] == {"jpeg": "tiff_adobe_deflate"}.get(compression, compression)
        assert after.mode == before.mode
        if mode in ("L", "RGB", "LA", "CMYK"):
            assert np.abs(np.asarray(after).astype(int) - np.asarray(before)).mean() < 1


@pytest.mark.parametrize("compression", ["none", "lzw"])
@pytest.mark.parametrize("tag", [34377, 37724, 50839])
def test_other_copies_of_the_original_are_removed(tag, compression, tmp_path, idle):
    tiff = tiff_file(smooth(), bits=8, photometric=RGB, compression=compression, tags={tag: SECRET * 9})
    (tmp_path / "x.tif").write_bytes(tiff)
    assert SECRET not in translate(tmp_path / "x.tif", idle).read_bytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_layers_are_not_copied_into_another_format(suffix, tmp_path, idle):
    from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[37724] = SECRET
    tags.tagtype[37724] = TiffTags.UNDEFINED
    picture("RGB").save(tmp_path / "x.tif", tiffinfo=tags)
    [target] = plan_targets([tmp_path / "x.tif"], "zebras", image_format=suffix)
    assert not translate_targets([target], TranslateJob(idle, TranslateOptions())).failed
    assert SECRET not in target.path.read_bytes()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_previews_and_further_pages_are_removed(kind, tmp_path, idle):
    preview = np.frombuffer(SECRET * 4, np.uint8)[: 6 * 6 * 3].reshape(6, 6, 3).astype(kind)
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(smooth().astype(kind), photometric="rgb", subifds=1)
        file.write(preview, photometric="rgb", subfiletype=1)
        file.write(preview, photometric="rgb")
    written = translate(tmp_path / "x.tif", idle)
    assert preview.tobytes() not in written.read_bytes()
    with tifffile.TiffFile(written) as file:
        assert len(file.pages) == 1
        assert file.pages.first.subifds is None


def translated_tags(path: Path, translator, **options) -> dict[int, object]:
    with tifffile.TiffFile(translate(path, translator, **options)) as file:
        return {tag.code: tag.value for tag in file.pages.first.tags}


@pytest.mark.parametrize("axes", ["ZYX", "CYX", "TYX", "TZCYX"])
def test_an_imagej_description_drops_the_slices(axes, tmp_path, idle):
    shape = {3: (8,), 5: (2, 2, 2)}[len(axes)]
    slices = np.linspace(0, 65535, 8 * 24 * 32).reshape(*shape, 24, 32).astype(np.uint16)
    about = {"axes": axes, "spacing": 0.5, "unit": "um", "Labels": ["the label of a slice"] * 8}
    tifffile.imwrite(tmp_path / "x.tif", slices, imagej=True, resolution=(4.0, 4.0), metadata=about)
    assert read_picture(tmp_path / "x.tif").frames == 8
    written = translate(tmp_path / "x.tif", idle, size=48)
    with tifffile.TiffFile(written) as file:
        facts = file.imagej_metadata
        assert not {"images", "slices", "channels", "frames", "hyperstack", "Labels"} & facts.keys()
        assert (facts["unit"], facts["spacing"]) == ("um", 0.5)
        assert file.pages.first.resolution == pytest.approx((8, 8))  # pixels per micrometre, of twice as many
        assert file.series[0].shape == (48, 64)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_ome_xml_describes_the_written_plane(kind, tmp_path, idle):
    about = {"axes": "TCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "Channel": {"Name": ["red", "green"]}}
    stack = np.full((3, 2, 24, 32), 90, dtype=kind)
    tifffile.imwrite(tmp_path / "x.tif", stack, ome=True, metadata=about)
    tags = translated_tags(tmp_path / "x.tif", idle, size=48)
    root = ElementTree.fromstring(tags[270])
    [pixels] = [element for element in root.iter() if element.tag.endswith("}Pixels")]
    sizes = {f"Size{axis}": size for axis, size in zip("XYZCT", ["64", "48", "1", "1", "1"], strict=True)}
    assert sizes.items() <= pixels.attrib.items()
    assert (pixels.get("Type"), pixels.get("PhysicalSizeX")) == ({"float32": "float"}.get(kind, kind), "0.25")
    assert [child.get("Name") for child in pixels if child.tag.endswith("}Channel")] == ["red"]
    with tifffile.TiffFile(tmp_path / "out" / "x.tif") as file:
        assert (file.is_ome, file.series[0].shape) == (True, (48, 64))


def test_tifffile_describes_the_written_shape(tmp_path, idle):
    tifffile.imwrite(
        tmp_path / "x.tif", np.zeros((3, 24, 32), np.uint16), photometric="minisblack", metadata={"sample": "a leaf"}
    )
    facts = json.loads(translated_tags(tmp_path / "x.tif", idle, size=12)[270])
    assert (facts["shape"], facts["sample"]) == ([12, 16], "a leaf")


KEYS = (1, 1, 0, 1, 1025, 0, 1)  # GeoTIFF's directory of one key: what tie points count from
MATRIX = (10.0, 0, 0, 4e5, 0, -10, 0, 5e6, 0, 0, 0, 0, 0, 0, 0, 1)
GEO = {
    "pixel scale": (33550, "d", (10.0, 10.0, 0.0), 1, (20.0, 20.0, 0.0)),
    "tie point in a corner": (33922, "d", (0.0, 0, 0, 4e5, 5e6, 0), 1, (0.0, 0, 0, 4e5, 5e6, 0)),
    "tie points": (
        33922,
        "d",
        (0.0, 0, 0, 1, 2, 0, 32.0, 24, 0, 3, 4, 0),
        1,
        (0.0, 0, 0, 1, 2, 0, 16.0, 12, 0, 3, 4, 0),
    ),
    "tie point in a pixel's middle": (33922, "d", (0.0, 0, 0, 4e5, 5e6, 0), 2, (-0.25, -0.25, 0, 4e5, 5e6, 0)),
    "matrix": (34264, "d", MATRIX, 1, (20.0, 0, 0, 4e5, 0, -20, *MATRIX[6:])),
    "matrix from middles": (34264, "d", MATRIX, 2, (20.0, 0, 0, 400005, 0, -20, 0, 4999995, *MATRIX[8:])),
    "polynomials": (50844, "d", tuple(range(92)), 1, (0, 1, 1, 1.5, 4, 5, 6, 3.5, 4, *range(9, 92))),
}


@pytest.mark.parametrize("geo", GEO.values(), ids=GEO)
@pytest.mark.parametrize("number", ["uint8", "uint16", "float32"])
def test_a_resized_map_stays_in_its_place(geo, number, tmp_path, idle):
    tag, kind, values, counts, halved = geo
    extra = [(tag, kind, len(values), values, True), (34735, "H", 8, (*KEYS, counts), True)]
    pixels = smooth(24, 32).astype(number)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", extratags=extra)
    assert translated_tags(tmp_path / "x.tif", idle)[tag] == values
    tags = translated_tags(tmp_path / "x.tif", idle, size=12, overwrite=True)
    assert tags[tag] == pytest.approx(halved)
    assert tags[34735] == (*KEYS, counts)


def test_infrared_is_not_taken_for_alpha(tmp_path):
    infrared = np.concatenate([smooth(), np.zeros((24, 36, 1), np.uint8)], axis=2)
    for kind, factor in (("uint8", 1), ("uint16", 257)):
        values = infrared.astype(kind) * factor
        (tmp_path / "x.tif").write_bytes(tiff_file(values, bits=8 * values.itemsize, photometric=RGB, extra=(0,)))
        found = read_picture(tmp_path / "x.tif")
        assert found.alpha is None
        assert np.array_equal(found.pixels, values[..., :3])
