"""What is wrong with an expression: the one error that any text can raise."""

from __future__ import annotations

__all__ = ["ExpressionError"]


class ExpressionError(ValueError):
    """An expression that cannot be used."""

    def __init__(self, line: int, column: int, expected: str, suggestion: str = "") -> None:
        self.line = line
        """Counted from 1, in the expression's own text."""
        self.column = column
        """Counted from 1, in characters."""
        self.expected = expected
        self.suggestion = suggestion
        """The nearest known word; empty where none is near."""
        where = f"column {column}" if line == 1 else f"line {line}, column {column}"
        hint = f" (did you mean {suggestion!r}?)" if suggestion else ""
        super().__init__(f"{where}: {expected}{hint}")
