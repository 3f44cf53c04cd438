"""The frames of a video or an animation, translated one after the other, steadied and measured."""

from collections.abc import Callable

from cyclegan.translation.scores import ClipScorer, Score, Scorer
from cyclegan.video.frames import FrameState, Pixels, State, with_prefix, without_prefix
from cyclegan.video.smoothing import TemporalSmoother

Translate = Callable[[Pixels], tuple[Pixels, Pixels]]  # a frame into itself at the size asked for, and its translation


class FrameTranslator(FrameState):
    """Translates the frames of one video; `steady` is how much of the frame before is blended into the next."""

    def __init__(self, translate: Translate, steady: float, scorer: Scorer | None) -> None:
        self.translate = translate
        self.steady = steady
        self.scorer = scorer
        self.steadier = TemporalSmoother(steady)
        self.plain, self.steadied = ClipScorer(None), ClipScorer(scorer)
        self.parts = {"steadier.": self.steadier, "plain.": self.plain, "steadied.": self.steadied}

    def __call__(self, frame: Pixels) -> Pixels:
        """Translate the next frame."""
        source, output = self.translate(frame)
        if self.steady:
            self.plain.add(source, output)
            output = self.steadier(source, output)
        if self.steady or self.scorer:
            self.steadied.add(source, output)
        return output

    def flicker(self) -> str:
        """Say how much the output would have flickered, and how much it does; nothing if it is not steadied."""
        if not self.steady:
            return ""
        return (
            f"would flicker {self.plain.flicker.ratio():.2f} times as much as its source, "
            f"and does {self.steadied.flicker.ratio():.2f} times."
        )

    def score(self) -> Score | None:
        """Return the score of the whole, if one is asked for."""
        return self.steadied.score() if self.scorer else None

    def state_dict(self) -> State:
        """Return everything that the next frame depends on; nothing if each stands for itself."""
        if not self.steady and not self.scorer:
            return {}
        states = [with_prefix(prefix, part.state_dict()) for prefix, part in self.parts.items()]
        return {name: array for state in states for name, array in state.items()}

    def load_state_dict(self, state: State) -> None:
        """Continue after the frame after which `state` was returned."""
        for prefix, part in self.parts.items():
            part.load_state_dict(without_prefix(prefix, state))
