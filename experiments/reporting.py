"""Pages of runs that are over: of one, or of several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments.folder import check_reportable, open_run, read_json
from experiments.problems import BadInput, relative
from experiments.study_kinds import kind_of_values

__all__ = ["compare_runs", "report_run"]


def report_run(run_dir: Path, out: Path | None, language: str) -> Path:
    """Writes the page of a run again, from its folder alone; where.

    Raises:
        BadInput: the folder lacks what a page is made of, or `out` cannot be written.
    """
    import jinja2

    from reports.page import NotReportable, write_report

    kind = kind_of_values(open_run(run_dir).manifest)
    with _writable(out or run_dir):
        if kind is not None:
            return kind.report(run_dir, out, language)
        check_reportable(run_dir)
        try:
            return write_report(run_dir, out, language)
        except NotReportable as error:
            raise BadInput(str(error)) from None
        except (LookupError, TypeError, ValueError, AttributeError, jinja2.TemplateError) as error:
            raise BadInput(
                f"{relative(run_dir)}: summary.json, details.json or manifest.json is not as a run writes it "
                f"({type(error).__name__}: {error})"
            ) from None


def compare_runs(runs: Sequence[Path], out: Path | None, language: str) -> Path:
    """Writes the page that sets runs side by side; where.

    Raises:
        BadInput: a folder is no run, or lacks its summary, or the runs are not of one kind.
    """
    from reports.comparison import NotReportable, compare, comparison_name

    for run_dir in runs:
        open_run(run_dir)
        read_json(run_dir / "summary.json")
    where = out or runs[0].resolve().parent / comparison_name(language)
    with _writable(where):
        try:
            return compare(runs, where, language)
        except NotReportable as error:
            raise BadInput(str(error)) from None


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written: {error.strerror or error}") from None
