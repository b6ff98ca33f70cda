"""Campaigns by HTTP: `curl -X POST -H "Authorization: Bearer $TOKEN" http://HOST:PORT/campaigns/reload`.

200 says what was added, changed and removed; 401 no or a wrong token; 403 no token is configured; 422 the
files are wrong, and why: those that run go on.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool

__all__ = ["Reload", "campaign_router"]


@dataclass(frozen=True, slots=True)
class Reload:
    """What the door needs."""

    now: Callable[[], tuple[dict[str, Any], list[str]]]
    """Looks at the files now and waits until they run: what has changed, and what is wrong."""
    token: bytes
    """Empty: nobody may."""


def campaign_router(reload: Reload) -> APIRouter:
    """The routes; every one wants the token."""
    routes = APIRouter(prefix="/campaigns")

    @routes.post("/reload")
    async def _reload(request: Request) -> dict[str, Any]:
        if not reload.token:
            raise HTTPException(403, "no token is configured: set http.token_file")
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, b"Bearer " + reload.token):
            raise HTTPException(401, "expected the header Authorization: Bearer TOKEN")
        change, problems = await run_in_threadpool(reload.now)
        if problems:
            raise HTTPException(422, problems)
        return change

    return routes
