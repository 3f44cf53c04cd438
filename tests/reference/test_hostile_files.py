"""A `.pth` file made to exhaust a reader is an error; read by torch alone, these hang, crash or fill the memory."""

import io
import zipfile
from pathlib import Path

import pytest
import torch

from cyclegan.errors import ModelFileError
from cyclegan.reference.importing import import_model
from cyclegan.reference.pth import to_reference
from tests.pth_files import small_generator

PAIR_OF_LAST = b"".join(b"q" + bytes([number]) + b"h" + bytes([number]) + b"\x86" for number in range(60))
FIRST = "model.1.weight"


def as_dictionary_key(pickled: bytes) -> bytes:
    return b"\x80\x02}" + pickled + b"K\x01s."


def pth_file(pickled: bytes) -> bytes:
    """Return an empty file of torch with another pickle in it."""
    torch.save({}, file := io.BytesIO())
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(written := io.BytesIO(), "w") as after:
        for name in before.namelist():
            after.writestr(name, pickled if name.endswith("data.pkl") else before.read(name))
    return written.getvalue()


def error_of(path: Path) -> str:
    with pytest.raises(ModelFileError) as raised:
        import_model([path])
    return str(raised.value)


@pytest.mark.parametrize("key", [b")" + PAIR_OF_LAST, b")" + b"\x85" * 10**6], ids=["wide", "deep"])
@pytest.mark.parametrize("is_old", [True, False])
def test_a_vast_tuple_is_an_error(key: bytes, is_old: bool, tmp_path: Path):
    pickled = as_dictionary_key(key)
    (tmp_path / "net_G_A.pth").write_bytes(pickled if is_old else pth_file(pickled))
    assert "a tuple of more objects than weights need" in error_of(tmp_path / "net_G_A.pth")


def test_names_of_weights_that_are_no_names_are_an_error(tmp_path: Path):
    torch.save({("a", "b"): torch.zeros(1)}, tmp_path / "net_G_A.pth")
    assert "no weights by name" in error_of(tmp_path / "net_G_A.pth")


def test_weights_of_a_type_that_cannot_be_converted_are_an_error(tmp_path: Path):
    weights = to_reference(small_generator())
    weights[FIRST] = torch.zeros(weights[FIRST].shape, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    torch.save(weights, tmp_path / "net_G_A.pth")
    assert "float4_e2m1fn_x2" in error_of(tmp_path / "net_G_A.pth")


def test_a_file_that_unpacks_to_more_than_its_size_is_an_error(tmp_path: Path):
    torch.save(to_reference(small_generator()), file := io.BytesIO())
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(tmp_path / "net_G_A.pth", "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name), zipfile.ZIP_DEFLATED if "/data/" in name else None)
        after.writestr("archive/data/99", bytes(2**24), zipfile.ZIP_DEFLATED)
    assert "more memory than it has bytes" in error_of(tmp_path / "net_G_A.pth")


def test_weights_that_share_memory_are_an_error(tmp_path: Path):
    numbers = torch.zeros(2**20)
    torch.save({f"{number}.weight": numbers for number in range(10)}, tmp_path / "net_G_A.pth")
    assert "more memory than it has bytes" in error_of(tmp_path / "net_G_A.pth")
