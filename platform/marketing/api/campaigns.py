"""Campaigns by HTTP.

    curl -X POST -H "Authorization: Bearer $TOKEN" http://HOST:PORT/campaigns/NAME/trigger \\
        -d '{"audience": "now.on"}'

contacts whoever belongs to a campaign now, or writes an interface file: `marketing.selecting.Selection`. And:
`curl -X POST -H "Authorization: Bearer $TOKEN" http://HOST:PORT/campaigns/reload`.

200 says what was added, changed and removed; 401 no or a wrong token; 403 no token is configured; 422 the
files are wrong, and why: those that run go on.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool

MOST_OCTETS = 1 << 14
"""Of what an operator says."""

__all__ = ["Reload", "campaign_router", "let_in"]


@dataclass(frozen=True, slots=True)
class Reload:
    """What the door needs."""

    now: Callable[[], tuple[dict[str, Any], list[str]]]
    """Looks at the files now and waits until they run: what has changed, and what is wrong."""
    token: bytes
    """Empty: nobody may."""
    select: Callable[[str, dict[str, Any]], dict[str, Any]]
    """An operator's selection, by name of the campaign; LookupError, ValueError: why not."""


def let_in(request: Request, token: bytes) -> None:
    """Raises HTTPException where the request does not carry the token, or there is none."""
    if not token:
        raise HTTPException(403, "no token is configured: set http.token_file")
    given = request.headers.get("authorization", "").encode("latin-1", "replace")
    if not hmac.compare_digest(given, b"Bearer " + token):
        raise HTTPException(401, "expected the header Authorization: Bearer TOKEN")


def campaign_router(reload: Reload) -> APIRouter:
    """The routes; every one wants the token."""
    routes = APIRouter(prefix="/campaigns")

    @routes.post("/reload")
    async def _reload(request: Request) -> dict[str, Any]:
        let_in(request, reload.token)
        change, problems = await run_in_threadpool(reload.now)
        if problems:
            raise HTTPException(422, problems)
        return change

    @routes.post("/{campaign}/trigger")
    async def _trigger(campaign: str, request: Request) -> dict[str, Any]:
        let_in(request, reload.token)
        body = await request.body()
        if len(body) > MOST_OCTETS:
            raise HTTPException(413, f"expected at most {MOST_OCTETS} octets")
        try:
            keys = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError):
            keys = None
        if not isinstance(keys, dict):
            raise HTTPException(422, "expected a JSON object with audience, targets, deliver, or nothing")
        try:
            return await run_in_threadpool(reload.select, campaign, keys)
        except LookupError as error:
            raise HTTPException(404, str(error.args[0])) from None
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    return routes
