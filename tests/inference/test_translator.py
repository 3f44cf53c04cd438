"""A translator takes pictures of any size and gives back pictures of that size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model
from cyclegan.errors import DeviceError, ModelFileError, PictureError, UsageError
from cyclegan.inference.padding import mirrored, padded_by_reflection
from cyclegan.translation import choose_direction
from tests.support.models import write_model


@pytest.fixture(scope="module")
def translate(translator: Translator) -> Translator:
    return translator


def test_a_tensor_gives_a_tensor_of_its_shape(translate):
    batch = torch.rand(2, 3, 17, 30) * 2 - 1
    translated = translate(batch)
    assert translated.shape == batch.shape
    assert translated.abs().max() <= 1
    assert not torch.allclose(translated, batch, atol=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(1, 1, 8, 8),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 3)),
    ],
)
def test_a_wrong_shape_or_type_is_an_error_with_the_expected_one(translate, wrong):
    call = Translator.__call__.__wrapped__  # without the tests' own check of types, which would come first
    with pytest.raises(ValueError, match="expected a"):
        call(translate, wrong)


def test_a_picture_gives_a_picture_of_its_size_and_mode(translate):
    for mode in ("RGB", "RGBA", "L", "P", "CMYK"):
        picture = Image.new("RGB", (33, 21), "orange").convert(mode)
        assert (translate(picture).size, translate(picture).mode) == (picture.size, mode)


def test_a_path_is_translated_like_its_picture(translate, tmp_path: Path):
    picture = Image.effect_noise((33, 21), 90).convert("RGB")
    picture.save(tmp_path / "a.png")
    expected = np.asarray(translate(picture))
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        assert np.array_equal(np.asarray(translate(path)), expected)
    turned = picture.getexif()
    turned[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=turned)
    assert translate(tmp_path / "turned.jpg").size == (21, 33)


def test_a_path_without_a_picture_is_an_error_that_names_it(translate, tmp_path: Path):
    (tmp_path / "text.jpg").write_text("not a picture")
    for name in ("none.png", "text.jpg", ""):
        with pytest.raises(PictureError, match=name or "cannot be read"):
            translate(tmp_path / name)


@pytest.mark.parametrize(
    "wrong", [None, 7, b"a.png", [Image.new("RGB", (8, 8))], {"a": 1}], ids=lambda w: type(w).__name__
)
def test_other_types_are_a_type_error_that_lists_the_types(translate, wrong):
    call = Translator.__call__.__wrapped__  # without the tests' own check of types, which would come first
    with pytest.raises(TypeError, match=f"expected a path, a PIL image, .* got {type(wrong).__name__}"):
        call(translate, wrong)


def test_an_array_a_picture_and_a_tensor_give_the_same_output(translate):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)
    from_array = translate(pixels)
    assert np.array_equal(np.asarray(translate(Image.fromarray(pixels))), from_array)
    as_tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    back = ((translate(as_tensor)[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).numpy()
    assert np.array_equal(back.astype(np.uint8), from_array)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_output_has_the_size_of_the_input(translate, height: int, width: int):
    assert translate(torch.zeros(1, 3, height, width)).shape == (1, 3, height, width)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (40, 1), (20, 300)])
def test_a_u_net_takes_every_size(tmp_path, height: int, width: int):
    translate = Translator(write_model(tmp_path / "m", architecture="unet", depth=4), device="cpu")
    assert translate(Image.new("RGB", (width, height))).size == (width, height)


def test_padding_mirrors_and_changes_nothing_that_fits():
    assert mirrored(4, 10).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert mirrored(1, 3).tolist() == [0, 0, 0]
    images = torch.rand(1, 3, 8, 12)
    assert padded_by_reflection(images, 4, 8) is images
    padded = padded_by_reflection(images, 16, 8)
    assert padded.shape == (1, 3, 16, 16)
    assert torch.equal(padded[:, :, :8, :12], images)


def test_a_batch_is_translated_like_single_pictures(translate):
    batch = torch.rand(3, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(translate(batch), torch.cat([translate(image[None]) for image in batch]))


def test_bf16_stays_within_a_few_grey_levels_of_fp32(model, translate):
    half = Translator(model, precision="bf16", device="cpu")
    batch = torch.rand(1, 3, 32, 32) * 2 - 1
    assert ((half(batch) - translate(batch)).abs().mean() * 127.5).item() < 3


def test_the_other_direction_is_another_network(model, translate):
    back = Translator(model, direction="b2a", precision="fp32", device="cpu")
    assert (translate.target, back.target) == ("zebras", "horses")
    image = torch.rand(1, 3, 16, 16)
    assert not torch.allclose(back(image), translate(image), atol=0.1)


def test_a_direction_can_be_named_by_its_domain(tmp_path: Path):
    info, _ = load_model(write_model(tmp_path / "m"))
    assert choose_direction(info, None, None) == "a2b"
    assert choose_direction(info, "horses", None) == "b2a"
    assert choose_direction(info, None, "b2a") == "b2a"
    with pytest.raises(ModelFileError, match="it turns horses into zebras"):
        choose_direction(info, "lions", None)
    with pytest.raises(UsageError, match="--to horses is b2a"):
        choose_direction(info, "horses", "a2b")


def test_weights_of_another_network_are_an_error(tmp_path: Path):
    path = write_model(
        tmp_path / "m", generator=load_model(write_model(tmp_path / "n", architecture="unet", depth=3))[0].generator
    )
    with pytest.raises(ModelFileError, match="does not hold the weights"):
        Translator(path, device="cpu")


@pytest.mark.parametrize("device", ["gpu9", "cuda:99", "not a device"])
def test_a_missing_device_is_an_error(model, device: str):
    with pytest.raises(DeviceError):
        Translator(model, device=device)
