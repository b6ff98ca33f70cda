"""`kairos import`: a file into an import store, by itself or through a running platform's HTTP door."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import click

from experiments.problems import BadInput, relative
from marketing.config import ConfigError, load_config
from marketing.contact import load_policy
from marketing.profiles.loading import Limits
from marketing.profiles.report import RowError, RowErrors
from marketing.profiles.store import Imported, Kind, Refused, Store, StoreBusy, StoreFull

__all__ = ["Options", "run_import"]

PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    to: str | None
    check: bool
    name: str
    replace_all: bool
    encoding: str
    bad_share: float
    zone: str
    errors: Path | None
    token_file: Path | None


def run_import(kind: str, file: Path, options: Options) -> None:
    """Imports and says how it went.

    Raises:
        BadInput: the file, or where it should go, cannot be used.
    """
    if not file.is_file():
        raise BadInput(
            f"{relative(file)}: {'not a file that can be imported' if file.exists() else 'no such file'}"
        )
    if options.to is None and not options.check:
        raise BadInput("--to is needed: a configuration, an import store or a URL (or --check)")
    if kind == "list" and not options.name:
        options = _named(options, file.stem.lower())
    if options.to is not None and urlsplit(options.to).scheme in ("http", "https"):
        if options.check:
            raise BadInput("--check reads the file here: leave --to out")
        _upload(kind, file, options)
        return
    limits = Limits(options.bad_share, options.encoding)
    try:
        if options.check:
            with _scratch() as folder:
                imported = Store(Path(folder), _zone(options.zone), limits).check(cast("Kind", kind), file)
        else:
            store = _store(options, limits)
            imported = store.take(
                cast("Kind", kind), file, name=options.name, replace_all=options.replace_all
            )
    except Refused as error:
        _list_errors(error.imported.loaded.errors, file, options)
        summary = error.imported.loaded.errors.summary()[:20]
        raise BadInput([f"{relative(file)}: refused: {error}", *summary]) from None
    except (StoreBusy, StoreFull) as error:
        raise BadInput(str(error)) from None
    _list_errors(imported.loaded.errors, file, options)
    _say(imported, options.check)


def _named(options: Options, name: str) -> Options:
    from dataclasses import replace

    return replace(options, name=name)


def _scratch() -> Any:
    import tempfile

    return tempfile.TemporaryDirectory(prefix="kairos-check-")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"--zone {name}: expected an IANA time zone such as Asia/Shanghai") from None
    return name


def _store(options: Options, limits: Limits) -> Store:
    to = Path(options.to or "")
    if to.suffix in (".yaml", ".yml"):
        try:
            config = load_config(to)
            zone = load_policy(config.policy).timezone
        except ConfigError as error:
            raise BadInput([str(problem) for problem in error.problems]) from None
        if config.imports is None:
            raise BadInput(f"{relative(to)}: it has no imports.dir")
        return Store(config.imports.dir, zone, limits)
    if to.exists() and not to.is_dir():
        raise BadInput(f"--to {relative(to)}: expected a folder, a configuration (.yaml) or a URL")
    return Store(to, _zone(options.zone), limits)


def _say(imported: Imported, checked: bool) -> None:
    for line in imported.said(checked=checked):
        click.echo(line)


def _list_errors(errors: RowErrors, file: Path, options: Options) -> None:
    if not errors.total:
        return
    path = options.errors or file.with_name(f"{file.name}.errors.csv")
    try:
        errors.write(path)
    except OSError as error:
        click.echo(f"{relative(path)}: cannot be written: {error.strerror or error}", err=True)
        return
    click.echo(f"{relative(path)}: {min(errors.total, errors.limit)} of {errors.total} errors", err=True)


def _upload(kind: str, file: Path, options: Options) -> None:
    import httpx

    if options.token_file is None:
        raise BadInput("--token-file is needed with a URL")
    try:
        token = options.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--token-file {relative(options.token_file)}: cannot be read: {error}") from None
    path = f"lists/{options.name}" if kind == "list" else kind
    query: dict[str, Any] = {"encoding": options.encoding, "bad_share": options.bad_share}
    if options.replace_all:
        query["mode"] = "replace"
    url = f"{(options.to or '').rstrip('/')}/imports/{path}?{urlencode(query)}"
    try:
        with file.open("rb") as body:
            answer = httpx.put(
                url,
                content=body,
                headers={"Authorization": f"Bearer {token}", "Content-Length": str(file.stat().st_size)},
                timeout=PATIENCE_S,
                trust_env=False,
            )
        told = answer.json()
    except httpx.HTTPError as error:
        raise BadInput(f"{options.to}: {type(error).__name__}: {error}") from None
    except ValueError:
        raise BadInput(f"{options.to}: HTTP {answer.status_code}: not an answer of the platform") from None
    if answer.status_code == 200:
        click.echo(f"{kind} {options.name}".strip() + f": {told['rows']} rows, {told['bad_rows']} bad, "
                   f"{told['in_force']} in force")  # fmt: skip
        _told_errors(told, file, options)
        return
    detail = told.get("detail", told)
    if isinstance(detail, dict):
        _told_errors(detail, file, options)
        raise BadInput([f"{relative(file)}: refused: {detail['refused']}", *detail["summary"][:20]])
    raise BadInput(f"{options.to}: HTTP {answer.status_code}: {detail}")


def _told_errors(told: dict[str, Any], file: Path, options: Options) -> None:
    for line in told["remarks"]:
        click.echo(line)
    errors = RowErrors()
    errors.kept = [RowError(e["row"], e["column"], e["value"], e["expected"]) for e in told["errors"]]
    for error in errors.kept:
        errors.counts[error.column, error.expected] += 1
    _list_errors(errors, file, options)
