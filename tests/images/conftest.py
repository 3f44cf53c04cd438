"""A model and translators for tests of pictures that go through a whole translation."""

from tests.translation.conftest import both, idle, model, translator

__all__ = ["both", "idle", "model", "translator"]
