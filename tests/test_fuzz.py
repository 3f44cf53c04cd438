"""Nothing that reads files may fail in a way of its own, whatever is in them; scripts/fuzz.py says how."""

import random
from pathlib import Path

import pytest

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_tensors, save_tensors
from cyclegan.data.archives import unpack
from cyclegan.data.installing import CHECKSUMS, install
from cyclegan.data.sets import DataSet
from cyclegan.errors import DataError, ModelFileError
from scripts.fuzz import MEBIBYTES, READERS, RunningMeans, feed, hunt, memory, mutated
from tests.models_for_tests import write_model
from tests.support.zips import zipped_set

INPUTS = {"animations": 100, "clips": 100, "states": 100, "runs": 100}  # a few, where each takes longer


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_succeeds_or_says_what_is_wrong(reader: str, tmp_path: Path, traceable: None):
    tally = hunt(reader, INPUTS.get(reader, 300), seed=0, finds=tmp_path / "finds")
    assert not tally.finds
    assert tally.accepted
    assert tally.skipped or reader == "runs"


def test_inputs_follow_from_the_seed_alone():
    data = bytes(range(256)) * 4
    one, other = ([mutated(data, chance) for _ in range(20)] for chance in (random.Random(1), random.Random(1)))
    assert one == other
    assert len(set(one)) > 10


def test_what_is_no_sentence_of_ours_is_found(tmp_path: Path):
    assert feed(lambda _: 1 / 0, tmp_path, RunningMeans()) == ["ZeroDivisionError at ?"]


def test_an_entry_that_claims_to_lie_nowhere_is_a_sentence(tmp_path: Path):
    archive = bytearray(zipped_set(each=1))
    directory = archive.rindex(b"PK\x05\x06") + 16  # where the end of an archive says that its directory begins
    archive[directory : directory + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / "set.zip").write_bytes(archive)
    with pytest.raises(DataError, match="is no zip file, or is damaged"):
        unpack(tmp_path / "set.zip", tmp_path / "unpacked")


def test_sums_nested_without_end_are_a_sentence(tmp_path: Path):
    (tmp_path / "set.zip").write_bytes(zipped_set(each=1))
    (tmp_path / CHECKSUMS).write_text("set = " + "[" * 5000, encoding="utf-8")
    with pytest.raises(DataError, match="not valid TOML"):
        install(DataSet(name="set"), tmp_path, source=str(tmp_path / "set.zip"))


def test_a_model_that_claims_to_be_vast_takes_no_memory(tmp_path: Path):
    path = write_model(tmp_path / "model.safetensors")
    tensors, metadata = load_tensors(path)
    vast = metadata["generator"].replace('"width": 4', '"width": 1024').replace('"blocks": 1', '"blocks": 9')
    save_tensors(path, tensors, metadata | {"generator": vast})
    before = memory("VmRSS", reset=True)
    with pytest.raises(ModelFileError, match="does not hold the weights"):
        Translator(path, device="cpu")
    assert memory("VmHWM") - before < MEBIBYTES
