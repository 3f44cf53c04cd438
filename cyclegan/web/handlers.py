"""The functions that gradio calls when something is chosen, uploaded or clicked."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from cyclegan.checkpoints.model_file import load_model_info, networks_in
from cyclegan.errors import CycleganError
from cyclegan.text import printable
from cyclegan.web.catalogue import Catalogue, target_domains
from cyclegan.web.comparing import compare_uploads
from cyclegan.web.run_status import log_text, newest_sample, run_heading, run_progress
from cyclegan.web.trainings import training_status
from cyclegan.web.translating import (
    TranslatedFile,
    TranslateRequest,
    Workspace,
    message_of,
    translate_uploads,
    write_previews,
)

NETWORKS_FOR_SCORES = {"a2b", "b2a", "disc_a", "disc_b"}
Update = Any  # of a gradio component


def shows_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler whose errors are shown on the page."""

    @wraps(handler)
    def handle(*arguments: Any, **options: Any) -> Any:
        try:
            return handler(*arguments, **options)
        except CycleganError as error:
            raise gr.Error(escape(message_of(error)), print_exception=False) from error

    return handle


class Handlers:
    """The handlers of one page."""

    def __init__(self, catalogue: Catalogue, workspace: Workspace, *, may_train: bool) -> None:
        self.catalogue = catalogue
        self.workspace = workspace
        self.may_train = may_train
        self.worker = ThreadPoolExecutor(1)  # each of gradio's many threads would hold its own memory

    @shows_errors
    def list_models(self, selected: str | None) -> Update:
        """Return the models that there are now."""
        names = list(self.catalogue.models())
        return gr.Dropdown(names, value=selected if selected in names else next(iter(names), None))

    @shows_errors
    def list_targets(self, model: str | None) -> tuple[Update, Update]:
        """Return the domains that a model translates to, and whether it can score."""
        path = self.catalogue.find_model(model)
        targets = target_domains(path, load_model_info(path))
        return gr.Radio(targets, value=targets[0][1]), gr.Checkbox(visible=networks_in(path) >= NETWORKS_FOR_SCORES)

    @shows_errors
    def translate(
        self,
        pictures: list[str] | None,
        model: str | None,
        direction: str,
        strength: float,
        keep: str,
        scores: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio looks for it here)
    ) -> tuple[Update, Update, Update, list[TranslatedFile]]:
        """Translate uploaded pictures; return the files, their scores, and messages about those that failed."""
        paths = [Path(picture) for picture in pictures or []]
        numbers = count(1)
        request = TranslateRequest(
            model=self.catalogue.find_model(model),
            direction="b2a" if direction == "b2a" else "a2b",
            strength=strength,
            keep=keep,
            scores=scores,
        )

        def on_picture() -> None:
            progress((next(numbers), len(paths)), unit="pictures")

        job = self.worker.submit(copy_context().run, translate_uploads, self.workspace, paths, request, on_picture)
        translated, messages = job.result()
        files = [str(file.target) for file in translated]
        rows = [
            [printable(file.target.name), round(file.score.realism, 3), round(file.score.cycle_error, 2)]
            for file in translated
            if file.score
        ]
        return (
            gr.File(files, visible=bool(files)),
            gr.Dataframe(rows, visible=bool(rows)),
            gr.Markdown(as_list(messages), visible=bool(messages)),
            translated,
        )

    @shows_errors
    def preview(self, translated: Sequence[TranslatedFile]) -> tuple[Update, Update, list[Any]]:
        """Return the first translation beside its source, and a gallery of all."""
        previews = [tuple(map(str, paths)) for paths in self.worker.map(write_previews, translated)]
        gallery = gr.Gallery([after for _, after in previews], visible=len(previews) > 1)
        return previews[0] if previews else None, gallery, previews

    @shows_errors
    def select(self, previews: Sequence[Any], event: gr.SelectData) -> Any:
        """Return the translation that was clicked."""
        return previews[event.index]

    @shows_errors
    def list_columns(self, selected: Sequence[str]) -> Update:
        """Return every model in each of its directions as there are now; those selected stay selected."""
        names = list(self.catalogue.columns())
        return gr.CheckboxGroup(names, value=[name for name in names if name in selected])

    @shows_errors
    def compare(
        self,
        pictures: list[str] | None,
        columns: Sequence[str],
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio looks for it here)
    ) -> tuple[Update, Update]:
        """Draw uploaded pictures as several models translate them; return the sheet, and messages about failures."""
        paths, models = [Path(picture) for picture in pictures or []], self.catalogue.find_columns(columns)
        numbers, total = count(1), len(paths) * len(models)

        def on_picture() -> None:
            progress((next(numbers), total), unit="translations")

        job = self.worker.submit(copy_context().run, compare_uploads, self.workspace, paths, models, on_picture)
        sheet, messages = job.result()
        return (
            gr.Image(str(sheet) if sheet else None, visible=sheet is not None),
            gr.Markdown(as_list(messages), visible=bool(messages)),
        )

    @shows_errors
    def use_model(self, name: str | None) -> tuple[Update, Update]:
        """Return the tab that translates, and the model of a run."""
        return gr.Tabs(selected="translate"), gr.Dropdown(list(self.catalogue.models()), value=name)

    @shows_errors
    def list_runs(self, selected: str | None) -> tuple[Update, Update]:
        """Return the runs that there are now, and start the timer."""
        names = list(self.catalogue.runs())
        name = selected if selected in names else next(iter(names), None)
        return gr.Dropdown(names, value=name), gr.Timer(active=True)

    @shows_errors
    def show_run(self, name: str | None) -> tuple[Update, ...]:
        """Return the state of a run, what can be done with it, and the end of its log."""
        if not name:
            return (gr.skip(),) * 7
        run = self.catalogue.find_run(name)
        status, grid, log = training_status(run), newest_sample(run, self.workspace.folder), log_text(run)
        return (
            run_heading(run, status),
            gr.Image(str(grid) if grid else None, visible=grid is not None),
            run_progress(run),
            gr.Button(visible=self.may_train and status.can_stop),
            gr.Button(visible=self.may_train and status.can_continue),
            gr.Button(visible=run.model.is_file() or run.best.is_file()),
            gr.Textbox(log, visible=bool(log)),
        )


def as_list(lines: Sequence[str]) -> str:
    """Return lines as an HTML list."""
    return f"<ul>{''.join(f'<li>{escape(printable(line))}</li>' for line in lines)}</ul>" if lines else ""
