"""Scenes compiled to masks over behaviour batches; only what passes becomes an object."""

from marketing.rules.scenes import Dwell, Rules

__all__ = ["Dwell", "Rules"]
