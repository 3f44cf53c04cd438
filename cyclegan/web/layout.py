"""The components of the page, and the handlers of their events."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib.resources import files
from typing import Any

import gradio as gr

from cyclegan.images import FORMAT_OF
from cyclegan.reports.rendering import packaged
from cyclegan.web.handlers import Handlers
from cyclegan.web.train_handlers import TrainHandlers
from cyclegan.web.train_layout import HIDDEN, TrainForm, train_tab
from cyclegan.web.translating import MAX_FILE_BYTES, MAX_PICTURES_PER_REQUEST

POLL_SECONDS = 5  # between two readings of a run
MAX_AGE_SECONDS = 3600  # of uploads and translations
CLEANUP_SECONDS = 300  # between two deletions of old files
MAX_QUEUED = 200  # requests
MAX_SESSIONS = 200  # whose previews are kept; gradio's default is 10,000


@dataclass(frozen=True)
class Watched:
    """The parts of the tab that follows a run which other tabs, and trainings, are connected to."""

    run: gr.Dropdown
    stop: gr.Button
    resume: gr.Button
    translate: gr.Button
    show: dict[str, Any]  # the event that shows the run


def build_page(handlers: Handlers, trainings: TrainHandlers | None) -> gr.Blocks:
    """Return the page, not yet served; without handlers of trainings it starts none."""
    page = gr.Blocks(title="cyclegan", delete_cache=(CLEANUP_SECONDS, MAX_AGE_SECONDS))
    with page, gr.Tabs() as tabs:
        with gr.Tab("Translate", id="translate") as tab:
            model = translate_tab(handlers, page, tab)
        with gr.Tab("Compare", id="compare") as tab:
            compare_tab(handlers, tab)
        form = None
        if trainings:
            with gr.Tab("Train", id="train"):
                form = train_tab(trainings)
        with gr.Tab("Watch", id="watch") as tab:
            watched = watch_tab(handlers, tab)
        watched.translate.click(handlers.use_model, watched.run, [tabs, model], **HIDDEN)
        if trainings and form:
            connect_trainings(trainings, form, watched, tabs)
    for block in page.blocks.values():
        if isinstance(block, gr.components.Component):
            block.preprocess = without_traceback(block.preprocess)  # type: ignore[method-assign]
    page.state_session_capacity = MAX_SESSIONS
    page.queue(default_concurrency_limit=1, max_size=MAX_QUEUED, api_open=False)
    return page


def appearance() -> dict[str, Any]:
    """Return theme and style; they use system fonts, so that nothing is loaded from other machines."""
    own_style = files("cyclegan.web").joinpath("page.css").read_text(encoding="utf-8")
    style = f"{packaged('colors.css')}#curves {{ {packaged('charts.css')} }}{own_style}"
    theme = gr.themes.Base(
        primary_hue="stone",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return {"theme": theme, "head": f"<style>{style}</style>"}


def translate_tab(handlers: Handlers, page: gr.Blocks, tab: gr.Tab) -> gr.Dropdown:
    """Lay out and connect the tab that translates pictures; return the choice of the model."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(label="Model", allow_custom_value=True)
            direction = gr.Radio([("B", "a2b"), ("A", "b2a")], value="a2b", label="Translate to")
            uploads = upload_field()
            strength = gr.Slider(0, 1, value=1, step=0.05, label="Strength", info="Less blends with the original.")
            keep = gr.Radio(
                ["auto", "detail", "color", "none"],
                value="auto",
                label="Keep of the picture",
                info="detail: the picture's own, at full size. color: its brightness too. auto: as the model says.",
            )
            scores = gr.Checkbox(True, label="Score the translations")
            button = gr.Button("Translate", variant="primary")
        with gr.Column(scale=2, min_width=280):
            messages = gr.Markdown(latex_delimiters=[], visible=False)
            slider = gr.ImageSlider(
                label="Before and after", type="filepath", buttons=["fullscreen"], interactive=False
            )
            gallery = gr.Gallery(
                show_label=False, allow_preview=False, visible=False, buttons=[], elem_id="gallery", height="auto"
            )
            results = gr.File(
                label="Download", file_count="multiple", interactive=False, visible=False, elem_id="results"
            )
            table = gr.Dataframe(
                headers=["picture", "realism", "cycle error"], interactive=False, visible=False, buttons=[]
            )
    translated, previews = gr.State([]), gr.State([])
    for event in (page.load, tab.select):
        event(handlers.list_models, model, model, **HIDDEN)
    model.change(handlers.list_targets, model, [direction, scores], **HIDDEN)
    inputs = [uploads, model, direction, strength, keep, scores]
    outputs = [results, table, messages, translated]
    finished = button.click(handlers.translate, inputs, outputs, api_name="translate", show_progress_on=slider)
    finished.success(handlers.preview, translated, [slider, gallery, previews], **HIDDEN)
    gallery.select(handlers.select, previews, slider, **HIDDEN)
    return model


def compare_tab(handlers: Handlers, tab: gr.Tab) -> None:
    """Lay out and connect the tab that shows pictures as several models translate them."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            models = gr.CheckboxGroup(label="Models")
            uploads = upload_field()
            button = gr.Button("Compare", variant="primary")
        with gr.Column(scale=2, min_width=280):
            messages = gr.Markdown(latex_delimiters=[], visible=False)
            sheet = gr.Image(
                show_label=False,
                type="filepath",
                interactive=False,
                visible=False,
                buttons=["download", "fullscreen"],
                elem_id="sheet",
            )
    tab.select(handlers.list_columns, models, models, **HIDDEN)
    button.click(handlers.compare, [uploads, models], [sheet, messages], api_visibility="private")


def upload_field() -> gr.File:
    """Return a field for pictures."""
    return gr.File(
        label=f"Pictures: up to {MAX_PICTURES_PER_REQUEST}, {MAX_FILE_BYTES >> 20} MiB each",
        file_count="multiple",
        file_types=list(FORMAT_OF),
        height=180,
    )


def without_traceback(preprocess: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses the same values, but prints no traceback for each on the terminal."""

    @wraps(preprocess)
    def process(payload: Any) -> Any:
        try:
            return preprocess(payload)
        except gr.Error as error:
            error.print_exception = False
            raise

    return process


def watch_tab(handlers: Handlers, tab: gr.Tab) -> Watched:
    """Lay out and connect the tab that follows a run."""
    run = gr.Dropdown(label="Run", allow_custom_value=True)
    heading = gr.Markdown("Nothing has been trained here yet.", latex_delimiters=[], elem_id="status")
    with gr.Row():
        stop = gr.Button("Stop and save", visible=False)
        resume = gr.Button("Continue", visible=False)
        translate = gr.Button("Translate with it", visible=False)
    sample = gr.Image(
        show_label=False, type="filepath", interactive=False, visible=False, buttons=["download", "fullscreen"]
    )
    # gradio's sanitizer would break the SVG; all text in it is escaped
    curves = gr.Markdown(latex_delimiters=[], sanitize_html=False, elem_id="curves")
    log = gr.Textbox(label="Log", lines=2, max_lines=40, interactive=False, visible=False)
    timer = gr.Timer(POLL_SECONDS, active=False)
    show = {
        "fn": handlers.show_run,
        "inputs": run,
        "outputs": [heading, sample, curves, stop, resume, translate, log],
        "concurrency_limit": None,
        **HIDDEN,
    }
    tab.select(handlers.list_runs, run, [run, timer], **HIDDEN)
    for event in (run.change, timer.tick, tab.select):
        event(**show)
    return Watched(run, stop, resume, translate, show)


def connect_trainings(trainings: TrainHandlers, form: TrainForm, watched: Watched, tabs: gr.Tabs) -> None:
    """Connect the buttons that start, stop and continue a training; each shows then how the run is."""
    started = form.start.click(
        trainings.start, form.choices, [tabs, watched.run], api_visibility="private", show_progress_on=form.start
    )
    stopped = watched.stop.click(
        trainings.stop, watched.run, None, api_visibility="private", show_progress_on=watched.stop
    )
    resumed = watched.resume.click(trainings.resume, watched.run, None, **HIDDEN)
    for event in (started, stopped, resumed):
        event.success(**watched.show)
