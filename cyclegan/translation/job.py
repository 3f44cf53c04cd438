"""The records of a translation: options, the job, an item on its way through the pipeline, and the result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan.errors import CycleganError, PictureError, lacks_memory, report_hint
from cyclegan.images import MAX_PIXELS, Picture
from cyclegan.inference.translator import Translator
from cyclegan.text import printable
from cyclegan.translation.masks import TranslationMask
from cyclegan.translation.scores import Score, Scorer
from cyclegan.translation.targets import Target
from cyclegan.video.smoothing import TemporalSmoother

TRANSLATION_MEMORY_HINT = "Try a smaller --batch-size or --size, a small --tile such as 16, or --device cpu."


@dataclass(frozen=True, kw_only=True)
class TranslateOptions:
    """How pictures and videos are translated."""

    size: int | None = None  # pixels of the output's short side; None: those of the input
    strength: float = 1.0  # 1: the translation; less: blended with the original
    mask: Path | None = None  # a picture, white where the translation counts; or a folder of such, by name
    batch_size: int = 1  # consecutive pictures of one size that go through the network together
    steady: float = 0.0  # weight of the previous frame in each frame of a video, along its motion; below 1
    quality: int | None = None  # of lossy formats, 1 to 100; None: the input's, and at least 90
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS


@dataclass
class TranslateJob:
    """Everything that the stages of the pipeline need."""

    translator: Translator
    options: TranslateOptions
    scorer: Scorer | None = None
    on_frame: Callable[[], object] = lambda: None  # called after every frame of a video
    interrupted: Callable[[], bool] = lambda: False

    @property
    def composite(self) -> bool:
        """Whether the outputs are made of the inputs too, as their metadata must say."""
        options = self.options
        return options.strength < 1 or options.mask is not None or self.translator.keep.is_active

    @property
    def mark(self) -> str:
        """The name of the system in the metadata of generated pictures."""
        translator = self.translator
        return printable(f"cyclegan model {translator.name}, to {translator.target}, by {translator.backend_name}")

    def new_smoother(self) -> TemporalSmoother:
        """Return what smooths the frames of one video or sequence; where they keep their own detail, all but that."""
        return TemporalSmoother(self.options.steady, of_change=self.translator.keep.is_active)

    def new_result(self) -> "TranslateResult":
        """Return the result of this job, before anything is translated."""
        return TranslateResult(backend=self.translator.backend_name, keep=str(self.translator.keep))


@dataclass
class Item:
    """A picture or video on its way through the pipeline, or the error that stopped it."""

    target: Target
    picture: Picture | None = None
    mask: TranslationMask | None = None
    error: CycleganError | None = None
    notes: list[str] = field(default_factory=list)
    score: Score | None = None
    is_video: bool = False  # a video or an animation, which is translated from file to file
    interrupted: bool = False

    def run(self, stage: Callable[[], Picture | None]) -> "Item":
        """Run the next stage, unless an earlier one failed; an error is stored, not raised."""
        if self.error is None:
            try:
                self.picture = stage()
            except CycleganError as error:
                self._fail(error)
            except Exception as error:  # one file must not stop the others
                if lacks_memory(error):
                    self._fail(PictureError("does not fit into memory.", TRANSLATION_MEMORY_HINT, self.target.source))
                    return self
                reason = f"internal error, {type(error).__name__}: {printable(error)}"
                self._fail(PictureError(f"could not be translated: {reason}.", report_hint(), self.target.source))
        return self

    def _fail(self, error: CycleganError) -> None:
        self.picture = None
        self.error = error.with_path(self.target.label) if error.path == self.target.source else error

    def note(self, text: str) -> None:
        """Add a message for the user about this item."""
        self.notes.append(f"{printable(self.target.label)}: {text}")


@dataclass
class TranslateResult:
    """The outcome of a translation: what computed it, lists of targets, errors, messages and scores."""

    backend: str | None = None  # None: nothing was to do
    keep: str | None = None  # what the pictures keep, as `--keep` takes it; None: nothing was to do
    done: list[Target] = field(default_factory=list)
    skipped: list[Target] = field(default_factory=list)  # their outputs existed already
    failed: list[CycleganError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # messages for the user
    scores: dict[Target, Score] = field(default_factory=dict)
    tables: list[Path] = field(default_factory=list)  # the tables that hold the scores
    passed_over: dict[str, int] = field(default_factory=dict)  # suffix -> files that are not pictures by their names

    def add(self, item: Item) -> None:
        """Add what happened to an item; an interrupted video counts neither as done nor as failed."""
        if item.error:
            self.failed.append(item.error)
        else:
            self.notes += item.notes
            if not item.interrupted:
                self.done.append(item.target)
        if item.score:
            self.scores[item.target] = item.score
