"""How a step is played on a device: as it is written, or with the networks compiled and the whole step recorded.

A recorded step is one CUDA graph: its thousands of kernels start without the host. What changes from step to step lies
in tensors that `Session.prepare` fills beforehand. What cannot be compiled or recorded is played as it is written.
"""

import gc
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cyclegan.diagnostics.measures import Numbers
from cyclegan.images import Images
from cyclegan.models import Networks
from cyclegan.training.state import Session, copied

Tell = Callable[[str], object]
Replay = Callable[[], object]
Recorder = Callable[[Callable[[], Numbers]], tuple[Numbers, Replay]]

WARM_UP = 3  # steps before one is recorded: what is made once, such as Adam's moments, is there by then


class Pace:
    """Plays prepared steps; after a few of them it records one, and has the device play that again."""

    def __init__(self, session: Session, record: Recorder | None, tell: Tell) -> None:
        self.session = session
        self.record = record
        self.tell = tell
        self.played = 0
        self.recording: Recording | None = None

    def __call__(self, real_a: Images, real_b: Images) -> Numbers:
        """Play one step on n c h w images of [-1, 1]; the numbers returned hold until the next."""
        if self.record and self.played == WARM_UP:
            try:
                self.recording = Recording(self.session, self.record, real_a, real_b)
            except Exception as error:
                why = first_line(error.__context__ or error)  # the end of a recording that failed has its own complaint
                self.tell(f"The step could not be recorded ({why}); it is played as it is written.")
        self.played += 1
        play = self.recording or self.session.advance
        return play(real_a, real_b)


class Recording:
    """A step that is played again with other images in the place of the first."""

    def __init__(self, session: Session, record: Recorder, real_a: Images, real_b: Images) -> None:
        self.real_a, self.real_b = real_a.clone(), real_b.clone()
        self.numbers, self.replay = record(lambda: session.advance(self.real_a, self.real_b))

    def __call__(self, real_a: Images, real_b: Images) -> Numbers:
        """Play the step; its numbers are those of the last call, overwritten."""
        self.real_a.copy_(real_a)
        self.real_b.copy_(real_b)
        self.replay()
        return self.numbers


def record_on_cuda(step: Callable[[], Numbers]) -> tuple[Numbers, Replay]:
    """Record what a step does on a CUDA device, without doing it; return its numbers-to-be and what does it.

    The steps before must have been played on this stream, which is not the usual one, and nothing of theirs be left.
    """
    graph = torch.cuda.CUDAGraph()
    gc.collect()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        numbers = step()
    return numbers, graph.replay


def compile_networks(
    session: Session, engine: Callable[[nn.Module], nn.Module], real_a: Images, real_b: Images, tell: Tell
) -> None:
    """Have the game played with compiled networks, if they pass a rehearsal, of which nothing remains."""
    as_written = session.game.networks, session.game.teachers
    tensors, facts = session.capture()
    before = copied(tensors)
    tell("Compiling the networks for this device, which takes a minute or two the first time.")
    started = time.perf_counter()
    try:
        compiled: dict[str, Any] = {
            name: torch.compile(network, dynamic=False) for name, network in session.networks.named()
        }
        session.game.networks = Networks(**{name: engine(network) for name, network in compiled.items()})
        teachers: dict[str, Any] = {
            way: torch.compile(shown, dynamic=False) for way, shown in session.game.teachers.items()
        }
        session.game.teachers = teachers
        session.prepare(rate=0.0, count=len(real_a))
        session.advance(real_a, real_b)
        tell(f"Compiled in {time.perf_counter() - started:.0f} s.")
    except Exception as error:
        session.game.networks, session.game.teachers = as_written
        tell(f"The networks could not be compiled ({first_line(error)}); they play as they are written.")
    session.restore(before, facts)


def first_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
