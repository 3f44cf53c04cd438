"""How much memory a training takes is known before it is taken, and said when it is not there."""

import pytest
import torch

from cyclegan.checkpoints.runs import Run
from cyclegan.config import build_config
from cyclegan.devices import memory_errors
from cyclegan.errors import DeviceError
from cyclegan.models import build_networks
from cyclegan.training import prepare, train
from cyclegan.training.needs import kept_for_gradients, largest_that_fits, needs_of, on_meta
from cyclegan.training.state import Session
from tests.training.games import TINY, tiny_config

MIB = 2**20


def test_what_a_step_keeps_is_counted_as_torch_keeps_it():
    """Counted without numbers, and with them on the CPU."""
    config = build_config(TINY)
    counted = kept_for_gradients(on_meta(config), config)
    assert counted == kept_for_gradients(build_networks(config), config, device=torch.device("cpu"))
    assert needs_of(config, half=True).kept < needs_of(config, half=False).kept


def test_memory_grows_with_batch_and_size_and_no_further():
    needs = needs_of(build_config(TINY), half=False)
    room = needs.at(64, batch_size=3)
    assert needs.largest_batch(64, room + 1) == 3
    assert needs.largest_batch(64, 0) == 0
    assert needs.largest_size(needs.at(64, batch_size=1), upto=256) == 64
    assert needs.largest_size(0, upto=256) == 0


def test_where_a_training_does_not_fit_the_settings_that_do_are_named():
    config = build_config({"game": {"batch_size": 8}})
    advice = {room: largest_that_fits(config, room * MIB, half=False) for room in (100, 900, 2000, 6000)}
    assert advice[100] == "Choose a smaller generator.width, or a device with more memory."
    assert advice[900].startswith("By estimate these fit: --size ")
    assert "--set machine.activation_checkpointing=true" in advice[2000]
    assert advice[6000].startswith("By estimate these fit: --batch-size ")
    for room in (900, 2000, 6000):
        size, _, batch = advice[room].partition("--size ")[2].rstrip(".").partition(" --batch-size ")
        smaller = build_config({"data": {"size": int(size)}, "game": {"batch_size": int(batch)}})
        assert needs_of(smaller, half=False).at(int(size), batch_size=int(batch)) <= room * MIB


def test_a_lack_of_memory_is_a_sentence_with_what_fits(folders, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    monkeypatch.setattr(Session, "advance", fail)
    places = {f"folder_{side}": str(folder) for side, folder in zip("ab", folders, strict=True)}
    run = Run(tmp_path / "run")
    run.samples.mkdir(parents=True)
    plan = prepare(tiny_config({"data": places | {"size": 64}}), run, scratch=tmp_path)
    with pytest.raises(DeviceError, match=r"the memory of cpu .* is not enough") as caught:
        train(plan)
    assert caught.value.hint.startswith("By estimate these fit: ")


@pytest.mark.parametrize(
    "said", ["CUDA out of memory. Tried to allocate 2 GiB.", "not enough memory: you tried to allocate 8 bytes."]
)
def test_every_allocator_s_words_are_understood(said):
    with pytest.raises(DeviceError, match="is not enough"), memory_errors(torch.device("cpu"), str):
        raise RuntimeError(said)


def test_a_fault_of_memory_is_no_lack_of_it():
    with pytest.raises(RuntimeError, match="illegal"), memory_errors(torch.device("cpu"), str):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
