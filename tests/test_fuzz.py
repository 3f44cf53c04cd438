"""Readers of files raise only user-facing errors, whatever is in a file; `scripts/fuzz.py` says how that is tested."""

import multiprocessing
import resource
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_tensors, save_tensors
from cyclegan.data.archives import unpack
from cyclegan.data.installing import CHECKSUMS, install
from cyclegan.data.sets import DataSet
from cyclegan.errors import DataError, ModelFileError
from tests.support.models import write_model
from tests.support.scripts import ROOT, run_script
from tests.support.zips import zipped_set

MANY, FEW = 300, 100  # inputs
FEWER = ("animations", "videos", "states", "runs")  # where each takes longer
READERS = (
    *("pictures", "animations", "videos", "models", "weights", "states"),
    *("settings", "runs", "archives", "checksums", "downloads", "tables"),
)
BROKEN_READER = """
import sys
from scripts import fuzz

fuzz.READERS.clear()
fuzz.READERS["broken"] = lambda folder: ([(folder / "x").absolute()], lambda path: 1 / 0)
fuzz.Path.read_bytes = lambda path: b"valid"
sys.argv = ["fuzz", "--inputs", "3", "--finds", sys.argv[1]]
sys.exit(fuzz.main())
"""


def fuzz(reader: str, inputs: int, finds: Path) -> list[str]:
    """Fuzz one reader; return its row of the table: reader, inputs, accepted, refused, finds."""
    result = run_script("fuzz", reader, "--inputs", inputs, "--finds", finds)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()[1].split()[:5]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fuzz all readers; those with as many inputs in one call, which imports everything once."""
    finds = tmp_path_factory.mktemp("finds")
    calls = [([reader for reader in READERS if reader not in FEWER], MANY), (FEWER, FEW)]
    results = [run_script("fuzz", *readers, "--inputs", inputs, "--finds", finds) for readers, inputs in calls]
    return "".join(result.stdout + result.stderr for result in results)


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_damaged_files_raises_only_user_facing_errors(reader: str, table: str):
    [row] = [line for line in table.splitlines() if line.startswith(f"{reader} ")]
    count, accepted, refused, finds = row.split()[1:5]
    assert (int(count), int(finds)) == (FEW if reader in FEWER else MANY, 0), table
    assert int(accepted)
    assert int(refused) or reader == "runs"


def test_every_reader_is_fuzzed():
    result = run_script("fuzz", "--help")
    assert result.returncode == 0, result.stderr
    rows = run_script("fuzz", "--inputs", 0).stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(READERS)


def test_inputs_follow_from_the_seed_alone(tmp_path: Path):
    assert fuzz("settings", 50, tmp_path / "one") == fuzz("settings", 50, tmp_path / "other")


def test_an_unexpected_error_is_found_and_its_input_saved(tmp_path: Path):
    command = [sys.executable, "-c", BROKEN_READER, tmp_path / "finds"]  # from the root, where `scripts` lies
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ZeroDivisionError at ?" in result.stdout
    assert (tmp_path / "finds" / "broken-0").is_file()


def test_a_zip_directory_beyond_the_file_is_an_error(tmp_path: Path):
    archive = bytearray(zipped_set(each=1))
    directory = archive.rindex(b"PK\x05\x06") + 16  # the offset of the directory in the end record
    archive[directory : directory + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / "set.zip").write_bytes(archive)
    with pytest.raises(DataError, match="is no zip file, or is damaged"):
        unpack(tmp_path / "set.zip", tmp_path / "unpacked")


def test_deeply_nested_checksums_are_an_error(tmp_path: Path):
    (tmp_path / "set.zip").write_bytes(zipped_set(each=1))
    (tmp_path / CHECKSUMS).write_text("set = " + "[" * 5000, encoding="utf-8")
    with pytest.raises(DataError, match="not valid TOML"):
        install(DataSet(name="set"), tmp_path, source=str(tmp_path / "set.zip"))


def test_a_model_that_claims_to_be_vast_takes_no_memory(tmp_path: Path):
    path = write_model(tmp_path / "model.safetensors")
    tensors, metadata = load_tensors(path)
    vast = metadata["generator"].replace('"width": 4', '"width": 1024').replace('"blocks": 1', '"blocks": 9')
    save_tensors(path, tensors, metadata | {"generator": vast})
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        assert process.submit(peak_of_a_refusal, path).result() < 1024


def peak_of_a_refusal(path: Path) -> float:
    """Load a model that is refused; return by how many MiB the peak of this process rose."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match="does not hold the weights"):
        Translator(path, device="cpu")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
