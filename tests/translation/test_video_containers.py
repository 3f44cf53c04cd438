"""Videos in containers of camcorders, discs and the web: read, and written in one that takes every codec."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from cyclegan.video.frames import READ_ONLY_VIDEOS, VIDEO_SUFFIXES
from tests.support.videos import FRAMES, RATE, picture, write_tone


@dataclass
class Container:
    """A video as such a container holds it."""

    suffix: str
    container: str
    codec: str
    sound: str


CONTAINERS = [
    Container(".mts", "mpegts", "libx264", "ac3"),
    Container(".M2TS", "mpegts", "libx264", "ac3"),
    Container(".ts", "mpegts", "mpeg2video", "mp2"),
    Container(".mpg", "mpeg", "mpeg1video", "mp2"),
    Container(".vob", "vob", "mpeg2video", "ac3"),
    Container(".flv", "flv", "flv", "libmp3lame"),
    Container(".wmv", "asf", "wmv2", "wmav2"),
    Container(".ogv", "ogg", "libvpx", "libopus"),
    Container(".3gp", "3gp", "mpeg4", "aac"),
]


def make(path: Path, kind: Container) -> Path:
    with av.open(str(path), "w", format=kind.container) as output:
        video = output.add_stream(kind.codec, RATE, {"b": "4000000", "bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        tone = output.add_stream(kind.sound, 48000, layout="mono")
        tone.bit_rate = 96000
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        write_tone(output, tone, Fraction(FRAMES, RATE))
    return path


@pytest.mark.parametrize("kind", CONTAINERS, ids=lambda kind: kind.suffix)
def test_videos_of_all_containers_are_translated_with_sound(kind: Container, tmp_path, idle):
    source = make(tmp_path / f"x{kind.suffix}", kind)
    [target] = plan_targets([source], "zebras", output=tmp_path / "out")
    outcome = translate_targets([target], TranslateJob(idle, TranslateOptions()))
    assert not outcome.failed, outcome.failed
    suffix = READ_ONLY_VIDEOS.get(kind.suffix.lower(), kind.suffix)
    assert target.path == tmp_path / "out" / f"x{suffix}"
    assert any(f"becomes {suffix}" in note for note in outcome.notes) == (suffix != kind.suffix)
    with av.open(str(source)) as before, av.open(str(target.path)) as after:
        assert [stream.type for stream in after.streams] == ["video", "audio"]
        assert after.streams.audio[0].codec_context.name == before.streams.audio[0].codec_context.name
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in after.decode(video=0)]
    assert len(frames) == FRAMES
    assert np.abs(frames[-1] - picture(FRAMES - 1)).mean() < 12


def test_read_only_containers_become_writable_ones():
    assert not {*VIDEO_SUFFIXES} & {*READ_ONLY_VIDEOS}
    assert {*READ_ONLY_VIDEOS.values()} <= {*VIDEO_SUFFIXES}
