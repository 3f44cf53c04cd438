"""A watched folder's pictures are translated as they come."""

from pathlib import Path

from PIL import Image

from cyclegan import Translator
from cyclegan.errors import CycleganError
from cyclegan.translation import Manner, TrainResult, Work, plan_tasks, watch
from tests.models_for_tests import write_model


def test_pictures_are_translated_once_they_are_whole(tmp_path: Path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    translator = Translator(write_model(tmp_path / "m.safetensors"), device="cpu")
    outcomes: list[TrainResult] = []
    looks: list[float] = []
    troubles: list[CycleganError] = []

    def visitor(pause: float) -> None:
        """Do, between two looks, what somebody else does to the folder."""
        looks.append(pause)
        match len(looks):
            case 1:
                Image.new("RGB", (20, 12)).save(folder / "early.png")
            case 3:
                (folder / "slow.png").write_bytes(b"\x89PNG half of")
            case 4:
                Image.new("RGB", (20, 12)).save(folder / "slow.png")
            case 7:
                (folder / "broken.png").write_text("no picture")
            case 11:
                Image.new("RGB", (20, 12)).save(folder / "early.jpg")
            case 13:
                (folder / "early.jpg").unlink()
            case 10:
                Image.new("RGB", (20, 12)).save(folder / "broken.png")

    work = Work(translator, Manner(), interrupted=lambda: len(looks) > 16)
    watch(
        lambda: plan_tasks([folder], "zebras", image_format="png", watched=True),
        work,
        outcomes.append,
        on_trouble=troubles.append,
        sleep=visitor,
    )
    assert [[task.source.name for task in outcome.done] for outcome in outcomes] == [
        ["early.png"],
        ["slow.png"],
        [],
        ["broken.png"],
    ]
    assert [("early.jpg" in str(error)) for error in troubles] == [True]
    assert ["broken.png" in str(error) for outcome in outcomes for error in outcome.failed] == [True]
