"""The components of the page, and the handlers of their events."""

from importlib.resources import files
from typing import Any

import gradio as gr

from cyclegan.images import FORMAT_OF
from cyclegan.reports.rendering import packaged
from cyclegan.web.handlers import Handlers
from cyclegan.web.translating import MAX_FILE_BYTES, MAX_PICTURES_PER_REQUEST

POLL_SECONDS = 5  # between two readings of a run
MAX_AGE_SECONDS = 3600  # of uploads and translations
CLEANUP_SECONDS = 300  # between two deletions of old files
MAX_QUEUED = 200  # requests
MAX_SESSIONS = 200  # whose previews are kept; gradio's default is 10,000
HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_page(handlers: Handlers) -> gr.Blocks:
    """Return the page, not yet served."""
    page = gr.Blocks(title="cyclegan", delete_cache=(CLEANUP_SECONDS, MAX_AGE_SECONDS))
    with page:
        with gr.Tab("Translate"):
            translate_tab(handlers, page)
        with gr.Tab("Watch") as tab:
            watch_tab(handlers, tab)
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


def translate_tab(handlers: Handlers, page: gr.Blocks) -> None:
    """Lay out and connect the tab that translates pictures."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(label="Model", allow_custom_value=True)
            direction = gr.Radio([("B", "a2b"), ("A", "b2a")], value="a2b", label="Translate to")
            uploads = gr.File(
                label=f"Pictures: up to {MAX_PICTURES_PER_REQUEST}, {MAX_FILE_BYTES >> 20} MiB each",
                file_count="multiple",
                file_types=list(FORMAT_OF),
                height=180,
            )
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
    page.load(handlers.list_models, None, model, **HIDDEN)
    model.change(handlers.list_targets, model, [direction, scores], **HIDDEN)
    inputs = [uploads, model, direction, strength, keep, scores]
    outputs = [results, table, messages, translated]
    finished = button.click(handlers.translate, inputs, outputs, api_name="translate", show_progress_on=slider)
    finished.success(handlers.preview, translated, [slider, gallery, previews], **HIDDEN)
    gallery.select(handlers.select, previews, slider, **HIDDEN)


def watch_tab(handlers: Handlers, tab: gr.Tab) -> None:
    """Lay out and connect the tab that follows a run."""
    run = gr.Dropdown(label="Run", allow_custom_value=True)
    heading = gr.Markdown("Nothing has been trained here yet.", latex_delimiters=[])
    sample = gr.Image(
        show_label=False, type="filepath", interactive=False, visible=False, buttons=["download", "fullscreen"]
    )
    # gradio's sanitizer would break the SVG; all text in it is escaped
    curves = gr.Markdown(latex_delimiters=[], sanitize_html=False, elem_id="curves")
    timer = gr.Timer(POLL_SECONDS, active=False)
    tab.select(handlers.list_runs, run, [run, timer], **HIDDEN)
    for event in (run.change, timer.tick, tab.select):
        event(handlers.show_run, run, [heading, sample, curves], concurrency_limit=None, **HIDDEN)
