"""What every page is made with: the folder's JSON, templates, pages and CSV that are whole or not there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from reports.language import LANGUAGES, Words
from reports.numerals import number
from reports.tabular import csv_of

__all__ = [
    "FILTERS",
    "Filters",
    "NotReportable",
    "as_written",
    "number",
    "page_name",
    "percent",
    "publish",
    "read_json",
    "render",
    "seconds",
    "write_page",
    "write_text",
]


Filters = Mapping[str, Callable[..., Any]]
"""Name in a template -> what it calls."""

_FILES: Final = ("summary.json", "summary.csv", "details.json", "manifest.json", "capture.pcapng")
"""Files of a run that its page names, where they are there. The CSV is made with the page."""


class NotReportable(Exception):  # noqa: N818 - says what the folder lacks
    """The folder lacks what a page is made of."""


def read_json(path: Path) -> dict[str, Any]:
    """A file of a run's folder.

    Raises:
        NotReportable: it is missing, damaged, or no object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        said = f"{path.parent} has no {path.name}: the run stopped too early for a report"
        raise NotReportable(said) from None
    except (OSError, ValueError) as error:
        raise NotReportable(f"{path} cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise NotReportable(f"{path}: expected a JSON object")
    return found


@contextmanager
def as_written(files: str) -> Iterator[None]:
    """Turns what a damaged record raises in here into NotReportable; `files` names what was read."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, jinja2.UndefinedError) as error:
        said = f"{files} is not as a run writes it ({type(error).__name__}: {error})"
        raise NotReportable(said) from None


def percent(value: float | None) -> str:
    """A share in percent."""
    return "–" if value is None else f"{100 * value:.1f} %".replace("-", "−")


def seconds(value: float | None) -> str:
    """Seconds with one decimal."""
    return "–" if value is None else f"{value:.1f} s"


FILTERS: Final[Filters] = {"number": number, "percent": percent, "seconds": seconds}
"""What every template may use; a kind's own go before."""


def render(template: str, filters: Filters, /, **values: Any) -> str:
    """A template of the package with values; a value that is not there is an error.

    Templates that extend `base.html.j2` need `t` (the page's `Words`), `summary`, `manifest` and `answer`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    if isinstance(words := values.get("t"), Words):
        environment.filters["own"] = lambda text: _own(text, words)
        environment.filters["told"] = lambda text, under: _told(text, under, words)
    environment.filters.update(filters)
    return environment.get_template(template).render(**values)


def publish(
    template: str, words: Words, filters: Filters, run_dir: Path, out: Path | None, /, **values: Any
) -> Path:
    """Renders a page and writes it, and `summary.csv` into the run's folder; where the page is.

    Beside what the template of the kind needs: `summary`, `manifest` and `answer`.
    """
    files = [name for name in _FILES if name == "summary.csv" or (run_dir / name).exists()]
    text = render(template, filters, t=words, **{"files": files} | values)
    write_text(run_dir / "summary.csv", csv_of(values["summary"]))
    return write_page(text, run_dir, out, words.language)


def page_name(language: str = LANGUAGES[0]) -> str:
    """The file of a page in a run's folder: `report.html`; in another language `report.zh.html`."""
    return "report.html" if language == LANGUAGES[0] else f"report.{language}.html"


def write_page(text: str, run_dir: Path, out: Path | None, language: str = LANGUAGES[0]) -> Path:
    """Writes it whole, by default into the run's folder; where."""
    path = out or run_dir / page_name(language)
    write_text(path, text)
    return path


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _own(text: str, words: Words) -> Markup:
    """Words of whoever wrote the study or the campaign, in whatever language: said of where it is another."""
    tag = "zh-CN" if re.search(r"[\u3400-\u9fff]", text) else "en"
    if tag == words.tag:
        return escape(text)
    return Markup('<span lang="{}">{}</span>').format(tag, text)


def _told(text: str, under: str, words: Words) -> Markup:
    """A program's sentence in the page's language; where no catalogue knows it, as it is, and said so."""
    said = words.told(text, under)
    return _own(text, words) if said is None else escape(said)
