"""`cyclegan translate`."""

from cyclegan.cli import translate_options as flags
from cyclegan.cli.console import Console, Json, Progress, Quiet
from cyclegan.cli.list_models import print_models
from cyclegan.cli.translate_modes import TranslateArguments
from cyclegan.errors import UsageError

EXAMPLES = (
    "cyclegan translate photos/                    with the newest run, into photos_zebras/",
    "cyclegan translate photos/ --model horses2zebras --output striped/",
    "cyclegan translate zebra.jpg --to horses      the other direction",
    "cyclegan translate video.mp4 --steady 0.5     less flicker",
    "cyclegan translate - < in.png > out.png",
)


def translate(
    inputs: flags.Inputs = None,
    output: flags.OutputPath = None,
    image_format: flags.OutputFormat = None,
    quality: flags.Quality = None,
    overwrite: flags.Overwrite = False,
    scores: flags.Scores = False,
    watch: flags.Watch = False,
    max_pixels: flags.MaxPixels = 178_956_970,
    model: flags.Model = None,
    list_models: flags.ListModels = False,
    to: flags.To = None,
    direction: flags.DirectionOption = None,
    size: flags.ShortSide = None,
    mask: flags.MaskPath = None,
    keep: flags.KeptDetail = "auto",
    checkerboard: flags.CheckerboardOption = "auto",
    strength: flags.Strength = 1.0,
    steady: flags.Steady = 0.0,
    engine: flags.EngineName = "local",
    batch_size: flags.PicturesAtOnce = 1,
    tile: flags.Tile = None,
    precision: flags.InferencePrecision = "auto",
    device: flags.InferenceDevice = "auto",
    backend: flags.BackendOption = "auto",
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Translate pictures and videos with a trained model.

    Names, folders, formats and sizes stay as they are.
    """
    console = Console(progress, quiet, as_json)
    if list_models:
        print_models(console)
        return
    if not inputs:
        raise UsageError("no picture, video or folder is named.", "cyclegan translate photos/ translates a folder.")
    from cyclegan.translation import TranslateOptions

    options = TranslateOptions(
        size=size or None,
        strength=strength,
        mask=mask,
        batch_size=batch_size,
        steady=steady,
        quality=quality or None,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    hardware = {"device": device, "precision": precision, "tile": tile or None, "backend": backend}
    look = {"keep": keep, "checkerboard": checkerboard}
    request = TranslateArguments(
        inputs, output, image_format, model, to, direction, options, scores, hardware | look, console
    )
    request.run(engine, watch=watch)
