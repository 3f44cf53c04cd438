"""The tab that starts a training."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from cyclegan.config import PRESETS
from cyclegan.images import FORMAT_OF
from cyclegan.web.train_handlers import HOURS, TrainHandlers

HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class TrainForm:
    """The choices for a training, and the button that starts it."""

    choices: list[gr.components.Component]  # in the order that `TrainHandlers.start` takes them
    start: gr.Button


def train_tab(handlers: TrainHandlers) -> TrainForm:
    """Lay out and connect the tab that starts a training."""
    with gr.Row():
        folder_a = folder_column(handlers, "A", "horses")
        folder_b = folder_column(handlers, "B", "zebras")
    presets = [(f"{name}: {choice.purpose}", name) for name, choice in PRESETS.items()]
    preset = gr.Dropdown(presets, value="default", label="Preset")
    with gr.Row():
        time = gr.Number(1, label="Time", info="The training fits itself to it.", minimum=0, min_width=100)
        unit = gr.Radio(list(HOURS), value="hours", label="Unit", info="Of the time.", min_width=240)
        name = gr.Textbox(
            label="Name", info="Of the model.", placeholder="after the folders", max_lines=1, min_width=180
        )
    with gr.Row():
        inspect = gr.Button("Inspect")
        start = gr.Button("Start training", variant="primary")
    findings = gr.Markdown(latex_delimiters=[], elem_id="findings")
    inspect.click(
        handlers.inspect, [folder_a, folder_b, preset], findings, api_visibility="private", show_progress_on=findings
    )
    return TrainForm([folder_a, folder_b, preset, time, unit, name], start)


def folder_column(handlers: TrainHandlers, domain: str, example: str) -> gr.Textbox:
    """Lay out and connect the choice of one folder."""
    with gr.Column(min_width=280):
        folder = gr.Textbox(
            label=f"Folder {domain}",
            placeholder=f"/home/me/pictures/{example}",
            max_lines=1,
            info="A path on this machine.",
        )
        contents = gr.Markdown(latex_delimiters=[], visible=False)
        gallery = gr.Gallery(
            show_label=False, allow_preview=False, visible=False, buttons=[], elem_classes="examples", height="auto"
        )
        kind = gr.Textbox(domain, label=f"Or drop pictures of kind {domain}, called", max_lines=1)
        dropped = gr.File(
            show_label=False, file_count="multiple", file_types=list(FORMAT_OF), height=140, elem_id=f"drop-{domain}"
        )
    shown = [contents, gallery]
    for event in (folder.blur, folder.submit):
        event(handlers.look, folder, shown, **HIDDEN)
    stored = dropped.upload(handlers.drop, [dropped, kind, folder], [folder, dropped], **HIDDEN)
    stored.success(handlers.look, folder, shown, **HIDDEN)
    return folder
