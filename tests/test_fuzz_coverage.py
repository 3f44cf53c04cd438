"""Parsers of foreign bytes keep to their limits on every stored input; `scripts/fuzz_coverage.py` finds new ones."""

from tests.support.scripts import ROOT, run_script

CORPUS = ROOT / "tests" / "fuzz_corpus"


def test_stored_inputs_raise_only_user_facing_errors_within_limits():
    result = run_script("fuzz_coverage", "--replay")
    assert result.returncode == 0, result.stdout + result.stderr
    inputs = {row.split()[0]: int(row.split()[1]) for row in result.stdout.splitlines()[1:]}
    assert inputs.keys() == {folder.name for folder in CORPUS.iterdir()}
    assert all(count > len([*(CORPUS / name).iterdir()]) for name, count in inputs.items())
