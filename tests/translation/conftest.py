"""Fixtures that these tests share."""

from tests.support.translators import both, idle, model, translator

__all__ = ["both", "idle", "model", "translator"]
