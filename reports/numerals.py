"""Numbers as people read them on pages."""

from __future__ import annotations

__all__ = ["number", "plain"]


def number(value: float | None) -> str:
    """A number for people: thousands apart, two decimals at most."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        value = round(value)
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return text.replace(",", "\N{NO-BREAK SPACE}").replace("-", "−")


def plain(value: float) -> str:
    """A number that somebody wrote, such as a bound: its decimals as they are, thousands apart."""
    return number(value) if abs(value) >= 1000 else f"{value:g}".replace("-", "−")
