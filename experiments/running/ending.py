"""How the run of a study ends: early, with its reason in the manifest; or whole, with a summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from experiments.folder import RunFolder
from experiments.running.begin import rerun_line

if TYPE_CHECKING:
    from experiments.study import LoadedStudy

__all__ = ["early_end", "summary_of"]


@contextmanager
def early_end(close: Callable[..., object]) -> Iterator[None]:
    """While a study measures: what ends it early is told to `close(reasons, whole=False)`, and raised on."""
    try:
        yield
    except KeyboardInterrupt:
        close(["stopped by Ctrl-C"], whole=False)
        raise
    except BaseException as error:
        close([f"{type(error).__name__}: {error}"], whole=False)
        raise


def summary_of(
    folder: RunFolder,
    loaded: LoadedStudy,
    schema: str,
    reasons: Sequence[str],
    *,
    ended: str | None,
    wall_s: float,
    **found: Any,
) -> dict[str, Any]:
    """What `summary.json` has of every kind of study, with what one of its kind found in the middle.

    Args:
        folder: The run's.
        loaded: The study; its keys `study`, `kind`, `title` and `seed` are said again.
        schema: Of the summary.
        reasons: Why the run is not valid.
        ended: When it ended; None: it goes on, and is not valid yet.
        wall_s: Seconds that it has taken.
        found: The kind's own keys.
    """
    said: Any = loaded.study  # every kind's keys have these four
    return {
        "schema": schema,
        "study": said.study,
        "kind": said.kind,
        "title": said.title,
        "seed": said.seed,
        "valid": ended is not None and not reasons,
        "invalid_reasons": list(reasons),
        **found,
        "time": {"started": folder.manifest["started"], "ended": ended, "wall_s": round(wall_s, 1)},
        "rerun": rerun_line(loaded),
    }
