"""What campaigns that contact nobody have made, by HTTP; every route wants the token of http.token_file.

    curl -H "Authorization: Bearer $TOKEN" http://HOST:PORT/statistics/CAMPAIGN
    curl -H "Authorization: Bearer $TOKEN" http://HOST:PORT/outbound/CAMPAIGN

401 no or a wrong token; 403 no token is configured; 404 no such campaign of that output.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from marketing.api.campaigns import let_in

__all__ = ["Answers", "output_router"]

Ask = Callable[[str], list[dict[str, Any]] | None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the door needs; both give rows, or None for a campaign that there is not."""

    statistics: Ask
    outbound: Ask
    token: bytes
    """Empty: nobody may."""


def output_router(answers: Answers) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    async def _answer(request: Request, ask: Ask, campaign: str, output: str) -> dict[str, Any]:
        let_in(request, answers.token)
        rows = await run_in_threadpool(ask, campaign)
        if rows is None:
            raise HTTPException(404, f"no campaign {campaign!r} of output {output} runs here")
        return {"campaign": campaign, "rows": rows}

    @routes.get("/statistics/{campaign}")
    async def _statistics(campaign: str, request: Request) -> dict[str, Any]:
        return await _answer(request, answers.statistics, campaign, "statistics")

    @routes.get("/outbound/{campaign}")
    async def _outbound(campaign: str, request: Request) -> dict[str, Any]:
        return await _answer(request, answers.outbound, campaign, "file")

    return routes
