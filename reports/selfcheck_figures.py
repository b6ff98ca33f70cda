"""The pictures of a selfcheck report: found values beside the bands in which they must lie.

Each row has a scale of its own, since shares, seconds and counts stand below one another: the band is drawn
equally wide everywhere, and a value where it lies in it or beside it. Written as SVG by hand: its letters are
the reader's, Chinese ones too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import inf
from typing import Any, Final

from reports.drawing import LETTERS
from reports.language import Words

__all__ = ["bands", "overview", "place", "room"]

ROW: Final = 48
TOP: Final = 4
WIDTH: Final = 470
"""Narrow, so that its letters can be read on a phone: a name stands above its strip."""
LEFT: Final = 8
"""Where the strip begins."""
RIGHT: Final = 278
"""Where it ends; figures are to its right."""
BAND: Final = (0.3, 0.7)
"""Where a band with two ends begins and ends, in parts of the strip."""
INK: Final = "#1d242c"
EDGE: Final = "#5b6670"
_HATCH: Final = (
    '<defs><pattern id="{id}" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="#d9dde2"/>'
    '<line x1="0" y1="0" x2="0" y2="6" stroke="#aeb6be"/></pattern></defs>'
)


def place(value: float, low: float | None, high: float | None) -> float:
    """Where a value is drawn, in parts of the strip: 0.3 to 0.7 is inside a band with two ends.

    With one end only, that end is at 0.3 (or 0.7), and a tenth of it more (or less) is as far as a band is
    wide; a value further away stays at the edge of the strip.
    """
    start, end = BAND
    if low is not None and high is not None:
        width = high - low
        if width <= 0:
            at = 0.5 if value == low else (0.95 if value > low else 0.05)
        else:
            at = start + (end - start) * (value - low) / width
    elif low is not None:
        at = start + (end - start) * (value - low) / (abs(low) / 10 or 1.0)
    elif high is not None:
        at = end + (end - start) * (value - high) / (abs(high) / 10 or 1.0)
    else:
        at = 0.5
    return min(max(at, 0.02), 0.98)


def bands(words: Words, title: str, cases: Sequence[Mapping[str, Any]]) -> str:
    """An `<svg>` element with a row for each value that decides, of the cases of one group; else empty."""
    from reports.selfcheck import name_of

    rows = [
        (
            _name(case["name"], words("mark.said", name="", said=name_of(words, case["group"], what))),
            case,
            what,
        )
        for case, what in _deciding(cases)
    ]
    return _picture(words, str(cases[0]["group"]), title, rows)


def overview(words: Words, title: str, groups: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """An `<svg>` element with a row for each group: how many values hold, and the one nearest to its edge."""
    rows = []
    for called, cases in groups:
        deciding = _deciding(cases)
        if deciding:
            inside = sum(bool(case["bands"][what]["inside"]) for case, what in deciding)
            name = escape(
                words("mark.said", name=called, said=words("hold", inside=inside, values=len(deciding)))
            )
            case, what = min(deciding, key=lambda one: room(one[0]["found"][one[1]], one[0]["bands"][one[1]]))
            rows.append((name, case, what))
    return _picture(words, "overview", title, rows)


def room(value: float | None, band: Mapping[str, Any]) -> float:
    """How far inside its band a value lies, in parts of the band's width, or of a tenth of its only end.

    Below zero outside it; infinite where one value alone is right.
    """
    if not band["inside"] or value is None:
        return -1.0
    low, high = band["least"], band["most"]
    if low == high:
        return inf
    width = (
        high - low if low is not None and high is not None else abs(high if low is None else low) / 10 or 1.0
    )
    return min((high - value if high is not None else inf), (value - low if low is not None else inf)) / width


def _deciding(cases: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """Values that have a band: each with its case."""
    return [(case, what) for case in cases for what in case["bands"]]


def _picture(
    words: Words, identity: str, title: str, rows: Sequence[tuple[str, Mapping[str, Any], str]]
) -> str:
    from reports.selfcheck import band_text, value_text

    if not rows:
        return ""
    identity = escape(identity)
    parts = [_HATCH.format(id=f"hatch-{identity}")]
    for number, (name, case, what) in enumerate(rows):
        y = TOP + ROW * number + 32
        band, value = case["bands"][what], case["found"][what]
        low, high = band["least"], band["most"]
        parts += [
            f'<text x="{LEFT}" y="{y - 14:.1f}">{name}</text>',
            _strip(y, low, high, f"hatch-{identity}"),
            _mark(y, place(value, low, high) if value is not None else 0.98, band["inside"]),
            _text(RIGHT + 12, y, f"{value_text(value)} ({band_text(words, low, high)})"),
        ]
    height = 2 * TOP + ROW * len(rows)
    inside = sum(bool(case["bands"][what]["inside"]) for _, case, what in rows)
    said = words("picture_said", inside=inside, values=len(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-labelledby="{identity}-title {identity}-said" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="{LETTERS}" font-size="13" fill="{INK}">'
        f'<title id="{identity}-title">{escape(title)}</title>'
        f'<desc id="{identity}-said">{escape(said)}</desc>{"".join(parts)}</svg>'
    )


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y + 4:.1f}">{escape(text)}</text>'


def _name(name: str, said: str) -> str:
    """A case's name, which is the same in every language, and what was found of it."""
    return f'<tspan lang="en">{escape(name)}</tspan>{escape(said)}'


def _strip(y: float, low: float | None, high: float | None, hatch: str) -> str:
    start, end = BAND
    if low is not None and low == high:  # one value alone
        start, end = 0.49, 0.51
    left = _x(start if low is not None else 0.0)
    right = _x(end if high is not None else 1.0)
    ends = [left] * (low is not None) + [right] * (high is not None)
    marks = "".join(
        f'<line x1="{x}" y1="{y - 9:.1f}" x2="{x}" y2="{y + 9:.1f}" stroke="{EDGE}" stroke-width="1.5"/>'
        for x in ends
    )
    return (
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}" stroke="{EDGE}" stroke-width="0.7"/>'
        f'<rect x="{left}" y="{y - 7:.1f}" width="{round(right - left, 1)}" height="14" '
        f'fill="url(#{escape(hatch)})"/>{marks}'
    )


def _mark(y: float, share: float, inside: bool) -> str:
    x = _x(share)
    if inside:
        return f'<circle cx="{x}" cy="{y:.1f}" r="5" fill="{INK}"/>'
    return (
        f'<path d="M{x - 6} {y - 6:.1f}l12 12m0 -12l-12 12" stroke="{INK}" stroke-width="2.6" fill="none"/>'
    )
