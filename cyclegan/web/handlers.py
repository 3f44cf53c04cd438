"""What the page answers: from what was chosen and dropped to what is shown. Its functions are called by gradio."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from cyclegan.checkpoints.model_file import load_model_info, networks_in
from cyclegan.errors import CycleganError, printable
from cyclegan.web.catalogue import Site, ways
from cyclegan.web.run_status import heading, newest_sample
from cyclegan.web.run_status import progress as progress_of
from cyclegan.web.translating import Pair, Wish, redraw, sentence, shown

SCORERS = {"a2b", "b2a", "disc_a", "disc_b"}  # networks that scores need
Update = Any  # what gradio changes of a component


def told(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, whose errors are shown to the user as sentences."""

    @wraps(answer)
    def telling(*arguments: Any, **options: Any) -> Any:
        try:
            return answer(*arguments, **options)
        except CycleganError as error:
            raise gr.Error(escape(sentence(error)), print_exception=False) from error

    return telling


class Answers:
    """The answers of one page."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.worker = ThreadPoolExecutor(1)  # each of gradio's many threads would keep memory of its own

    @told
    def models(self) -> Update:
        """Offer the models there are now."""
        names = list(self.site.models())
        return gr.Dropdown(names, value=names[0] if names else None)

    @told
    def directions(self, model: str | None) -> tuple[Update, Update]:
        """Offer what a model can do: its directions, and scores."""
        path = self.site.find_model(model)
        offered = ways(path, load_model_info(path))
        return gr.Radio(offered, value=offered[0][1]), gr.Checkbox(visible=networks_in(path) >= SCORERS)

    @told
    def translate(
        self,
        pictures: list[str] | None,
        model: str | None,
        direction: str,
        strength: float,
        scores: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio looks for it here)
    ) -> tuple[Update, Update, Update, list[Pair]]:
        """Redraw uploaded pictures: the files, their scores, and what there is to say of those that failed."""
        paths = [Path(picture) for picture in pictures or []]
        steps = iter(range(1, len(paths) + 1))
        wish = Wish(
            model=self.site.find_model(model),
            direction="b2a" if direction == "b2a" else "a2b",
            strength=strength,
            scores=scores,
        )

        def on_picture() -> None:
            progress((next(steps), len(paths)), unit="pictures")

        done, remarks = self.worker.submit(copy_context().run, redraw, self.site, paths, wish, on_picture).result()
        files = [str(pair.target) for pair in done]
        lines = [
            [printable(pair.target.name), round(pair.score.realism, 3), round(pair.score.cycle_error, 2)]
            for pair in done
            if pair.score
        ]
        return (
            gr.File(files, visible=bool(files)),
            gr.Dataframe(lines, visible=bool(lines)),
            gr.Markdown(as_list(remarks), visible=bool(remarks)),
            done,
        )

    @told
    def compare(self, done: Sequence[Pair]) -> tuple[Update, Update, list[Any]]:
        """Show the first translation beside its source, and offer the others."""
        shows = [tuple(map(str, pair)) for pair in self.worker.map(shown, done)]
        gallery = gr.Gallery([after for _, after in shows], visible=len(shows) > 1)
        return shows[0] if shows else None, gallery, shows

    @told
    def choose(self, shows: Sequence[Any], event: gr.SelectData) -> Any:
        """Show the translation that was clicked on."""
        return shows[event.index]

    @told
    def runs(self, chosen: str | None) -> tuple[Update, Update]:
        """Offer the runs there are now, and begin to watch."""
        names = list(self.site.runs())
        name = chosen if chosen in names else next(iter(names), None)
        return gr.Dropdown(names, value=name), gr.Timer(active=True)

    @told
    def look(self, name: str | None) -> tuple[Update, Update, Update]:
        """Show where a run is."""
        if not name:
            return gr.skip(), gr.skip(), gr.skip()
        run = self.site.find_run(name)
        grid = newest_sample(run, self.site.place)
        return heading(run), gr.Image(str(grid) if grid else None, visible=grid is not None), progress_of(run)


def as_list(lines: Sequence[str]) -> str:
    """Return lines as an HTML list."""
    return f"<ul>{''.join(f'<li>{escape(printable(line))}</li>' for line in lines)}</ul>" if lines else ""
