"""The description of the HTTP door: what the routes say of themselves, and what the guard adds to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from marketing.api.guard import ANSWERS
from marketing.api.routes import ROUTES

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["described"]

WRONG: Final[dict[str, Any]] = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["detail"],
            "properties": {"detail": {"description": "what is wrong: a text, or for files an object"}},
        }
    }
}
"""The body of every refusal."""
OWN_BODY: Final = ("/healthz",)
"""Paths whose answers from 400 up have a body of their own."""


def described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI of an application, every status with what it means, without routes that nobody may take."""
    from fastapi.openapi.utils import get_openapi

    told = get_openapi(title=app.title, version="1", routes=app.routes)
    kept: dict[str, Any] = {}
    for route in ROUTES:
        operation = told["paths"].get(route.path, {}).get(route.method.lower())
        if operation is None:
            continue
        answers = operation["responses"]
        for status, said in ANSWERS.items():
            if route.least is not None or status not in (401, 403):
                answers.setdefault(str(status), {"description": said})
        for status, answer in answers.items():
            if status >= "400" and route.path not in OWN_BODY:
                answer["content"] = WRONG
        operation["security"] = [] if route.least is None else [{"token": []}]
        operation["x-least-role"] = route.least or "none"
        kept.setdefault(route.path, {})[route.method.lower()] = operation
    told["paths"] = kept
    told["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
    return told
