"""Small CSV files that people write: whatever else lies there is said to be none."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marketing.config import ConfigError, Problem

__all__ = ["plain_csv"]


@contextmanager
def plain_csv(path: Path) -> Iterator[csv.DictReader[str]]:
    """The rows of a file in UTF-8, by header.

    Raises:
        ConfigError: it cannot be read, is no text, or no CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield csv.DictReader(file)
    except FileNotFoundError:
        raise ConfigError([Problem(str(path), 0, "", "", "no such file")]) from None
    except OSError as error:
        said = f"cannot be read: {error.strerror or error}"
        raise ConfigError([Problem(str(path), 0, "", "", said)]) from None
    except UnicodeDecodeError as error:
        said = f"expected UTF-8 text; octet {error.start + 1} is none"
        raise ConfigError([Problem(str(path), 0, "", "", said)]) from None
    except csv.Error as error:
        raise ConfigError([Problem(str(path), 0, "", "", f"expected CSV: {error}")]) from None
