"""What every page is made with: the folder's JSON, templates, a file that is whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

__all__ = ["Filters", "NotReportable", "read_json", "render", "write_page"]


Filters = Mapping[str, Callable[..., Any]]
"""Name in a template -> what it calls."""


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


def render(template: str, filters: Filters, /, **values: Any) -> str:
    """A template of the package with values; a value that is not there is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(template).render(**values)


def write_page(text: str, run_dir: Path, out: Path | None) -> Path:
    """Writes it whole, by default as the folder's `report.html`; where."""
    path = out or run_dir / "report.html"
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
    return path
