"""Saved states of a run, from which training continues exactly."""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from cyclegan import __version__
from cyclegan.checkpoints.find import find_model
from cyclegan.checkpoints.model_file import FORMAT, ModelInfo, Tensors, load_model_info, load_tensors, save_tensors
from cyclegan.checkpoints.run import Run
from cyclegan.errors import ModelFileError, RunError
from cyclegan.text import printable

KEPT_STATES = 2


def save_state(run: Run, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Save the state after `step` steps, then delete all but the newest two."""
    metadata = {"format": FORMAT, "version": __version__, "facts": json.dumps(facts)}
    save_tensors(state_path(run, step), tensors, metadata)
    for old in states(run)[KEPT_STATES:]:
        with suppress(OSError):
            old.unlink()


def state_path(run: Run, step: int) -> Path:
    """Return the file of the state after `step` steps."""
    return run.states / f"step-{step:09}.safetensors"


def load_state(run: Run) -> tuple[Tensors, dict[str, Any], list[str]] | None:
    """Return tensors and facts of the newest intact state, and a note on each damaged one; None without states."""
    notes: list[str] = []
    for path in states(run):
        try:
            tensors, metadata = load_tensors(path)
            if metadata.get("format") != FORMAT:
                raise RunError(
                    f"{printable(path)} was written by cyclegan {metadata.get('version', '(unknown)')}, "
                    f"whose saved states {__version__} cannot read.",
                    "Continue with that version, or start again with --fresh.",
                )
            facts = json.loads(metadata["facts"])
            if not (isinstance(facts, dict) and isinstance(facts.get("pictures"), list)):
                raise ModelFileError("its facts are not those of a state")
            return tensors, facts, notes
        except (ModelFileError, KeyError, ValueError, RecursionError):
            notes.append(f"{printable(path)} is damaged; the state before it is used.")
    if notes:
        raise RunError(f"no state in {printable(run.states)} is intact.", "Start again with --fresh.")
    return None


def has_state(run: Run) -> bool:
    """Tell whether a state is saved."""
    return bool(states(run))


def latest_step(run: Run) -> int:
    """Return the step of the newest state; 0 if there is none."""
    return int(states(run)[0].stem.removeprefix("step-")) if has_state(run) else 0


def states(run: Run) -> list[Path]:
    """Return the states, the newest first."""
    return sorted(run.states.glob("step-*.safetensors"), reverse=True)


def unaveraged_model(run: Run) -> tuple[Path, ModelInfo, Tensors]:
    """Return the newest state's file, and its networks without EMA."""
    state = load_state(run)
    if state is None:
        raise RunError(f"{printable(run.folder)} holds no state.", "Train it first.")
    tensors, facts, _ = state
    weights = {name.removeprefix("network."): tensor for name, tensor in tensors.items() if name.startswith("network.")}
    info = dataclasses.replace(
        load_model_info(find_model(run.folder)), steps=facts["step"], steps_a2b=None, steps_b2a=None, averaged=False
    )
    return state_path(run, info.steps), info, weights
