"""Desks by HTTP: what to offer the customer who is here, and what he has said.

    curl -H "Authorization: Bearer $TOKEN" "http://HOST:PORT/desk/offer?msisdn=8613900000001&desk=hall"
    curl -X POST -H "Authorization: Bearer $TOKEN" http://HOST:PORT/desk/answer \
         -d '{"contact_id": "...", "answer": "accept"}'

The first answers with an offer, its script and the id of the contact that has been reserved for it, or with
`"offer": null` and the reason. `answer` is accept, refuse or think; who thinks is offered the same again.
Who may is said in `marketing.api.routes`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from marketing.config_values import Form

__all__ = ["Desks", "desk_router"]

NONE: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "no such customer, or no such offer"},
    409: {"description": "no such desk here, or it has been answered otherwise"},
}


@dataclass(frozen=True, slots=True)
class Desks:
    """What the door needs; LookupError and ValueError say why not."""

    offer: Callable[[str, str], dict[str, Any]]
    """Desk and MSISDN."""
    answer: Callable[[str, Literal["accept", "refuse", "think"]], dict[str, Any]]
    """Contact id and what was said."""


class Said(BaseModel):
    """Body of POST /desk/answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    contact_id: Annotated[str, Form(r"^[0-9a-f]{16}$", "16 of the digits 0 to 9 and a to f")]
    answer: Literal["accept", "refuse", "think"]


def desk_router(desks: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/desk")

    async def asked(ask: Callable[..., dict[str, Any]], *what: str) -> dict[str, Any]:
        try:
            return await run_in_threadpool(ask, *what)
        except LookupError as error:
            raise HTTPException(404, str(error.args[0])) from None
        except ValueError as error:
            raise HTTPException(409, str(error)) from None

    @routes.get("/offer", responses=NONE)
    async def _offer(
        msisdn: Annotated[str, Query(), Form(r"^[0-9]{5,15}$", "5 to 15 digits")],
        desk: Literal["hall", "hotline", "web"] = Query("hall"),
    ) -> dict[str, Any]:
        return await asked(desks.offer, desk, msisdn)

    @routes.post("/answer", responses=NONE)
    async def _answer(said: Said) -> dict[str, Any]:
        return await asked(desks.answer, said.contact_id, said.answer)

    return routes
