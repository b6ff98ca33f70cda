"""The HTTP application, apart from sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from fastapi import FastAPI

    from marketing.api.campaigns import Reload
    from marketing.api.desk import Desks
    from marketing.api.guard import Keeper
    from marketing.api.outputs import Answers
    from marketing.api.uploads import Uploads

__all__ = ["HealthView", "make_app"]


class HealthView(TypedDict):
    """The answer of /healthz; 200 where `healthy`, else 503."""

    healthy: bool
    clock: str
    now_us: int
    association: str
    links_silent: int
    smpp: str
    behaviours: int
    triggers: dict[str, int]
    workers: int
    """Engines that share out the subscribers."""
    campaigns: list[str]
    campaign_problems: list[str]
    """What is wrong with the campaign files as they are; those that run are not touched by it."""


def make_app(
    keeper: Keeper,
    health: Callable[[], HealthView],
    metrics: Callable[[], bytes],
    uploads: Uploads | None = None,
    reload: Reload | None = None,
    answers: Answers | None = None,
    desks: Desks | None = None,
) -> FastAPI:
    """The routes behind their guard. Health and metrics are asked on the HTTP thread and only read.

    `uploads`: imports by HTTP. `answers`: what campaigns that contact nobody have made.
    `desks`: hall, hotline and web.
    """
    from fastapi import FastAPI

    from marketing.api.guard import Guard
    from marketing.api.health import busy, health_router
    from marketing.api.openapi import described

    app = FastAPI(title="Kairos platform", openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    app.add_exception_handler(TimeoutError, busy)
    app.include_router(health_router(health, metrics))
    if reload is not None:
        from marketing.api.campaigns import campaign_router

        app.include_router(campaign_router(reload))
    if answers is not None:
        from marketing.api.outputs import output_router

        app.include_router(output_router(answers))
    if desks is not None:
        from marketing.api.desk import desk_router

        app.include_router(desk_router(desks))
    if uploads is not None:
        from marketing.api.uploads import router

        app.include_router(router(uploads))
    app.add_middleware(Guard, keeper=keeper)
    schema = described(app)
    app.openapi = lambda: schema  # type: ignore[method-assign]
    return app
