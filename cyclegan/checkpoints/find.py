"""Finding models and runs by their names, folders or files."""

from pathlib import Path

from cyclegan.checkpoints.model_file import to_import
from cyclegan.checkpoints.run import Run
from cyclegan.errors import ModelFileError, RunError
from cyclegan.text import printable

SHIPPED = Path(__file__).parents[1] / "shipped"


def find_model(name: str | Path | None, checkpoints: Path = Path("checkpoints")) -> Path:
    """Return the model file of a run's folder, a file, a run's name or a shipped model; None means the newest run.

    That of a run holds the best of each direction, where there is validation, else the last networks saved.
    """
    if name is None:
        return _newest_model(checkpoints)
    candidates = [Path(name), checkpoints / name]
    for path in candidates:
        for model in (path, Run(path).best, Run(path).model):
            if model.is_file():
                return model
    for path in candidates:
        if any(path.glob("*.pth")):
            raise ModelFileError(f"{printable(path)} holds .pth files, and no model of cyclegan.", to_import(path))
    shipped = shipped_models()
    if str(name) in shipped:  # also where a data set's folder has the same name
        return shipped[str(name)]
    if any(path.is_dir() for path in candidates):
        raise ModelFileError(
            f"{printable(name)} holds no model yet.", "A run saves one every few minutes: wait, or train it first."
        )
    raise ModelFileError(
        f"there is no model {printable(name)}.",
        f"Name a run's folder, a model file, a run's name, or a shipped model: {', '.join(shipped)}.",
    )


def shipped_models() -> dict[str, Path]:
    """Return the models that come with the package, by name; each has a card beside it."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def summary_in_card(model: Path) -> str:
    """Return the line of a shipped model's card that begins with `> `: its purpose and its figures."""
    lines = model.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("> ") for line in lines if line.startswith("> "))


def trained_runs(checkpoints: Path) -> list[Run]:
    """Return the runs that hold a model, the newest first."""
    models = sorted(checkpoints.glob("*/model.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [Run(model.parent) for model in models]


def all_models(checkpoints: Path = Path("checkpoints")) -> list[Path]:
    """Return a model file of each run, the newest first, and the shipped ones."""
    return [*(find_model(run.folder) for run in trained_runs(checkpoints)), *shipped_models().values()]


def model_name(path: Path) -> str:
    """Return the name of a model file: its run's, or its own."""
    return path.resolve().parent.name if path.stem in ("model", "best") else path.stem


def _newest_model(checkpoints: Path) -> Path:
    runs = trained_runs(checkpoints)
    if not runs:
        raise ModelFileError(
            f"there is no trained model under {printable(checkpoints)}.",
            f"Train one with `cyclegan train A B`, or name one with --model, such as {', '.join(shipped_models())}.",
        )
    return find_model(runs[0].folder)


def find_run(name: str | Path, checkpoints: Path = Path("checkpoints")) -> Run:
    """Return the run of a folder or a name."""
    for path in (Path(name), checkpoints / name):
        if Run(path).config.is_file():
            return Run(path)
    raise RunError(f"there is no run {printable(name)}.", "Name a run's folder, or its name under checkpoints/.")
