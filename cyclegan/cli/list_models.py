"""`cyclegan translate --list-models`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclegan.cli.console import Console, complain, table
from cyclegan.cli.models import step_facts
from cyclegan.errors import ModelFileError
from cyclegan.text import printable


def print_models(console: Console) -> None:
    """Print the models in the package and the runs under `checkpoints/`, a line each."""
    models = list(listed_models(Path("checkpoints")))
    console.result(models, table([(printable(model["name"]), printable(model["about"])) for model in models]))


def listed_models(checkpoints: Path) -> Iterator[dict[str, Any]]:
    """Yield the facts about each model that `translate` finds by its name, as JSON values; damaged ones are named."""
    from cyclegan.checkpoints.find import find_model, model_name, shipped_models, summary_in_card, trained_runs
    from cyclegan.checkpoints.model_file import load_model_info

    shipped = shipped_models().values()
    for path in [*shipped, *(find_model(run.folder) for run in trained_runs(checkpoints))]:
        try:
            info = load_model_info(path)
        except ModelFileError as error:
            complain(error)
            continue
        of_run = f"Your run: {info.domain_a} to {info.domain_b} and back, {info.size} px, {info.steps_text}."
        yield {
            "name": model_name(path),
            "model": str(path),
            "shipped": path in shipped,
            "domain_a": info.domain_a,
            "domain_b": info.domain_b,
            "size": info.size,
            **step_facts(info),
            "about": summary_in_card(path) if path in shipped else of_run,
        }
