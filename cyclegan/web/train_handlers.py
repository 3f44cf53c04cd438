"""The functions that gradio calls on the tab that starts trainings, and where they are stopped and continued."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import gradio as gr

from cyclegan.config import build_config, preset
from cyclegan.data.folders import evenly_spaced
from cyclegan.errors import PictureError
from cyclegan.inspection.data_folders import count_pictures, data_folders, inspect_folders
from cyclegan.text import printable
from cyclegan.web.data_folders import folder_contents, report_as_html, store_pictures, typed_folder
from cyclegan.web.handlers import Handlers, Update, shows_errors
from cyclegan.web.trainings import Trainings, TrainRequest
from cyclegan.web.translating import write_preview

EXAMPLES, EXAMPLE_SIDE = 6, 240  # shown of a folder, and pixels of their longer side
HOURS = {"minutes": 1 / 60, "hours": 1.0}  # of the units of time


class TrainHandlers:
    """The handlers of trainings on one page."""

    def __init__(self, handlers: Handlers, trainings: Trainings, datasets: Path) -> None:
        self.handlers = handlers
        self.trainings = trainings
        self.datasets = datasets

    @shows_errors
    def look(self, text: str | None) -> tuple[Update, Update]:
        """Return what is in a typed folder, and some of its pictures."""
        if not (text or "").strip():
            return gr.Markdown(visible=False), gr.Gallery(visible=False)
        contents = folder_contents(typed_folder(text))
        shown = list(self.handlers.worker.map(self.write_example, evenly_spaced(contents.pictures, EXAMPLES)))
        thumbnails = [str(path) for path in shown if path]
        return gr.Markdown(contents.as_html(), visible=True), gr.Gallery(thumbnails, visible=bool(thumbnails))

    def write_example(self, picture: Path) -> Path | None:
        """Write a small copy of a picture; None if it cannot be read."""
        folder = Path(tempfile.mkdtemp(prefix="example-", dir=self.handlers.workspace.folder))
        with suppress(PictureError):
            return write_preview(picture, folder / "example.jpg", EXAMPLE_SIDE)
        return None

    @shows_errors
    def drop(self, uploads: Sequence[str] | None, kind: str | None, text: str | None) -> tuple[str, Update]:
        """Store dropped pictures; return their folder, and clear the field that they were dropped on."""
        current = typed_folder(text) if (text or "").strip() else None
        paths = [Path(upload) for upload in uploads or []]
        return str(store_pictures(paths, (kind or "").strip(), current, self.datasets)), gr.File(value=None)

    @shows_errors
    def inspect(
        self,
        text_a: str | None,
        text_b: str | None,
        preset_name: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio looks for it here)
    ) -> str:
        """Return what inspection says of both folders."""
        folders = [typed_folder(text) for text in (text_a, text_b)]
        for folder in folders:
            folder_contents(folder).require_pictures()
        roles = data_folders(folders)
        size, total, numbers = build_config(preset(preset_name)).data.size, count_pictures(roles), count(1)
        report = inspect_folders(roles, size, on_picture=lambda: progress((next(numbers), total), unit="pictures"))
        return report_as_html(report)

    @shows_errors
    def start(
        self, text_a: str | None, text_b: str | None, preset_name: str, time: float | None, unit: str, name: str | None
    ) -> tuple[Update, Update]:
        """Start a training; return the tab that shows it, and its name in the list of runs."""
        request = TrainRequest(
            folder_a=typed_folder(text_a),
            folder_b=typed_folder(text_b),
            preset=preset_name,
            hours=(time or 0) * HOURS.get(unit, 1.0),
            name=(name or "").strip(),
        )
        run = self.trainings.start(request)
        return gr.Tabs(selected="watch"), gr.Dropdown(list(self.trainings.catalogue.runs()), value=printable(run.name))

    @shows_errors
    def stop(self, name: str | None) -> None:
        """Stop a training."""
        if not self.trainings.stop(self.trainings.catalogue.find_run(name)):
            gr.Info("It ends after this step, with everything saved.")

    @shows_errors
    def resume(self, name: str | None) -> None:
        """Continue a run that has stopped."""
        self.trainings.resume(self.trainings.catalogue.find_run(name))
