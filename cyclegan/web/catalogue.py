"""Models and runs by the names that the page offers; a name from a browser is looked up here and never opened."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cyclegan.checkpoints.find import all_models, model_name
from cyclegan.checkpoints.model_file import ModelInfo, load_model_info, networks_in
from cyclegan.checkpoints.run import Run
from cyclegan.directions import DirectionName
from cyclegan.errors import ModelFileError, RunError
from cyclegan.text import printable
from cyclegan.translation import ComparedModel

RELOAD_HINT = "Choose another, or reload the page."
FileVersion = tuple[int, int, int]  # time of the last change, bytes, inode


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What the page offers."""

    checkpoints: Path
    model: Path | None = None  # a model file that is offered first

    def models(self) -> dict[str, Path]:
        """Return model files by name: the preferred one, the newest runs', the shipped ones."""
        paths = [*([self.model] if self.model else []), *all_models(self.checkpoints)]
        by_name: dict[str, Path] = {}
        for path in paths:
            by_name.setdefault(printable(model_name(path.absolute())), path)
        return by_name

    def find_model(self, name: object) -> Path:
        """Return the model with this name; without a name, the first."""
        if not name:
            return next(iter(self.models().values()))
        try:
            return self.models()[str(name)]
        except KeyError:
            raise ModelFileError(f"there is no model {printable(name)} here.", RELOAD_HINT) from None

    def columns(self) -> dict[str, ComparedModel]:
        """Return every model in each of its directions, by name and target domain; without those that are damaged."""
        columns: dict[str, ComparedModel] = {}
        for name, path in self.models().items():
            with suppress(ModelFileError):
                info = load_model_info(path)
                for domain, direction in target_domains(path, info):
                    columns[f"{name} to {domain}"] = ComparedModel(path, info, direction)
        return columns

    def find_columns(self, names: Sequence[object]) -> list[ComparedModel]:
        """Return the models in a direction with these names."""
        columns = self.columns()
        missing = [name for name in names if str(name) not in columns]
        if missing:
            raise ModelFileError(f"there is no model {printable(missing[0])} here.", RELOAD_HINT)
        return [columns[str(name)] for name in names]

    def runs(self) -> dict[str, Run]:
        """Return runs by name, the last changed first."""
        # A training that has just been started, or has failed at once, has a log and no settings.
        folders = {path.parent for name in ("config.toml", "train.log") for path in self.checkpoints.glob(f"*/{name}")}
        runs = sorted(map(Run, folders), key=last_change)
        return {printable(run.name): run for run in reversed(runs)}

    def find_run(self, name: object) -> Run:
        """Return the run with this name."""
        try:
            return self.runs()[str(name)]
        except KeyError:
            raise RunError(f"there is no run {printable(name)} here.", RELOAD_HINT) from None


def last_change(run: Run) -> float:
    """Return when the metrics, the log or the settings of a run changed last; 0 if they are gone."""
    return max((path.stat().st_mtime for path in (run.metrics, run.log, run.config) if path.exists()), default=0.0)


def target_domains(path: Path, info: ModelInfo) -> list[tuple[str, DirectionName]]:
    """Return the domains that a model translates to, each with its direction."""
    networks = networks_in(path)
    domains: list[tuple[str, DirectionName]] = [(info.domain_b, "a2b"), (info.domain_a, "b2a")]
    targets = [(printable(domain), direction) for domain, direction in domains if direction in networks]
    if not targets:
        raise ModelFileError(f"{printable(path)} holds no generator.", "Use another file.")
    return targets


def file_version(path: Path) -> FileVersion:
    """Return a value that differs after the file has changed."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
