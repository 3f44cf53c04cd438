"""Model files describe themselves; invalid ones are errors."""

import json
import os
import struct
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cyclegan.checkpoints.find import find_model, find_run
from cyclegan.checkpoints.model_file import load_model, load_model_info, load_tensors, save_tensors
from cyclegan.checkpoints.run import Run, set_aside
from cyclegan.errors import DiskError, ModelFileError, RunError
from tests.support.models import write_model


def test_a_model_file_describes_itself(tmp_path: Path):
    info, weights = load_model(write_model(tmp_path / "m.safetensors", domain_b='z"eb\nra ünder'))
    assert (info.domain_a, info.domain_b, info.size, info.steps) == ("horses", 'z"eb\nra ünder', 32, 7)
    assert (info.generator.architecture, info.generator.width, info.generator.blocks) == ("resnet", 4, 1)
    assert "a2b.body.1.weight" in weights


def test_a_model_may_have_steps_for_each_direction(tmp_path: Path):
    path = write_model(tmp_path / "m.safetensors", steps=8, steps_a2b=8, steps_b2a=4)
    assert load_model_info(path).steps_text == "8 steps (a2b) and 4 (b2a)"
    rewritten_header(path, steps_a2b=None, steps_b2a=None)  # as earlier versions wrote it
    assert load_model_info(path).steps_text == "8 steps"
    assert load_model_info(path).steps_of("b2a") == 8


def rewritten_header(path: Path, **changes: str | None) -> None:
    """Change the metadata of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = {k: v for k, v in (header["__metadata__"] | changes).items() if v is not None}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"format": "2"}, "is a model of format 2, and this version reads format 1"),
        ({"kind": None}, "is no model of cyclegan"),
        ({"size": None}, "describes itself in a way that makes no sense"),
        ({"generator": '{"width": -1}'}, "makes no sense"),
        ({"generator": '{"breadth": 1}'}, "makes no sense"),
        ({"generator": "[]"}, "makes no sense"),
        ({"domain_a": "{"}, "makes no sense"),
        ({"domain_b": '"../x"'}, "makes no sense"),
        ({"channels_a": "2"}, "makes no sense: its images have neither one channel nor three"),
        ({"channels_b": "[]"}, "makes no sense"),
        ({"domain_a": '["x"]'}, "makes no sense: its domain_a is not text"),
        ({"averaged": "{}"}, "makes no sense: its averaged is not true or false"),
        ({"version": "7"}, "makes no sense: its version is not text"),
        ({"size": "-1"}, "makes no sense: its counts are beyond reason"),
        ({"steps": "9" * 40}, "makes no sense: its counts are beyond reason"),
        ({"discriminator": "0"}, "makes no sense"),
        ({"steps_a2b": '"8"'}, "makes no sense: the steps of its directions are no counts"),
        ({"steps_b2a": "-1"}, "makes no sense: its counts are beyond reason"),
    ],
)
def test_a_model_with_invalid_metadata_is_an_error(tmp_path: Path, changes, answer: str):
    path = write_model(tmp_path / "m.safetensors")
    rewritten_header(path, **changes)
    with pytest.raises(ModelFileError, match=answer):
        load_model(path)


@pytest.mark.parametrize("keep", [0, 5, 100, 0.5])
def test_a_truncated_model_is_an_error(tmp_path: Path, keep: float):
    path = write_model(tmp_path / "m.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(ModelFileError, match="is damaged or no safetensors file"):
        load_model(path)


def test_a_run_name_selects_its_best_model(tmp_path: Path):
    write_model(tmp_path / "runs" / "old" / "model.safetensors")
    newest = write_model(tmp_path / "runs" / "new" / "model.safetensors")
    os.utime(tmp_path / "runs" / "old" / "model.safetensors", (1, 1))
    assert find_model(None, tmp_path / "runs") == newest
    assert find_model("old", tmp_path / "runs") == tmp_path / "runs" / "old" / "model.safetensors"
    (tmp_path / "old").mkdir()  # a folder of the same name elsewhere is no obstacle
    best = write_model(tmp_path / "runs" / "old" / "best.safetensors")
    assert find_model(tmp_path / "runs" / "old") == best
    assert find_model(newest) == newest


def test_a_missing_model_is_an_error(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for name, answer in ((None, "no trained model under"), ("x", "there is no model x"), ("empty", "no model yet")):
        with pytest.raises(ModelFileError, match=answer):
            find_model(name, tmp_path)
    with pytest.raises(RunError, match="there is no run x"):
        find_run("x", tmp_path)


def test_tensors_come_back_bit_for_bit(tmp_path: Path):
    tensors = {"a": torch.randn(3, 4).t(), "b": torch.tensor(7), "c": torch.arange(5, dtype=torch.uint8)}
    save_tensors(tmp_path / "t", tensors, {"x": "y"})
    back, metadata = load_tensors(tmp_path / "t")
    assert metadata == {"x": "y"}
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_pickled_weights_are_never_loaded(tmp_path: Path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "m.safetensors")


def test_an_old_run_is_moved_aside_never_deleted(tmp_path: Path):
    run = Run(tmp_path / "run")
    assert set_aside(run) is None
    run.folder.mkdir()
    run.config.write_text("x")
    aside = set_aside(run)
    assert aside is not None
    assert (aside / "config.toml").read_text() == "x"
    assert not run.folder.exists()


def test_another_safetensors_file_is_no_model(tmp_path: Path):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelFileError, match="is no model of cyclegan"):
        load_model(tmp_path / "x.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on open files")
def test_too_many_open_files_are_no_damage_of_a_model(tmp_path: Path):
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    path = write_model(tmp_path / "m.safetensors")
    limits = getrlimit(RLIMIT_NOFILE)
    try:
        setrlimit(RLIMIT_NOFILE, (0, limits[1]))
        with pytest.raises(DiskError, match="cannot be read: Too many open files"):
            load_tensors(path)
    finally:
        setrlimit(RLIMIT_NOFILE, limits)


def test_a_file_that_the_disk_does_not_give_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unable to mmap 9 bytes: Input/output error (5)")

    path = write_model(tmp_path / "m.safetensors")
    monkeypatch.setattr("cyclegan.checkpoints.model_file.safe_open", fail)
    with pytest.raises(ModelFileError, match="cannot be read: unable to mmap"):
        load_tensors(path)
