"""Measure the translation of folders; run from the repository's root.

    python -m scripts.benchmark_translation [--photos 20] [--small 40] [--turns 3] [--device auto] [--json FILE]

Two folders are drawn: photographs of 1024 x 768 and pictures of 256 x 256, all JPEG. Each turn measures, one after the
other in one process:

- photographs: `translate_targets`, as `cyclegan translate` does it, against the network's own time, the same generator
  on the same pictures with nothing read or written;
- small pictures: `translate_targets` against the plain loop: fp32, torch's own instance norm, NCHW; one picture at a
  time is decoded, translated and encoded.

Medians are compared. `--model` takes a trained one; without it a new one of the default architecture is measured.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cyclegan import Translator
from cyclegan.config import build_config, preset
from cyclegan.data.synthetic import draw_pair
from cyclegan.devices import describe_device
from cyclegan.images import read_picture
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from scripts.benchmark_training import seconds
from scripts.plain_step import plain_networks
from scripts.untrained_model import write_untrained_model


def draw_folder(folder: Path, count: int, width: int, height: int) -> Path:
    """Draw JPEG pictures."""
    folder.mkdir()
    for number in range(count):
        scene, _ = draw_pair(seed=0, index=number, side=256)
        scene.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number:04}.jpg", quality=92)
    return folder


def plain_loop(folder: Path, output: Path, network: torch.nn.Module, device: torch.device) -> None:
    """Translate a folder one picture at a time, in fp32."""
    output.mkdir(exist_ok=True)
    for path in sorted(folder.iterdir()):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().div(127.5).sub(1).to(device)
        with torch.no_grad():
            translated = network(image)[0].add(1).mul(127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        Image.fromarray(translated).save(output / path.name, quality=92)


def measure(folder: Path, translator: Translator, *, photos: int, small: int, turns: int) -> dict[str, object]:
    """Measure everything in turns and return the figures."""
    work = TranslateJob(translator, TranslateOptions(overwrite=True))
    large_folder = draw_folder(folder / "photos", photos, 1024, 768)
    small_folder = draw_folder(folder / "small", small, 256, 256)
    config = build_config(preset("default"), {"generator": {"width": translator.info.generator.width}})
    plain = plain_networks(config, translator.device).a2b.eval()
    decoded = [read_picture(path).pixels for path in sorted(large_folder.iterdir())]

    def translated(source: Path) -> Callable[[], object]:
        targets = plan_targets([source], "b", output=folder / f"{source.name}_ours")
        return lambda: translate_targets(targets, work)

    versions: dict[str, Callable[[], object]] = {
        "photos_network": lambda: [translator.translate_pixels([pixels]) for pixels in decoded],
        "photos_folder": translated(large_folder),
        "small_plain": lambda: plain_loop(small_folder, folder / "small_plain", plain, translator.device),
        "small_folder": translated(small_folder),
    }
    times: dict[str, list[float]] = {name: [] for name in versions}
    translator.translate_pixels(decoded[:1])  # warms up
    for _ in range(turns):
        for name, version in versions.items():
            times[name].append(seconds(version, translator.device))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "device": describe_device(translator.device),
        "torch": torch.__version__,
        "precision": str(translator.dtype).removeprefix("torch."),
        "width": translator.info.generator.width,
        "turns": turns,
        "photos": photos,
        "photos_network_s": round(medians["photos_network"], 2),
        "photos_folder_s": round(medians["photos_folder"], 2),
        "photos_ratio": round(medians["photos_folder"] / medians["photos_network"], 3),
        "small": small,
        "small_plain_per_s": round(small / medians["small_plain"], 2),
        "small_folder_per_s": round(small / medians["small_folder"], 2),
        "small_ratio": round(medians["small_plain"] / medians["small_folder"], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--small", type=int, default=40)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or write_untrained_model(
            folder / "model.safetensors", build_config(preset("default"), {"generator": {"width": options.width}})
        )
        translator = Translator(model, device=options.device)
        figures = measure(folder, translator, photos=options.photos, small=options.small, turns=options.turns)
    print("\n".join(f"{name:20} {value}" for name, value in figures.items()))  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
