"""Fixtures of a model and its translators, for the packages whose `conftest.py` imports them."""

from pathlib import Path

import pytest
import torch

from cyclegan import Translator
from tests.support.models import write_model
from tests.support.pictures import Idle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "stripes.safetensors")


@pytest.fixture(scope="module")
def translator(model: Path) -> Translator:
    return Translator(model, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def idle(model: Path) -> Translator:
    """Return a translator whose network returns what it is given."""
    translator = Translator(model, device="cpu", precision="fp32")
    translator.generators[torch.float32] = Idle()
    return translator


@pytest.fixture(scope="module")
def both(translator: Translator, idle: Translator) -> tuple[Translator, Translator]:
    """Return one that changes pictures and one that does not."""
    return translator, idle
