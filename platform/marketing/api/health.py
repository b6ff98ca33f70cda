"""How the platform is: `/healthz` for whoever wants to know whether it works, `/metrics` for Prometheus."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

__all__ = ["OPEN_HEALTH", "busy", "health_router"]

OPEN_HEALTH: Final = ("healthy", "clock", "now_us", "association", "links_silent", "smpp")
"""What /healthz says without a token; the rest is business."""


def health_router(health: Callable[[], Mapping[str, Any]], metrics: Callable[[], bytes]) -> APIRouter:
    """The routes; both are asked on the HTTP thread and only read."""
    routes = APIRouter()

    @routes.get("/healthz", responses={503: {"description": "something is missing; the body says what"}})
    def _healthz(request: Request) -> JSONResponse:
        view = health()
        shown = view if request.scope["role"] is not None else {name: view[name] for name in OPEN_HEALTH}
        return JSONResponse(shown, status_code=200 if view["healthy"] else 503)

    @routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def _metrics() -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


def busy(_: Request, __: Exception) -> JSONResponse:
    """The engine has not answered in time."""
    return JSONResponse({"detail": "the platform is busy"}, 503, {"Retry-After": "5"})
