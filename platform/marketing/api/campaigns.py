r"""Campaigns by HTTP.

    curl -X POST -H "Authorization: Bearer $TOKEN" http://HOST:PORT/campaigns/reload
    curl -X POST -H "Authorization: Bearer $TOKEN" http://HOST:PORT/campaigns/NAME/trigger \
         -d '{"audience": "now.on"}'

The second contacts whoever belongs to a campaign now, or writes an interface file; what may be said is in
`marketing.selecting.Selection`.

200 says what was added, changed and removed; 422 the files are wrong, and why: those that run go on. Who may
is said in `marketing.api.routes`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool

__all__ = ["Reload", "campaign_router"]

SELECTION: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: {"type": "string"} for name in ("audience", "targets", "deliver")},
}
"""What an operator says; whether it makes sense only the platform knows."""


@dataclass(frozen=True, slots=True)
class Reload:
    """What the door needs."""

    now: Callable[[], tuple[dict[str, Any], list[str]]]
    """Looks at the files now and waits until they run: what has changed, and what is wrong."""
    select: Callable[[str, dict[str, Any]], dict[str, Any]]
    """An operator's selection, by name of the campaign; LookupError, ValueError: why not."""


def campaign_router(reload: Reload) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/campaigns")

    @routes.post("/reload", responses={422: {"description": "the files are wrong: every problem"}})
    async def _reload() -> dict[str, Any]:
        change, problems = await run_in_threadpool(reload.now)
        if problems:
            raise HTTPException(422, problems)
        return change

    @routes.post(
        "/{campaign}/trigger",
        responses={404: {"description": "no such campaign"}, 422: {"description": "what is wrong with it"}},
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": SELECTION}}}},
    )
    async def _trigger(campaign: str, request: Request) -> dict[str, Any]:
        body = await request.body()
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
