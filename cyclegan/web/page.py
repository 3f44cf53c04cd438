"""The page itself: what is where, and which function answers."""

from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from cyclegan.errors import CycleganError, printable
from cyclegan.images import FORMAT_OF
from cyclegan.reports import packaged
from cyclegan.runs import load_model_info, networks_in
from cyclegan.web.redrawing import MOST_BYTES, MOST_PICTURES, Pair, redraw, sentence, shown
from cyclegan.web.site import Site, ways
from cyclegan.web.watching import curves, heading, newest_sample

EVERY = 5  # seconds between two looks at a run
KEPT = 3600  # seconds that uploads and translations are kept
CLEARED = 300  # seconds between two clearings
WAITING = 200  # requests in the queue, at most
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}  # those that are there
SCORES = ["picture", "realism", "cycle error"]


def build_page(site: Site) -> gr.Blocks:
    """Return the page, not yet served."""
    with gr.Blocks(title="cyclegan", analytics_enabled=False, delete_cache=(CLEARED, KEPT)) as page:
        with gr.Tab("Translate"):
            translate_tab(site, page)
        with gr.Tab("Watch") as tab:
            watch_tab(site, page, tab)
    return page.queue(default_concurrency_limit=1, max_size=WAITING, api_open=False)


def look_of_the_page() -> dict[str, Any]:
    """Return the theme and the style, which bring nothing from elsewhere."""
    style = packaged("curves.css") + files("cyclegan.web").joinpath("page.css").read_text(encoding="utf-8")
    theme = gr.themes.Base(primary_hue="stone", neutral_hue="stone", **FONTS)
    return {"theme": theme, "head": f"<style>{style}</style>"}


def translate_tab(site: Site, page: gr.Blocks) -> None:
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
            slider = gr.ImageSlider(label="Before and after", type="filepath", buttons=["fullscreen"], interactive=False)
            gallery = gr.Gallery(
                show_label=False, allow_preview=False, visible=False, buttons=[], elem_id="which", height="auto"
            )
            redrawn = gr.File(
                label="Download", file_count="multiple", interactive=False, visible=False, elem_id="redrawn"
            )
            table = gr.Dataframe(headers=SCORES, interactive=False, visible=False, buttons=[])
    pairs, previews = gr.State([]), gr.State([])

    def offer() -> Any:
        names = list(site.models())
        return gr.Dropdown(names, value=names[0] if names else None)

    def describe(name: str | None) -> tuple[Any, Any]:
        path = site.find_model(name)
        offered, networks = ways(path, load_model_info(path)), networks_in(path)
        return (
            gr.Radio(offered, value=offered[0][1]),
            gr.Checkbox(visible={"a2b", "b2a", "disc_a", "disc_b"} <= networks),
        )

    def translate(
        pictures: list[str] | None,
        model: str,
        direction: str,
        strength: float,
        scores: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio looks for it here)
    ) -> tuple[Any, Any, Any, list[Pair]]:
        """Redraw uploaded pictures; return the files, their scores, and what there is to say."""
        paths = [Path(picture) for picture in pictures or []]
        steps = iter(range(1, len(paths) + 1))
        done, remarks = redraw(
            site,
            paths,
            site.find_model(model),
            "b2a" if direction == "b2a" else "a2b",
            strength=strength,
            scores=scores,
            on_picture=lambda: progress((next(steps), len(paths)), unit="pictures"),
        )
        files = [str(pair.target) for pair in done]
        lines = [
            [printable(pair.target.name), round(pair.score.realism, 3), round(pair.score.cycle_error, 2)]
            for pair in done
            if pair.score
        ]
        return gr.File(files, visible=bool(files)), gr.Dataframe(lines, visible=bool(lines)), gr.Markdown(as_list(remarks), visible=bool(remarks)), done

    def compare(done: list[Pair]) -> tuple[Any, Any, list[Any]]:
        shows = [tuple(map(str, shown(pair))) for pair in done]
        return (
            shows[0] if shows else None,
            gr.Gallery([after for _, after in shows], visible=len(shows) > 1),
            shows,
        )

    def choose(shows: Sequence[tuple[str, str]], event: gr.SelectData) -> tuple[str, str]:
        return shows[event.index]

    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    page.load(told(offer), None, model, **hidden)
    model.change(told(describe), model, [direction, scores], **hidden)
    inputs = [dropped, model, direction, strength, scores]
    answered = button.click(told(translate), inputs, [redrawn, table, said, pairs], api_name="translate")
    answered.success(told(compare), pairs, [slider, gallery, previews], **hidden)
    gallery.select(choose, previews, slider, **hidden)


def watch_tab(site: Site, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out and connect the tab that follows a run."""
    run = gr.Dropdown(label="Run", allow_custom_value=True)
    where = gr.Markdown("Nothing has been trained here yet.", latex_delimiters=[])
    sample = gr.Image(
        show_label=False, type="filepath", interactive=False, visible=False, buttons=["download", "fullscreen"]
    )
    drawn = gr.Markdown(latex_delimiters=[], sanitize_html=False, elem_id="curves")  # it would lame the drawings
    clock = gr.Timer(EVERY, active=False)

    def offer(chosen: str | None) -> tuple[Any, Any]:
        names = list(site.runs())
        return gr.Dropdown(names, value=chosen if chosen in names else next(iter(names), None)), gr.Timer(active=True)

    def look(name: str | None) -> tuple[Any, Any, Any]:
        if not name:
            return gr.skip(), gr.skip(), gr.skip()
        watched = site.find_run(name)
        grid = newest_sample(watched, site.place)
        return heading(watched), gr.Image(grid and str(grid), visible=grid is not None), curves(watched)

    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    tab.select(told(offer), run, [run, clock], **hidden)
    for event in (run.change, clock.tick, tab.select):
        event(told(look), run, [where, sample, drawn], **hidden)


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, whose errors are shown to the user as sentences."""

    @wraps(function)
    def telling(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except CycleganError as error:
            raise gr.Error(escape(sentence(error)), print_exception=False) from error

    return telling


def as_list(lines: Sequence[str]) -> str:
    """Return lines as an HTML list."""
    return f"<ul>{''.join(f'<li>{escape(printable(line))}</li>' for line in lines)}</ul>" if lines else ""
