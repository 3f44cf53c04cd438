"""The page itself: what is where, and which function answers."""

from importlib.resources import files
from typing import Any

import gradio as gr

from cyclegan.images import FORMAT_OF
from cyclegan.reports.rendering import packaged
from cyclegan.web.catalogue import Site
from cyclegan.web.handlers import Answers
from cyclegan.web.translating import MOST_BYTES, MOST_PICTURES

EVERY = 5  # seconds between two looks at a run
KEPT = 3600  # seconds that uploads and translations are kept
CLEARED = 300  # seconds between two clearings
WAITING = 200  # requests in the queue, at most
REMEMBERED = 200  # visits whose pictures can still be compared; gradio itself keeps 10,000
SILENTLY: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_page(site: Site) -> gr.Blocks:
    """Return the page, not yet served."""
    answers = Answers(site)
    page = gr.Blocks(title="cyclegan", delete_cache=(CLEARED, KEPT))
    with page:
        with gr.Tab("Translate"):
            translate_tab(answers, page)
        with gr.Tab("Watch") as tab:
            watch_tab(answers, tab)
    page.state_session_capacity = REMEMBERED
    page.queue(default_concurrency_limit=1, max_size=WAITING, api_open=False)
    return page


def appearance() -> dict[str, Any]:
    """Return the theme and the style, which bring nothing from elsewhere: the fonts are those that are there."""
    own = files("cyclegan.web").joinpath("page.css").read_text(encoding="utf-8")
    style = f"{packaged('colors.css')}#curves {{ {packaged('charts.css')} }}{own}"
    theme = gr.themes.Base(
        primary_hue="stone",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return {"theme": theme, "head": f"<style>{style}</style>"}


def translate_tab(answers: Answers, page: gr.Blocks) -> None:
    """Lay out and connect the tab that redraws pictures."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(label="Model", allow_custom_value=True)
            direction = gr.Radio([("B", "a2b"), ("A", "b2a")], value="a2b", label="Redraw as")
            dropped = gr.File(
                label=f"Pictures: up to {MOST_PICTURES}, {MOST_BYTES >> 20} MiB each",
                file_count="multiple",
                file_types=list(FORMAT_OF),
                height=180,
            )
            strength = gr.Slider(0, 1, value=1, step=0.05, label="Strength", info="Less blends with the original.")
            scores = gr.Checkbox(True, label="Score the translations")
            button = gr.Button("Redraw", variant="primary")
        with gr.Column(scale=2, min_width=280):
            said = gr.Markdown(latex_delimiters=[], visible=False)
            slider = gr.ImageSlider(
                label="Before and after", type="filepath", buttons=["fullscreen"], interactive=False
            )
            gallery = gr.Gallery(
                show_label=False, allow_preview=False, visible=False, buttons=[], elem_id="which", height="auto"
            )
            redrawn = gr.File(
                label="Download", file_count="multiple", interactive=False, visible=False, elem_id="redrawn"
            )
            table = gr.Dataframe(
                headers=["picture", "realism", "cycle error"], interactive=False, visible=False, buttons=[]
            )
    pairs, shows = gr.State([]), gr.State([])
    page.load(answers.models, None, model, **SILENTLY)
    model.change(answers.directions, model, [direction, scores], **SILENTLY)
    inputs = [dropped, model, direction, strength, scores]
    outputs = [redrawn, table, said, pairs]
    answered = button.click(answers.translate, inputs, outputs, api_name="translate", show_progress_on=slider)
    answered.success(answers.compare, pairs, [slider, gallery, shows], **SILENTLY)
    gallery.select(answers.choose, shows, slider, **SILENTLY)


def watch_tab(answers: Answers, tab: gr.Tab) -> None:
    """Lay out and connect the tab that follows a run."""
    run = gr.Dropdown(label="Run", allow_custom_value=True)
    where = gr.Markdown("Nothing has been trained here yet.", latex_delimiters=[])
    sample = gr.Image(
        show_label=False, type="filepath", interactive=False, visible=False, buttons=["download", "fullscreen"]
    )
    # gradio's cleaning would lame the drawings; all text in them is escaped
    drawn = gr.Markdown(latex_delimiters=[], sanitize_html=False, elem_id="curves")
    clock = gr.Timer(EVERY, active=False)
    tab.select(answers.runs, run, [run, clock], **SILENTLY)
    for event in (run.change, clock.tick, tab.select):
        event(answers.look, run, [where, sample, drawn], concurrency_limit=None, **SILENTLY)
