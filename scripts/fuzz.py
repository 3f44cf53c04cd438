"""Feed damaged and hostile files to everything that reads files; run from the repository's root.

    python -m scripts.fuzz [READER]… [--inputs 25000] [--seed 0] [--finds DIR]

Every input is a valid file that was cut, spliced, or given flipped bits, huge lengths or words that no reader expects;
half of the time behind a checksum or a length, which is put right again. A reader may succeed or raise a
`CycleganError`. Anything else is a find, as are 5 s of arithmetic or 1 GiB more memory; its input is kept. Each reader
has a process of its own: one that crashes, or hangs for half a minute, leaves Python's account of where it was, and
its input.
"""

import argparse
import faulthandler
import json
import multiprocessing
import random
import re
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cyclegan.checkpoints.model_file import load_model_info, networks_in
from cyclegan.checkpoints.runs import Run, save_evaluation
from cyclegan.config import build_config, load_settings, save_config
from cyclegan.data.archives import unpack
from cyclegan.data.download import Source, fetch
from cyclegan.data.installing import CHECKSUMS, install
from cyclegan.data.sets import DataSet
from cyclegan.errors import CycleganError
from cyclegan.images import Picture, read_picture, write_picture
from cyclegan.images.files import formats
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.metadata import Metadata
from cyclegan.inspection.checkpoints import inspect_model, inspect_run
from cyclegan.reference.importing import read_network
from cyclegan.reports import write_report
from cyclegan.training import prepare
from cyclegan.training.build import build_state
from cyclegan.training.loop import continue_from_state
from cyclegan.translation import Translator
from cyclegan.translation.scores import TABLE, Score, write_scores
from cyclegan.translation.targets import Target
from cyclegan.video.animations import map_animation
from cyclegan.video.frames import VideoOptions
from cyclegan.video.videos import map_video
from tests.models_for_tests import write_model
from tests.pth_files import save_game
from tests.support.zips import zipped_set
from tests.training.runs_for_tests import play_run, tiny_settings
from tests.translation.clips_for_tests import Recipe, make_clip

say = partial(print, flush=True)
Read = Callable[[Path], object]
Made = tuple[list[Path], Read]  # valid files, and what reads one of them

SECONDS, MEBIBYTES = 5.0, 1024.0  # that no input may take
HANGING = 30.0  # seconds, after which nobody waits for an answer
MOST_PIXELS = 50_000_000  # as on the page; larger pictures take their time and memory, hostile or not
SMALL_FRAMES = VideoOptions(mark="generated", max_pixels=2**20)  # so do larger frames
WORDS = (
    b"0", b"-1", b"1024", b"99999999999", b"1e999", b"NaN", b"null", b"true", b'""', b'"\\ud800"', b"[]", b"{}",
    b"[" * 3000, b"9" * 5000, b"../../x", b"/etc/passwd", b"\x1b[2J", b"<script>", b"\xff\xfe", b"\0", b"\n",
)  # fmt: skip
LENGTHS = tuple(
    struct.pack(order + kind, number)
    for order in "<>"
    for kind, bits in (("H", 16), ("I", 32), ("Q", 64))
    for number in (0, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1)
)


@dataclass
class RunningMeans:
    """How one reader fared."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0  # of the slowest input
    mebibytes: float = 0.0  # of the largest
    finds: dict[str, Path] = field(default_factory=dict)  # what went wrong -> the first input with which it did


# ---- inputs


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a valid file made hostile."""
    mutate = chance.choice((behind_a_guard, worsened))
    return mutate(data, chance)


def worsened(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with one to three things done to them."""
    for _ in range(chance.randint(1, 3)):
        data = chance.choice((flipped, cut, spliced, lengthened, reworded))(data, chance)
    return data


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Flip a few bits."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 8) if data else 0):
        result[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(result)


def cut(data: bytes, chance: random.Random) -> bytes:
    """Leave the beginning."""
    return data[: chance.randint(0, len(data))]


def spliced(data: bytes, chance: random.Random) -> bytes:
    """Join the beginning to an end, so that something between is missing or there twice."""
    return data[: chance.randint(0, len(data))] + data[chance.randint(0, len(data)) :]


def lengthened(data: bytes, chance: random.Random) -> bytes:
    """Write an extreme number over a few bytes, most often near the beginning."""
    number = chance.choice(LENGTHS)
    place = chance.randint(0, min(len(data), chance.choice((16, 64, 256, 2**30))))
    return data[:place] + number + data[place + len(number) :]


def reworded(data: bytes, chance: random.Random) -> bytes:
    """Put another word in the place of one."""
    start = chance.choice((0, chance.randint(0, len(data))))
    words = list(re.finditer(rb'"[^"]*"|[\w.+-]+', data[start : start + 2000]))
    if not words:
        return data
    word = chance.choice(words)
    return data[: start + word.start()] + chance.choice(WORDS) + data[start + word.end() :]


def behind_a_guard(data: bytes, chance: random.Random) -> bytes:
    """Worsen what lies behind a checksum or a length, and put that right; of other files, anything."""
    if data.startswith(b"\x89PNG"):
        return _with_worse_chunk(data, chance)
    if zipfile.is_zipfile(BytesIO(data)):
        return _with_worse_entry(data, chance)
    length = int.from_bytes(data[:8], "little")
    if length < len(data):  # safetensors
        header = worsened(data[8 : 8 + length], chance)
        return struct.pack("<Q", len(header)) + header + data[8 + length :]
    return worsened(data, chance)


def _with_worse_chunk(png: bytes, chance: random.Random) -> bytes:
    chunks, place = [], 8
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        chunks.append(png[place + 4 : place + 8 + length])
        place += 12 + length
    number = chance.randrange(len(chunks))
    chunks[number] = chunks[number][:4] + worsened(chunks[number][4:], chance)
    return png[:8] + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def _with_worse_entry(archive: bytes, chance: random.Random) -> bytes:
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        entries = [(entry.filename, opened.read(entry)) for entry in opened.infolist()]
    number = chance.randrange(len(entries))
    name, content = entries[number]
    if chance.random() < 0.3:
        name = worsened(name.encode(), chance).decode(errors="replace")
    else:
        content = worsened(content, chance)
    entries[number] = (name.partition("\0")[0] or "empty", content)
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression=chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as opened:
        for name, content in entries:
            opened.writestr(name[:1000], content)
    return file.getvalue()


# ---- readers


def pictures(folder: Path) -> Made:
    """Draw pictures of every format, of 8 and of 16 bits."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif.update({0x010F: "maker", 0x0112: 6, 0x8769: {0x9286: b"ASCII\0\0\0comment"}})
    metadata = Metadata(exif=exif.tobytes(), xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", dpi=(72, 72))
    files = []
    for suffix in (".jpg", ".png", ".webp", ".tif", ".bmp", ".gif", ".ppm", ".avif", ".heic"):
        if FORMAT_OF[suffix] in formats():
            files.append(folder / f"picture{suffix}")
            write_picture(Picture(noise, metadata=metadata), files[-1], FORMAT_OF[suffix])
    for suffix in (".png", ".tif"):
        files.append(folder / f"deep{suffix}")
        write_picture(Picture(noise.astype(np.uint16) * 257, mode="RGB;16"), files[-1], FORMAT_OF[suffix])
    files.append(animated(folder / "moving.gif"))
    return files, partial(read_picture, max_pixels=MOST_PIXELS)


def animations(folder: Path) -> Made:
    """Make pictures that move, whose frames are redrawn as they are."""
    files = [animated(folder / f"moving{suffix}") for suffix in (".gif", ".webp", ".png")]
    return files, lambda path: map_animation(path, folder / f"redrawn{path.suffix}", np.copy, SMALL_FRAMES)


def clips(folder: Path) -> Made:
    """Make clips, whose frames are redrawn as they are."""
    small = Recipe(size=(32, 32), clock=Fraction(1, 25), times=range(3), last=1, options={})
    codecs = {".mp4": ("libx264", "aac"), ".mkv": ("libx264", ""), ".webm": ("libvpx-vp9", ""), ".avi": ("mpeg4", "")}
    files = [
        make_clip(folder / f"clip{suffix}", replace(small, codec=codec, sound=sound))
        for suffix, (codec, sound) in codecs.items()
    ]
    return files, lambda path: map_video(path, folder / f"redrawn{path.suffix}", np.copy, SMALL_FRAMES)


def models(folder: Path) -> Made:
    """Make model files, which are read down to the networks in them."""

    def read(path: Path) -> None:
        inspect_model(path)
        load_model_info(path)
        networks_in(path)
        Translator(path, device="cpu")

    kinds = ({"architecture": "resnet"}, {"architecture": "unet", "depth": 2})
    return [write_model(folder / f"{kind['architecture']}.safetensors", **kind) for kind in kinds], read


def weights(folder: Path) -> Made:
    """Make weights of the reference, in torch's file of today and in that of old."""
    save_game(folder)
    today = folder / "latest_net_G_A.pth"
    old = folder / "old_net_G_A.pth"
    torch.save(torch.load(today, weights_only=True), old, _use_new_zipfile_serialization=False)
    return [today, old], read_network


def states(folder: Path) -> Made:
    """Leave states, which are read down to a game that goes on from one."""
    run, pictures = small_run(folder)
    plan = prepare(build_config(*tiny_settings(pictures, 4)), run, scratch=folder)
    session = build_state(plan, engine(plan))
    return [*run.states.glob("step-*")], lambda _: continue_from_state(session, plan)


def settings(folder: Path) -> Made:
    """Make settings."""
    path = folder / "config.toml"
    save_config(build_config(), path)
    return [path], lambda path: build_config(load_settings(path))


def runs(folder: Path) -> Made:
    """Leave all that a run writes for people, which is read down to its report."""
    run, _ = small_run(folder)
    way = {"from": "horses", "to": "zebras", "error": 10.0, "unchanged": 40.0, "ratio": 0.25}
    save_evaluation(run, {"pictures": 3, "directions": [way]})
    files = [run.config, run.evaluation, run.metrics, *run.samples.iterdir(), *run.held_out.iterdir()]

    def read(_: Path) -> None:
        inspect_run(run)
        write_report(run)

    return files, read


def archives(folder: Path) -> Made:
    """Make archives of a data set."""
    path, unpacked = folder / "set.zip", folder / "unpacked"
    path.write_bytes(zipped_set(each=1))

    def read(path: Path) -> None:
        try:
            unpack(path, unpacked)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)

    return [path], read


def sums(folder: Path) -> Made:
    """Note the sum of an archive, which is compared before it is unpacked again."""
    archive, home = folder / "set.zip", folder / "sets"
    archive.write_bytes(zipped_set(each=1))
    data_set = DataSet(name="set")
    install(data_set, home, source=str(archive))

    def read(_: Path) -> None:
        shutil.rmtree(home / "set", ignore_errors=True)
        install(data_set, home, source=str(archive))

    return [home / CHECKSUMS], read


def downloads(folder: Path) -> Made:
    """Note what a download that broke off came from; it would be continued from where nothing can be."""
    url, path, notes = "nowhere://example.org/set.zip", folder / "set.zip", folder / "set.zip.json"
    path.write_bytes(bytes(100))
    notes.write_text(json.dumps(asdict(Source(url, total=100, etag='"1"', modified=""))), encoding="utf-8")
    return [notes], lambda _: fetch([url], path)


def tables(folder: Path) -> Made:
    """Make a table of scores, to which a line is added."""
    target = Target(folder / "1.png", folder / "out" / "1.png", folder / "out")
    write_scores({target: Score(realism=0.5, cycle_error=10.0)})
    return [folder / "out" / TABLE], lambda _: write_scores({target: Score(realism=0.6, cycle_error=9.0)})


READERS = {
    make.__name__: make
    for make in (
        pictures, animations, clips, models, weights, states, settings, runs, archives, sums, downloads, tables
    )
}  # fmt: skip


def animated(path: Path) -> Path:
    """Make a picture of three frames."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 12, 20, 3), dtype=np.uint8)
    first, *others = (Image.fromarray(frame).convert("P") for frame in noise)
    first.save(path, save_all=True, append_images=others, duration=40, loop=0)
    return path


def small_run(folder: Path) -> tuple[Run, tuple[Path, Path]]:
    """Train a tiny run with validation; return it and the folders of its pictures."""
    places = folder / "horses", folder / "zebras"
    for seed, place in enumerate(places):
        place.mkdir()
        for number, pixels in enumerate(np.random.default_rng(seed).integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)):
            Image.fromarray(pixels).save(place / f"{number}.png")
    run = Run(folder / "run")
    play_run(run, places, 4, {"data": {"validate": 0.4}, "logging": {"validate_every": 4}})
    return run, places


# ---- the hunt


def hunt(name: str, inputs: int, seed: int, finds: Path) -> RunningMeans:
    """Feed a reader so many inputs, which follow from the seed alone."""
    tally, chance = RunningMeans(), random.Random(f"{name} {seed}")
    torch.set_num_threads(1)
    finds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files, read = READERS[name](Path(folder))
        valid = {path: path.read_bytes() for path in files}
        for _ in range(inputs):
            path = chance.choice(files)
            data = mutated(valid[path], chance)
            path.write_bytes(data)
            last = finds / f"{name}-last{path.suffix}"
            last.write_bytes(data)
            for reason in feed(read, path, tally):
                kept = finds / f"{name}-{len(tally.finds)}{path.suffix}"
                if tally.finds.setdefault(reason, kept) is kept:
                    kept.write_bytes(data)
            last.unlink()
            for changed, content in valid.items():
                changed.write_bytes(content)
    return tally


def feed(read: Read, path: Path, tally: RunningMeans) -> list[str]:
    """Read one input, count it, and return what went wrong."""
    wrong = []
    faulthandler.dump_traceback_later(HANGING, exit=True)
    before, started = memory("VmRSS", reset=True), time.process_time()
    try:
        read(path)
        tally.accepted += 1
    except CycleganError:
        tally.skipped += 1
    except Exception as error:
        ours = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "cyclegan" in Path(frame.filename).parts
        ]
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        wrong.append(f"{type(error).__name__} at {where}")
    seconds, mebibytes = time.process_time() - started, memory("VmHWM") - before
    faulthandler.cancel_dump_traceback_later()
    wrong += ["too slow"] if seconds > SECONDS else []
    wrong += ["too much memory"] if mebibytes > MEBIBYTES else []
    tally.seconds, tally.mebibytes = max(tally.seconds, seconds), max(tally.mebibytes, mebibytes)
    return wrong


def memory(line: str, *, reset: bool = False) -> float:
    """Return this process's memory as Linux counts it, in MiB; `reset` makes its peak what it is now."""
    with suppress(OSError):
        if reset:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        found = re.search(
            rf"{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        )
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def main() -> int:
    """Hunt in every reader and print what came of it."""
    parser = argparse.ArgumentParser(description="Feed damaged and hostile files to everything that reads files.")
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], metavar="READER")
    parser.add_argument("--inputs", type=int, default=25_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finds", type=Path, default=Path("finds"), help="where inputs are kept")
    arguments = parser.parse_args()
    say(f"{'reader':<10} {'inputs':>8} {'accepted':>9} {'refused':>8} {'finds':>6} {'worst s':>8} {'worst MiB':>10}")
    found = False
    for name in arguments.readers or READERS:
        try:
            with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
                tally = pool.submit(hunt, name, arguments.inputs, arguments.seed, arguments.finds).result()
        except BrokenProcessPool:
            say(f"{name:<10} its process died; the input is the last in {arguments.finds}")
            found = True
            continue
        say(
            f"{name:<10} {arguments.inputs:>8} {tally.accepted:>9} {tally.skipped:>8} {len(tally.finds):>6} "
            f"{tally.seconds:>8.2f} {tally.mebibytes:>10.0f}",
        )
        for reason, path in tally.finds.items():
            say(f"    {reason}: {path}")
        found = found or bool(tally.finds)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
