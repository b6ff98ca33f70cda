"""An operator's selection, as the engine sees it: who belongs to a campaign now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketing.engine.state import EngineState
from marketing.expressions import ExpressionError, compile_expression
from marketing.rules import catalogue_of

__all__ = ["SelectionError", "choose"]


class SelectionError(ValueError):
    """A selection that cannot be made; the message says why."""


def choose(
    state: EngineState, number: int, at_us: int, audience: str = "", targets: str = ""
) -> NDArray[np.int64]:
    """Rows of a campaign's audience and targets at an instant, and of an expression and a list besides.

    Raises:
        SelectionError: the expression cannot be read, or asks for what is not known here; no such list.
    """
    profiles, catalogue = state.profiles, catalogue_of(state.profiles)
    expression = None
    if audience:
        try:
            expression = compile_expression(audience, catalogue)
        except ExpressionError as error:
            raise SelectionError(f"audience: {error}") from None
        told = sorted(name for name in expression.reads if name.startswith("event."))
        if told:
            raise SelectionError(f"audience: {told[0]} is of a behaviour, and a selection has none")
    try:
        rows = state.rules.chosen(number, at_us)
        if targets:
            rows = rows[profiles.on_list(targets, rows)]
        if expression is not None:
            rows = rows[state.rules.holding(expression, rows, at_us)]
    except LookupError as error:
        raise SelectionError(str(error.args[0])) from None
    return rows
