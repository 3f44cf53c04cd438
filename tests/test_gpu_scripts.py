"""The commands for a machine with a GPU run here at toy size, from end to end, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.support.models import write_model

ROOT = Path(__file__).resolve().parents[1]
JUDGE = """
import json, sys
from pathlib import Path
translated, real = (sorted(Path(folder).iterdir()) for folder in sys.argv[1:3])
source = Path(sys.argv[sys.argv.index("--reference") + 1])
assert {path.stem for path in translated} == {path.stem for path in source.iterdir()}
print(json.dumps({"frechet": len(real), "class_top1": 0.25, "class_top5": 0.5, "kept": 1.0}))
"""


def run(script: str, *arguments: object) -> str:
    """Run a script and return what it printed."""
    command = [sys.executable, "-m", f"scripts.gpu.{script}", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def outcomes(folder: Path, title: str) -> dict[str, str]:
    """Return what came of every check."""
    return {row["name"]: row["outcome"] for row in json.loads((folder / f"{title}.json").read_text())}


def test_smoke_tries_every_path_and_writes_its_table_last(tmp_path: Path):
    printed = run("smoke", "--toy", "--out", tmp_path)
    assert printed.rstrip().endswith((tmp_path / "smoke.md").read_text().rstrip())
    found = outcomes(tmp_path, "smoke")
    only_on_a_gpu = {"out of memory", "eager fp16", *(f"plain step: {name}" for name in ("fp16", "graph", "compiled"))}
    only_on_a_gpu.add("plain step: graph of compiled")
    assert {name for name, outcome in found.items() if outcome == "not here"} == only_on_a_gpu
    assert set(found.values()) == {"ok", "not here"}


def test_nothing_begins_when_the_time_is_over(tmp_path: Path):
    run("benchmark", "--toy", "--minutes", 0, "--out", tmp_path)
    assert set(outcomes(tmp_path, "benchmark").values()) == {"no time"}


def test_the_benchmark_measures_ours_beside_the_authors(tmp_path: Path):
    run("benchmark", "--toy", "--out", tmp_path)
    assert set(outcomes(tmp_path, "benchmark").values()) == {"ok"}
    figures = {row["name"]: row["figures"] for row in json.loads((tmp_path / "benchmark.json").read_text())}
    assert all(float(figures[f"a step at batch {batch}"]["ratio"]) > 0 for batch in (1, 4, 16))
    assert len((tmp_path / "profile-1.txt").read_text().splitlines()) >= 15


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train from a model that is brought along, and again with a falling learning rate."""
    folder = tmp_path_factory.mktemp("trained")
    run("pack", "--toy", "--output", folder, "--begin-with", write_model(folder / "old.safetensors"))
    places = ("--data", folder / "data", "--checkpoints", folder / "runs", "--out", folder / "out")
    run("train", "--toy", *places)
    run("train", "--toy", "--decay", *places)
    return folder


def test_the_set_holds_pictures_and_a_model_to_begin_with(trained: Path):
    assert {path.suffix for path in (trained / "data").rglob("*.*")} == {".webp"}
    assert 'init_from = ""' not in (trained / "runs" / "gpu" / "config.toml").read_text()
    old = load_file(trained / "old.safetensors")
    begin = load_file(trained / "runs" / "begin.safetensors")
    assert all((begin[name] - weight).norm() < 0.02 * weight.norm() for name, weight in old.items() if weight.dim() > 1)


def test_a_second_call_continues_the_training_and_lets_it_end(trained: Path):
    lines = [json.loads(line) for line in (trained / "runs" / "gpu" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[5]["learning_rate"] == lines[0]["learning_rate"] > lines[-1]["learning_rate"]
    files = list((trained / "out").iterdir())
    assert len(files) <= 8
    assert all(file.stat().st_size < 16 * 2**20 for file in files)


def test_the_pieces_become_a_scored_model(trained: Path, tmp_path: Path):
    judge = tmp_path / "judge.py"
    judge.write_text(JUDGE)
    places = ("--photographs", trained / "data", "--judge", judge, "--output", tmp_path / "result")
    row = run("finish", trained / "out", *places).splitlines()[-1]
    assert "4, 0.25, 0.5, 1.0 | 3, 0.25, 0.5, 1.0 |" in row
    assert (tmp_path / "result" / "model.safetensors").stat().st_size > 10_000
    assert (tmp_path / "result" / "a2b.jpg").exists()


def test_pieces_that_are_missing_are_an_error(tmp_path: Path):
    (tmp_path / "model.safetensors.01").write_bytes(b"second")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.gpu.finish", tmp_path, "--output", tmp_path / "result"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "does not hold all pieces of model.safetensors" in done.stderr
