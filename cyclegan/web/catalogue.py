"""What the page offers, by name: a name that comes from a browser is looked up here, and never opened."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event

from cyclegan.checkpoints.find import find_model, model_name, shipped_models, trained_runs
from cyclegan.checkpoints.model_file import Direction, ModelInfo, networks_in
from cyclegan.checkpoints.run import Run
from cyclegan.errors import ModelFileError, RunError, printable

RELOAD = "Choose another, or load the page again."


@dataclass(frozen=True, kw_only=True)
class Site:
    """What one page is about."""

    checkpoints: Path
    model: Path | None  # a model file that is offered first
    device: str
    place: Path  # of uploads and what becomes of them; deleted at the end
    closing: Event

    def models(self) -> dict[str, Path]:
        """Return the models by the names they are offered under: the one asked for, the newest runs', the shipped."""
        paths = [
            *([self.model] if self.model else []),
            *(find_model(run.folder) for run in trained_runs(self.checkpoints)),
            *shipped_models().values(),
        ]
        offered: dict[str, Path] = {}
        for path in paths:
            offered.setdefault(printable(model_name(path.absolute())), path)
        return offered

    def find_model(self, name: object) -> Path:
        """Return the model offered under this name; without one, the first."""
        if not name:
            return next(iter(self.models().values()))
        try:
            return self.models()[str(name)]
        except KeyError:
            raise ModelFileError(f"there is no model {printable(name)} here.", RELOAD) from None

    def runs(self) -> dict[str, Run]:
        """Return the runs by the names they are offered under, those that wrote last first."""
        runs = sorted((Run(config.parent) for config in self.checkpoints.glob("*/config.toml")), key=_written)
        return {printable(run.name): run for run in reversed(runs)}

    def find_run(self, name: object) -> Run:
        """Return the run offered under this name."""
        try:
            return self.runs()[str(name)]
        except KeyError:
            raise RunError(f"there is no run {printable(name)} here.", RELOAD) from None


def _written(run: Run) -> float:
    return max(path.stat().st_mtime for path in (run.metrics, run.config) if path.exists())


def ways(path: Path, info: ModelInfo) -> list[tuple[str, Direction]]:
    """Return the domains that a model leads to, and its directions to them."""
    there = networks_in(path)
    domains: list[tuple[str, Direction]] = [(info.domain_b, "a2b"), (info.domain_a, "b2a")]
    found = [(printable(domain), way) for domain, way in domains if way in there]
    if not found:
        raise ModelFileError(f"{printable(path)} holds no generator.", "Use another file.")
    return found
