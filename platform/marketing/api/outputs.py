"""What campaigns that contact nobody have made, by HTTP.

    curl -H "Authorization: Bearer $TOKEN" http://HOST:PORT/statistics/CAMPAIGN
    curl -H "Authorization: Bearer $TOKEN" http://HOST:PORT/outbound/CAMPAIGN

404 no such campaign of that output. Who may is said in `marketing.api.routes`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool

__all__ = ["Answers", "output_router"]

NONE: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "no such campaign of that output"}}

Ask = Callable[[str], list[dict[str, Any]] | None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the door needs; both give rows, or None for a campaign that there is not."""

    statistics: Ask
    outbound: Ask


def output_router(answers: Answers) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    async def _answer(ask: Ask, campaign: str, output: str) -> dict[str, Any]:
        rows = await run_in_threadpool(ask, campaign)
        if rows is None:
            raise HTTPException(404, f"no campaign {campaign!r} of output {output} runs here")
        return {"campaign": campaign, "rows": rows}

    @routes.get("/statistics/{campaign}", responses=NONE)
    async def _statistics(campaign: str) -> dict[str, Any]:
        return await _answer(answers.statistics, campaign, "statistics")

    @routes.get("/outbound/{campaign}", responses=NONE)
    async def _outbound(campaign: str) -> dict[str, Any]:
        return await _answer(answers.outbound, campaign, "file")

    return routes
