"""Problems of pictures, models and machines are found, and nothing else."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan.checkpoints.records import append_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.errors import CycleganError
from cyclegan.inspection import Finding, FolderReport, classify, inspect_targets
from cyclegan.inspection.checkpoints import inspect_model, read_safetensors_header
from cyclegan.inspection.data_folders import epochs_advice, size_advice
from tests.support.models import write_model
from tests.support.runs import train_run
from tests.support.states import LOSSES_WITHOUT_TEACHER

SHARED = Path(__file__).parents[3] / "shared" / "horse2zebra"


def drawing(seed: int, width: int = 80, height: int = 64) -> Image.Image:
    """Return a picture that resembles no other of another seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """Return a folder of the paper's layout with which nothing is wrong but that it is small."""
    for number, (name, count) in enumerate({"trainA": 12, "trainB": 10, "testA": 3, "testB": 3}.items()):
        (tmp_path / "data" / name).mkdir(parents=True)
        for place in range(count):
            drawing(100 * number + place).save(tmp_path / "data" / name / f"{place}.png")
    return tmp_path / "data"


def inspect_pictures(*folders: Path, size: int = 64) -> FolderReport:
    report = inspect_targets(classify(folders), size=size).folders
    assert report is not None
    return report


def findings_in(*folders: Path, size: int = 64) -> dict[str, Finding]:
    """Return the findings by kind, without `few`, which every test has."""
    return {
        finding.kind: finding for finding in inspect_pictures(*folders, size=size).findings if finding.kind != "few"
    }


def names(finding: Finding) -> set[str]:
    return {Path(file).name for group in finding.files for file in group}


def test_healthy_folders_have_no_findings(healthy):
    report = inspect_pictures(healthy)
    assert {finding.kind for finding in report.findings} == {"few"}
    assert [(Path(folder.folder).name, folder.domain, folder.split, folder.pictures) for folder in report.folders] == [
        ("trainA", "A", "train", 12),
        ("trainB", "B", "train", 10),
        ("testA", "A", "test", 3),
        ("testB", "B", "test", 3),
    ]
    assert (report.folders[0].short_side, report.folders[0].modes, report.folders[0].grey) == (
        (64, 64, 64),
        {"RGB": 12},
        0,
    )


def test_grey_pictures_are_found_in_any_mode(healthy):
    drawing(1000).convert("L").save(healthy / "trainB" / "stored grey.png")
    drawing(1001).convert("L").convert("RGB").save(healthy / "trainB" / "grey as colour.jpg", quality=50)
    drawing(1002).convert("L").convert("RGB").save(healthy / "trainB" / "grey as colour.webp", quality=50)
    grey = findings_in(healthy)["grey among colour"]
    assert names(grey) == {"stored grey.png", "grey as colour.jpg", "grey as colour.webp"}
    assert "1 stored in grey, 2 as colour" in grey.message
    assert Path(grey.files[0][0]).name == "stored grey.png"


def test_a_grey_domain_gets_a_suggestion(tmp_path):
    for place in range(5):
        (tmp_path / "scans").mkdir(exist_ok=True)
        drawing(place).convert("L").save(tmp_path / "scans" / f"{place}.png")
    grey = findings_in(tmp_path / "scans")
    assert set(grey) == {"grey domain"}
    assert "data.channels_a=1" in grey["grey domain"].suggestion


def test_resaved_resized_and_mirrored_copies_are_duplicates(healthy):
    train = healthy / "trainA"
    (train / "again.png").write_bytes((train / "0.png").read_bytes())
    drawing(1).resize((150, 120), Image.Resampling.LANCZOS).save(train / "larger.jpg", quality=60)
    drawing(2).resize((40, 32)).save(train / "smaller.webp")
    drawing(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(train / "mirrored.jpg")
    turned = Image.Exif()
    turned[0x112] = 6
    drawing(4).transpose(Image.Transpose.ROTATE_90).save(train / "turned.jpg", exif=turned)
    exact, near = findings_in(healthy)["exact duplicates"], findings_in(healthy)["near duplicates"]
    assert [{Path(file).name for file in group} for group in exact.files] == [{"0.png", "again.png"}]
    assert {frozenset(Path(file).name for file in group) for group in near.files} == {
        frozenset({"1.png", "larger.jpg"}),
        frozenset({"2.png", "smaller.webp"}),
        frozenset({"3.png", "mirrored.jpg"}),
        frozenset({"4.png", "turned.jpg"}),
    }
    assert sum("(mirrored)" in line for line in near.details) == 1


def test_duplicates_across_domains_and_splits_are_distinguished(healthy):
    drawing(0).save(healthy / "trainB" / "a horse.jpg")
    drawing(1).save(healthy / "testA" / "seen before.jpg", quality=70)
    findings = findings_in(healthy)
    assert names(findings["in both domains"]) == {"0.png", "a horse.jpg"}
    assert names(findings["in training and test"]) == {"1.png", "seen before.jpg"}
    assert set(findings) == {"in both domains", "in training and test"}


def test_many_copies_are_one_group(healthy):
    for quality in range(40, 90, 10):
        drawing(0).save(healthy / "trainA" / f"q{quality}.jpg", quality=quality)
    assert [len(group) for group in findings_in(healthy)["near duplicates"].files] == [6]


def test_flat_pictures_are_no_duplicates(healthy):
    for level in range(4):
        Image.new("RGB", (80, 64), (level * 60, 200, 0)).save(healthy / "trainA" / f"flat {level}.png")
    findings = findings_in(healthy)
    assert set(findings) == {"flat"}
    assert len(findings["flat"].files) == 4


def test_damaged_files_are_named_with_the_reason(healthy):
    whole = (healthy / "trainA" / "0.png").read_bytes()
    (healthy / "trainA" / "cut.png").write_bytes(whole[: len(whole) // 2])
    drawing(50, 300, 300).save(healthy / "trainA" / "cut.jpg")
    (healthy / "trainA" / "cut.jpg").write_bytes((healthy / "trainA" / "cut.jpg").read_bytes()[:3000])
    (healthy / "trainA" / "empty.jpg").touch()
    (healthy / "trainA" / "text.webp").write_text("once upon a time")
    report = inspect_pictures(healthy)
    bad = next(finding for finding in report.findings if finding.kind == "unreadable")
    assert names(bad) == {"cut.png", "cut.jpg", "empty.jpg", "text.webp"}
    assert any("empty.jpg is empty" in line for line in bad.details)
    assert (report.folders[0].pictures, report.folders[0].unreadable) == (12, 4)


def test_a_folder_of_damaged_files_only_is_a_finding(healthy):
    for path in (healthy / "trainA").iterdir():
        path.write_bytes(b"")
    assert len(findings_in(healthy)["unreadable"].files) == 12


def test_pictures_smaller_than_the_size_are_found(healthy):
    drawing(70, 90, 60).save(healthy / "trainA" / "small.png")
    assert names(findings_in(healthy)["too small"]) == {"small.png"}
    assert "too small" not in findings_in(healthy, size=60)


def test_imbalance_is_found(healthy):
    for place in range(2, 10):
        (healthy / "trainB" / f"{place}.png").unlink()
    assert "6 times as many pictures as trainB" in findings_in(healthy)["imbalance"].message


def test_unsuitable_pictures_are_found(healthy):
    train = healthy / "trainA"
    drawing(80, 400, 100).save(train / "long.png")
    drawing(81).save(train / "moves.gif", save_all=True, append_images=[drawing(82), drawing(83)])
    transparent = drawing(84).convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(transparent.size))
    transparent.save(train / "glass.png")
    drawing(85).convert("RGBA").save(train / "opaque.png")
    deep = np.asarray(drawing(86).convert("L")).astype(np.uint16)
    Image.fromarray(deep * 16).save(train / "twelve bits.png")
    Image.fromarray(deep[::-1] * 257).save(train / "sixteen bits.png")
    findings = findings_in(healthy)
    kinds = ("very long", "several frames", "transparency", "dim")
    assert [names(findings[kind]) for kind in kinds] == [
        {"long.png"},
        {"moves.gif"},
        {"glass.png"},
        {"twelve bits.png"},
    ]
    assert inspect_pictures(healthy).folders[0].sixteen_bit == 2


def test_every_finding_has_a_message_and_a_suggestion(healthy):
    test_unsuitable_pictures_are_found(healthy)
    for finding in inspect_pictures(healthy, size=512).findings:
        assert finding.message.endswith((".", "network."))
        assert finding.suggestion.endswith(".")
        assert len(finding.details) == len(finding.files)


def test_two_folders_are_two_domains(folders):
    report = inspect_pictures(*folders)
    assert [folder.split for folder in report.folders] == ["train", "train"]
    assert len({folder.domain for folder in report.folders}) == 2


def test_pictures_of_any_shape_are_inspected(tmp_path):
    for width, height in ((1, 1), (20_000, 1), (3, 5_000)):
        Image.effect_noise((width, height), 90).save(tmp_path / f"{width}x{height}.png")
    assert inspect_pictures(tmp_path).folders[0].pictures == 3


def test_the_advised_size_enlarges_few_pictures():
    assert size_advice([300] * 100).options == "--size 256"
    assert size_advice([100] * 20 + [300] * 80).options == "--size 96"
    assert "512 is possible too, and takes 4 times as long" in size_advice([520] * 100).reason


@pytest.mark.parametrize(("samples", "epochs"), [(1_100, 200), (1_334, 200), (100, 400), (10_000, 20), (3_000, 80)])
def test_the_advised_epochs_draw_as_many_samples_as_the_paper(samples, epochs):
    assert epochs_advice(samples).options == f"--epochs {epochs // 2} --decay-epochs {epochs // 2}"


def test_the_small_preset_is_advised_for_few_pictures():
    assert epochs_advice(99).options == "--preset small"


def test_a_model_is_described_from_its_header_alone(tmp_path):
    model = write_model(tmp_path / "m.safetensors", data={"channels_a": 1}, steps=1234)
    report = inspect_model(model)
    assert (report.info.steps, report.info.channels_a, report.directions) == (1234, 1, ["a2b", "b2a"])
    assert set(report.parameters) == {"a2b", "b2a", "disc_a", "disc_b"}
    assert report.findings == []
    header = 8 + int.from_bytes(model.read_bytes()[:8], "little")
    model.write_bytes(model.read_bytes()[: header + 100])
    cut = inspect_model(model)
    assert cut.info == report.info
    assert [finding.kind for finding in cut.findings] == ["damaged file"]
    model.write_bytes(model.read_bytes()[: header - 50])
    with pytest.raises(CycleganError, match="truncated within its header"):
        inspect_model(model)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 20,
        (2).to_bytes(8, "little") + b"[]",
        (30).to_bytes(8, "little") + b'{"a":{"shape":[1]}}'.ljust(30),
    ],
)
def test_files_that_are_no_models_are_errors(tmp_path, content):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(CycleganError):
        inspect_model(tmp_path / "m.safetensors")


def test_a_model_with_invalid_steps_is_an_error(tmp_path):
    with pytest.raises(CycleganError, match="its steps is not a whole number"):
        inspect_model(write_model(tmp_path / "m.safetensors", steps="many"))


def test_the_header_tells_the_size_of_the_file(tmp_path):
    header = read_safetensors_header(write_model(tmp_path / "m.safetensors"))
    assert header.expected_bytes == header.actual_bytes


def test_a_run_reports_its_progress(tmp_path, folders):
    run = Run(tmp_path / "run")
    train_run(run, folders, 8)
    report = inspect_targets(classify([run.folder])).runs[0]
    assert (report.step, report.max_steps, report.epochs, report.domain_a) == (8, 8, 22, "horses")
    assert report.settings["generator.width"] == 4
    assert "data.folder_a" not in report.settings
    assert report.losses.keys() == set(LOSSES_WITHOUT_TEACHER)
    assert report.models[0].info.steps == 8
    assert (report.verdict, report.findings) == ("fine", [])

    state = run.states / report.states[0]
    state.write_bytes(state.read_bytes()[:-10])
    run.model.unlink()
    (folders[0]).rename(tmp_path / "elsewhere")
    kinds = {finding.kind for finding in inspect_targets(classify([run.folder])).runs[0].findings}
    assert kinds == {"damaged file", "no model", "no pictures"}


def test_the_latest_diagnosis_is_among_the_findings(tmp_path, folders):
    run = Run(tmp_path / "run")
    train_run(run, folders, 8)
    finding = {
        "name": "copying",
        "about": "a2b",
        "verdict": "watch",
        "reason": "a2b copies\x1b[0m.",
        "suggestion": "Lower it.",
    }
    append_metrics(run, {"step": 9, "health": {"verdict": "watch", "findings": [finding, "damaged"]}})
    report = inspect_targets(classify([run.folder])).runs[0]
    assert report.verdict == "watch"
    assert report.findings == [Finding("copying", "watch: a2b copies\\x1b[0m.", "Lower it.")]


def test_the_machine_is_described():
    machine = inspect_targets(classify([])).machine
    assert machine is not None
    assert machine.devices[-1].name == "cpu"
    assert {"python", "torch", "torchvision", "pillow", "cyclegan"} <= machine.versions.keys()
    json.dumps(dataclasses.asdict(machine))


def test_a_gpu_comes_first(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Turing 24")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=24 * 2**30))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (20 * 2**30, 24 * 2**30))
    machine = inspect_targets(classify([])).machine
    assert machine is not None
    assert [device.name for device in machine.devices] == ["cuda:0", "cpu"]
    assert (machine.devices[0].precision, machine.devices[0].free) == ("fp32", 20 * 2**30)
    assert "no accelerator" not in {finding.kind for finding in machine.findings}


@pytest.mark.skipif(not SHARED.is_dir(), reason="horse2zebra is not here")
def test_the_seven_greyscale_zebras_are_found(tmp_path):
    zebras = {f"n02391049_{number}.jpg" for number in (226, 2341, 2361, 2757, 7503, 8008, 9726)}
    findings = sorted(path.name for path in (SHARED / "trainB").iterdir())
    for name in zebras | set(findings[::20]):
        (tmp_path / name).symlink_to(SHARED / "trainB" / name)
    grey = findings_in(tmp_path)["grey among colour"]
    assert "7 stored in grey" in grey.message
    assert {Path(group[0]).name for group in grey.files[:7]} == zebras
