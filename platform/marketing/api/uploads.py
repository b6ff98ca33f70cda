"""Imports by HTTP: `curl -T FILE -H "Authorization: Bearer $TOKEN" http://HOST:PORT/imports/profiles`.

    PUT    /imports/profiles               the extract, CSV or Parquet (told by its content)
    PUT    /imports/lists/NAME             a target list
    PUT    /imports/do-not-disturb         added to the list in force; ?mode=replace puts it in its place
    DELETE /imports/lists/NAME             takes a target list out of force
    GET    /imports                        what is in force

Query: encoding=gb18030, bad_share=0.01. Answers: 200 in force, with what was odd; 404; 409 another import is
under way; 413 too large; 422 refused, with the first errors; 503 too many uploads at once; 507 the disk is
full. What is not answered by 200 has changed nothing. Who may is said in `marketing.api.routes`.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from marketing.profiles.lines import ENCODINGS
from marketing.profiles.loading import Limits
from marketing.profiles.reading import Unusable
from marketing.profiles.store import Imported, Kind, Refused, Store, StoreBusy, StoreFull

__all__ = ["Uploads", "router"]

MOST_AT_ONCE: Final = 2
SILENCE_S: Final = 30.0
"""A sender that is silent for so long has gone."""
FIRST_ERRORS: Final = 100

Said = dict[int | str, dict[str, Any]]
CHANGING: Final[Said] = {
    404: {"description": "no such list"},
    409: {"description": "another import is under way"},
    507: {"description": "the store cannot be written"},
}
TAKING: Final[Said] = {
    400: {"description": "the sender has gone before the end"},
    409: CHANGING[409],
    422: {"description": "refused: the reason, and the first errors"},
    503: {"description": "too many uploads at once"},
    507: CHANGING[507],
}
_ONE_OF: Final = {"encoding": list(ENCODINGS), "mode": ["add", "replace"]}
FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        *({"name": n, "in": "query", "schema": {"type": "string", "enum": e}} for n, e in _ONE_OF.items()),
        {"name": "bad_share", "in": "query", "schema": {"type": "number", "minimum": 0, "maximum": 1}},
    ],
}
"""How a file is sent, in the words of OpenAPI."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """What the door needs."""

    store: Store
    largest: int
    """Octets of one file."""
    on_import: Callable[[], None]
    """Told after each change."""


def router(uploads: Uploads) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/imports")
    slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def take(request: Request, kind: Kind, name: str = "") -> dict[str, Any]:
        limits, replace_all = _options(request, uploads.store.limits)
        if slots.locked():
            raise HTTPException(503, "too many uploads at once", {"Retry-After": "5"})
        async with slots, _received(request, uploads) as path:
            try:
                imported = await run_in_threadpool(
                    uploads.store.take,
                    kind,
                    path,
                    name=name,
                    replace_all=replace_all,
                    source="upload",
                    limits=limits,
                )
            except Refused as error:
                raise HTTPException(422, _told(error.imported, refused=str(error))) from None
            except StoreBusy as error:
                raise HTTPException(409, str(error), {"Retry-After": "5"}) from None
            except StoreFull as error:
                raise HTTPException(507, str(error)) from None
        uploads.on_import()
        return _told(imported)

    @routes.put("/profiles", responses=TAKING, openapi_extra=FILE)
    async def put_profiles(request: Request) -> dict[str, Any]:
        return await take(request, "profiles")

    @routes.put("/lists/{name}", responses=TAKING, openapi_extra=FILE)
    async def put_list(request: Request, name: str) -> dict[str, Any]:
        return await take(request, "list", name)

    @routes.put("/do-not-disturb", responses=TAKING, openapi_extra=FILE)
    async def put_do_not_disturb(request: Request) -> dict[str, Any]:
        return await take(request, "do-not-disturb")

    @routes.delete("/lists/{name}", responses=CHANGING)
    async def delete_list(name: str) -> dict[str, Any]:
        try:
            if not await run_in_threadpool(uploads.store.remove_list, name):
                raise HTTPException(404, "no such list")
        except StoreBusy as error:
            raise HTTPException(409, str(error), {"Retry-After": "5"}) from None
        except StoreFull as error:
            raise HTTPException(507, str(error)) from None
        uploads.on_import()
        return {"removed": name}

    @routes.get("", responses={500: {"description": "the store is damaged"}})
    async def get_imports() -> dict[str, Any]:
        try:
            return (await run_in_threadpool(uploads.store.manifest)).to_json()
        except Unusable as error:
            raise HTTPException(500, str(error)) from None

    return routes


def _options(request: Request, usual: Limits) -> tuple[Limits, bool]:
    given = request.query_params
    for key in given:
        if key not in ("encoding", "bad_share", "mode"):
            raise HTTPException(422, f"no option {key[:40]!r}; known are encoding, bad_share, mode")
    encoding, mode = given.get("encoding", usual.encoding), given.get("mode", "add")
    try:
        share = float(given.get("bad_share", usual.bad_share))
    except ValueError:
        share = -1.0
    if encoding not in ENCODINGS:
        raise HTTPException(422, f"encoding: expected one of {', '.join(ENCODINGS)}")
    if not 0.0 <= share <= 1.0:
        raise HTTPException(422, "bad_share: expected a number from 0 to 1")
    if mode not in ("add", "replace"):
        raise HTTPException(422, "mode: expected add or replace")
    return Limits(share, encoding), mode == "replace"


@contextlib.asynccontextmanager
async def _received(request: Request, uploads: Uploads) -> AsyncIterator[Path]:
    """The body as a file beside the store's, gone afterwards; its name is ours, not the sender's."""
    too_large = HTTPException(413, f"at most {uploads.largest} octets")
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said[:20]) > uploads.largest:
        raise too_large
    try:
        number, name = tempfile.mkstemp(prefix=".upload-", dir=uploads.store.folder)
    except OSError as error:
        raise HTTPException(507, f"the import store cannot be written: {error.strerror}") from None
    path = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            await _copy(request, file, uploads.largest, too_large)
        yield path
    finally:
        path.unlink(missing_ok=True)


async def _copy(request: Request, file: Any, largest: int, too_large: HTTPException) -> None:
    size, chunks = 0, aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            break
        except (ClientDisconnect, TimeoutError):
            raise HTTPException(400, "the sender has gone before the end") from None
        size += len(chunk)
        if size > largest:
            raise too_large
        try:
            file.write(chunk)
        except OSError as error:
            raise HTTPException(507, f"the import store cannot be written: {error.strerror}") from None
    try:
        file.flush()
    except OSError as error:
        raise HTTPException(507, f"the import store cannot be written: {error.strerror}") from None


def _told(imported: Imported, refused: str = "") -> dict[str, Any]:
    loaded = imported.loaded
    told: dict[str, Any] = {
        "kind": imported.kind,
        "name": imported.name,
        "generation": imported.generation,
        "rows": loaded.rows,
        "bad_rows": loaded.errors.rows,
        "in_force": imported.entries,
        "repeated": loaded.repeated,
        "remarks": loaded.remarks,
        "summary": loaded.errors.summary(),
        "errors": [
            {"row": e.row, "column": e.column, "value": e.value, "expected": e.expected}
            for e in loaded.errors.first(FIRST_ERRORS)
        ],
    }
    return {"refused": refused, **told} if refused else told
