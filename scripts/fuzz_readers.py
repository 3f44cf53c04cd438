"""What `scripts.fuzz` tests: for each reader of files, a function that makes valid files, and one that reads a file."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from cyclegan.checkpoints.model_file import load_model, load_model_info, networks_in
from cyclegan.checkpoints.records import save_evaluation
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config, build_config, load_settings, save_config
from cyclegan.data.archives import unpack
from cyclegan.data.download import PartialFile, fetch
from cyclegan.data.installing import CHECKSUMS, install
from cyclegan.data.sets import DataSet
from cyclegan.export import export_reference
from cyclegan.images import Picture, read_picture, write_picture
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.metadata import Metadata
from cyclegan.images.plugins import readable_formats
from cyclegan.inspection.checkpoints import inspect_model, inspect_run
from cyclegan.reference.importing import read_network
from cyclegan.reports import write_report
from cyclegan.training import load_inputs, train_run
from cyclegan.training.build import build_state
from cyclegan.training.continuing import resume
from cyclegan.translation import Translator
from cyclegan.translation.scores import TABLE, Score, write_scores
from cyclegan.translation.targets import Target
from cyclegan.video.animations import map_animation
from cyclegan.video.frames import VideoOptions
from cyclegan.video.videos import map_video
from scripts.untrained_model import write_untrained_model

Read = Callable[[Path], object]
ValidFiles = tuple[list[Path], Read]

MAX_PIXELS = 50_000_000  # as on the page; larger pictures take their time and memory, hostile or not
SMALL_FRAMES = VideoOptions(mark="generated", max_pixels=2**20)  # so do larger frames
TINY = {
    "data": {"size": 32},
    "generator": {"width": 4, "blocks": 1},
    "discriminator": {"width": 4, "layers": 2},
    "training": {"pool_size": 4, "batch_size": 2, "precision": "fp32", "diffaugment": True},
    "machine": {"device": "cpu"},
}
CODECS = {".mp4": ("libx264", "aac"), ".mkv": ("libx264", ""), ".webm": ("libvpx-vp9", ""), ".avi": ("mpeg4", "")}


def pictures(folder: Path) -> ValidFiles:
    """Write pictures of every format, of 8 and of 16 bits."""
    pixels = noise(0, 12, 20, 3)
    exif = Image.Exif()
    exif.update({0x010F: "maker", 0x0112: 6, 0x8769: {0x9286: b"ASCII\0\0\0comment"}})
    metadata = Metadata(exif=exif.tobytes(), xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", dpi=(72, 72))
    files = []
    for suffix in (".jpg", ".png", ".webp", ".tif", ".bmp", ".gif", ".ppm", ".avif", ".heic"):
        if FORMAT_OF[suffix] in readable_formats():
            files.append(folder / f"picture{suffix}")
            write_picture(Picture(pixels, metadata=metadata), files[-1], FORMAT_OF[suffix])
    for suffix in (".png", ".tif"):
        files.append(folder / f"16-bit{suffix}")
        write_picture(Picture(pixels.astype(np.uint16) * 257, mode="RGB;16"), files[-1], FORMAT_OF[suffix])
    files.append(write_animation(folder / "moving.gif"))
    return files, partial(read_picture, max_pixels=MAX_PIXELS)


def animations(folder: Path) -> ValidFiles:
    """Write animations; each is read and written with its frames unchanged."""
    files = [write_animation(folder / f"moving{suffix}") for suffix in (".gif", ".webp", ".png")]
    return files, lambda path: map_animation(path, folder / f"output{path.suffix}", np.copy, SMALL_FRAMES)


def videos(folder: Path) -> ValidFiles:
    """Write videos; each is read and written with its frames unchanged."""
    files = [write_video(folder / f"video{suffix}", *codecs) for suffix, codecs in CODECS.items()]
    return files, lambda path: map_video(path, folder / f"output{path.suffix}", np.copy, SMALL_FRAMES)


def models(folder: Path) -> ValidFiles:
    """Write model files; they are read down to their networks."""

    def read(path: Path) -> None:
        inspect_model(path)
        load_model_info(path)
        networks_in(path)
        Translator(path, device="cpu")

    unet = {"generator": {"architecture": "unet", "depth": 2}}
    files = {"resnet": build_config(TINY), "unet": build_config(TINY, unet)}
    return [write_untrained_model(folder / f"{name}.safetensors", config) for name, config in files.items()], read


def weights(folder: Path) -> ValidFiles:
    """Write weights of the reference, in torch's present file format and in its old one."""
    info, tensors = load_model(write_untrained_model(folder / "model.safetensors", build_config(TINY)))
    export_reference(folder, tensors, info)
    present, old = folder / "latest_net_G_A.pth", folder / "old_net_G_A.pth"
    torch.save(torch.load(present, weights_only=True), old, _use_new_zipfile_serialization=False)
    return [present, old], read_network


def states(folder: Path) -> ValidFiles:
    """Leave the states of a run; they are read until training could continue."""
    trained, config = train_small_run(folder)
    inputs = load_inputs(config, trained)
    state, _ = build_state(inputs)
    return [*trained.states.glob("step-*")], lambda _: resume(state, inputs, lambda _: None)


def settings(folder: Path) -> ValidFiles:
    """Write a settings file."""
    path = folder / "config.toml"
    save_config(build_config(), path)
    return [path], lambda path: build_config(load_settings(path))


def runs(folder: Path) -> ValidFiles:
    """Leave the files of a run that people read; they are read down to the report."""
    trained, _ = train_small_run(folder)
    scores = {"from": "horses", "to": "zebras", "error": 10.0, "unchanged": 40.0, "ratio": 0.25}
    save_evaluation(trained, {"pictures": 3, "directions": [scores]})
    files = [
        *(trained.config, trained.evaluation, trained.metrics),
        *trained.samples.iterdir(),
        *trained.held_out.iterdir(),
    ]

    def read(_: Path) -> None:
        inspect_run(trained)
        write_report(trained)

    return files, read


def archives(folder: Path) -> ValidFiles:
    """Write the archive of a data set."""
    path, unpacked = write_archive(folder / "set.zip"), folder / "unpacked"

    def read(path: Path) -> None:
        try:
            unpack(path, unpacked)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)

    return [path], read


def checksums(folder: Path) -> ValidFiles:
    """Install a data set, which records its checksum; the record is read when it is installed again."""
    archive, home, data_set = write_archive(folder / "set.zip"), folder / "sets", DataSet(name="set")
    install(data_set, home, source=str(archive))

    def read(_: Path) -> None:
        shutil.rmtree(home / "set", ignore_errors=True)
        install(data_set, home, source=str(archive))

    return [home / CHECKSUMS], read


def downloads(folder: Path) -> ValidFiles:
    """Write the record of an interrupted download, which would continue from an address that does not exist."""
    url, path, record = "nowhere://example.org/set.zip", folder / "set.zip", folder / "set.zip.json"
    path.write_bytes(bytes(100))
    record.write_text(json.dumps(asdict(PartialFile(url, total=100, etag='"1"', modified=""))), encoding="utf-8")
    return [record], lambda _: fetch([url], path)


def tables(folder: Path) -> ValidFiles:
    """Write a table of scores, to which a line is added."""
    target = Target(folder / "1.png", folder / "out" / "1.png", folder / "out")
    write_scores({target: Score(realism=0.5, cycle_error=10.0)})
    return [folder / "out" / TABLE], lambda _: write_scores({target: Score(realism=0.6, cycle_error=9.0)})


READERS: dict[str, Callable[[Path], ValidFiles]] = {
    make.__name__: make
    for make in (
        pictures, animations, videos, models, weights, states, settings, runs, archives, checksums, downloads, tables
    )
}  # fmt: skip


def noise(seed: int, *shape: int) -> np.ndarray:
    """Return random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_animation(path: Path) -> Path:
    """Write an animation of three frames."""
    first, *others = (Image.fromarray(frame).convert("P") for frame in noise(0, 3, 12, 20, 3))
    first.save(path, save_all=True, append_images=others, duration=40, loop=0)
    return path


def write_video(path: Path, codec: str, audio_codec: str) -> Path:
    """Write a video of three frames, with silence where there is an audio codec."""
    with av.open(path, "w") as container:
        video = container.add_stream(codec, rate=25, width=32, height=32, pix_fmt="yuv420p")
        audio = container.add_stream(audio_codec, rate=48000, layout="mono") if audio_codec else None
        for pixels in noise(0, 3, 32, 32, 3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(video.encode())
        if audio:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
            silence.rate = 48000
            container.mux([*audio.encode(silence), *audio.encode()])
    return path


def write_archive(path: Path) -> Path:
    """Write the archive of a data set with one picture in each folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(("trainA", "trainB", "testA", "testB")):
            with archive.open(f"set/{name}/0.png", "w") as file:
                Image.fromarray(noise(number, 24, 24, 3)).save(file, "PNG")
    return path


def train_small_run(folder: Path) -> tuple[Run, Config]:
    """Train four steps with validation."""
    domains = folder / "horses", folder / "zebras"
    for seed, domain in enumerate(domains):
        domain.mkdir()
        for number, pixels in enumerate(noise(seed, 6, 40, 40, 3)):
            Image.fromarray(pixels).save(domain / f"{number}.png")
    run_settings = {
        "data": {"folder_a": str(domains[0]), "folder_b": str(domains[1]), "validate": 0.4},
        "schedule": {"max_steps": 4},
        "logging": {"every": 4, "samples_every": 4, "samples": 2, "validate_every": 4},
    }
    config = build_config(TINY, run_settings)
    return train_run(config, folder / "run").run, config
