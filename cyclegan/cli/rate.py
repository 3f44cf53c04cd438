"""`cyclegan rate`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclegan.cli import translate_options as flags
from cyclegan.cli.compare import OverwriteSheet
from cyclegan.cli.console import Console, Json, Progress, Quiet, complain
from cyclegan.errors import UsageError
from cyclegan.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclegan.evaluation.preference import Preference
    from cyclegan.evaluation.rating_sheet import RatingSheet
    from cyclegan.translation import ComparedModel

EXAMPLES = (
    "cyclegan rate photos/ --model evening --model night        writes rating.html, to open in a browser",
    "cyclegan rate photos/ --model evening --pictures truth/",
    "cyclegan rate answers-*.json                               which of the two people prefer",
)
SHEET = "Sheet"

RatedInputs = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTO…|ANSWERS…", help="Pictures and folders of them; or files that the page saved."),
]
RatedModels = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        help="A candidate: a run's folder or name, or a model file. Two, or one beside --pictures.",
        rich_help_panel=flags.MODEL_PANEL,
    ),
]
RatedPictures = Annotated[
    list[Path] | None,
    typer.Option(
        "--pictures",
        metavar="FOLDER",
        help="A candidate: a folder with pictures of the same names, such as real ones or another program's.",
        rich_help_panel=flags.MODEL_PANEL,
    ),
]
Question = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="The question above the pictures.  [default: which looks more like the domain]",
        show_default=False,
        rich_help_panel=SHEET,
    ),
]
TrialCount = Annotated[
    int,
    typer.Option("--count", min=1, help="Photographs, drawn at random where there are more.", rich_help_panel=SHEET),
]
SheetSeed = Annotated[int, typer.Option("--seed", min=0, help="Of order and sides.", rich_help_panel=SHEET)]
SheetSize = Annotated[
    int, typer.Option(min=16, max=512, help="Short side of each picture in pixels.", rich_help_panel=SHEET)
]
PagePath = Annotated[Path, typer.Option(metavar="FILE", help="The page to write.", rich_help_panel=flags.FILES)]


def rate(
    inputs: RatedInputs,
    model: RatedModels = None,
    pictures: RatedPictures = None,
    to: flags.To = None,
    direction: flags.DirectionOption = None,
    output: PagePath = Path("rating.html"),
    overwrite: OverwriteSheet = False,
    question: Question = None,
    count: TrialCount = 50,
    seed: SheetSeed = 0,
    size: SheetSize = 256,
    device: flags.InferenceDevice = "auto",
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Let people choose between two models without knowing which is which.

    Writes a page that asks them, and reads the answers that it saves.
    """
    from cyclegan.atomic import check_new_file
    from cyclegan.evaluation.rating_sheet import make_rating_sheet, photos_in
    from cyclegan.translation import compared_models

    console = Console(progress, quiet, as_json)
    if all(path.suffix.lower() == ".json" for path in inputs):
        if model or pictures:
            raise UsageError("--model and --pictures are for a new sheet.", "Leave them out to read answers.")
        print_preference(inputs, console)
        return
    if not model and (to or direction):
        raise UsageError("--to and --direction need a model.", "Name one with --model, or leave them out.")
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{printable(output)} does not end like a page.", "Let it end in .html.")
    check_new_file(output, overwrite=overwrite)
    models = compared_models(model, to=to, direction=direction)[0] if model else []
    photos = photos_in(inputs)
    with console.counting("Translating", min(count, len(photos)) * len(models)) as advance:
        sheet = make_rating_sheet(
            photos, models, pictures or (), count=count, size=size, seed=seed, device=device, on_picture=advance
        )
    print_sheet(sheet, output, question or default_question(models), console)


def default_question(models: "Sequence[ComparedModel]") -> str:
    """Return the question of a sheet that was given none."""
    targets = {model.info.domains(model.direction)[1] for model in models}
    if len(targets) != 1:
        return "Which picture is better?"
    return f"Which looks more like a picture of {targets.pop()}?"


def print_sheet(sheet: "RatingSheet", output: Path, question: str, console: Console) -> None:
    """Write the page, and print what is on it; exit with 1 if pictures cannot be read."""
    from cyclegan.atomic import write_text

    for error in sheet.failed:
        complain(error)
    if sheet.without_counterpart:
        console.note(f"Left out, as a folder has no picture of their name: {sheet.without_counterpart}.")
    count = len(sheet.trials)
    if count:
        write_text(output, sheet.html(question))
    facts = {
        "written": str(output) if count else None,
        "candidates": sheet.candidates,
        "count": count,
        "failed": [str(error) for error in sheet.failed],
    }
    written = (
        f"{printable(output)}: {counted(count, 'choice')} between "
        f"{' and '.join(map(printable, sheet.candidates))}. "
        "Open it in a browser, or give it to others; then: cyclegan rate ANSWERS…"
    )
    console.result(facts, written if count else "No picture can be used, so nothing was written.")
    if sheet.failed:
        raise typer.Exit(1)


def print_preference(files: list[Path], console: Console) -> None:
    """Print which of the two candidates the answers prefer."""
    from cyclegan.evaluation.preference import read_preference

    preference = read_preference(files)
    console.result(preference_facts(preference), preference_text(preference))


def preference_facts(preference: "Preference") -> dict[str, Any]:
    """Return the preference as JSON values."""
    return {
        **asdict(preference),
        "decided": preference.decided,
        "share": preference.share,
        "interval": preference.interval and asdict(preference.interval),
        "verdict": preference.verdict,
        "notes": preference.notes,
    }


def preference_text(preference: "Preference") -> str:
    """Return the preference as lines."""
    total = preference.decided + preference.no_difference
    lines = [
        f"{printable(name)}: preferred in {count} of {preference.decided} decided answers"
        for name, count in zip(preference.candidates, preference.preferred, strict=True)
    ]
    if preference.interval:
        low, high = preference.interval.low, preference.interval.high
        lines[0] += f", {preference.share:.1%} (95 %: {low:.1%} to {high:.1%})"
    return "\n".join(
        [
            *lines,
            f"No difference: {preference.no_difference} of {total} answers, which count for neither. "
            f"The left picture: {preference.left} of {preference.decided}. Not answered: {preference.unanswered}.",
            preference.verdict,
            *(f"Note: {note}" for note in preference.notes),
        ]
    )
