"""Every route of the HTTP door, with the least role that it takes. What is not here is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from marketing.api.tokens import ROLES, Role

__all__ = ["ROUTES", "Route", "allowed", "find"]

SMALL: Final = 1 << 14
"""Octets of what people and desks say."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    """As FastAPI writes it; {name} is one segment."""
    least: Role | None
    """None: open to everybody."""
    largest: int | None = SMALL
    """Octets of the body; None: it is long, the route itself reads and bounds it."""
    _matches: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        literal = (re.escape(part) for part in re.split(r"\{\w+\}", self.path))
        object.__setattr__(self, "_matches", re.compile("[^/]+".join(literal)))

    def is_path(self, path: str) -> bool:
        """Whether a decoded path is this one."""
        return self._matches.fullmatch(path) is not None


ROUTES: Final = (
    Route("GET", "/healthz", None),
    Route("GET", "/metrics", "reader"),
    Route("GET", "/openapi.json", "reader"),
    Route("GET", "/statistics/{campaign}", "reader"),
    Route("GET", "/imports", "reader"),
    Route("GET", "/outbound/{campaign}", "desk"),
    Route("GET", "/desk/offer", "desk"),
    Route("POST", "/desk/answer", "desk"),
    Route("POST", "/campaigns/reload", "operator"),
    Route("POST", "/campaigns/{campaign}/trigger", "operator"),
    Route("PUT", "/imports/profiles", "operator", None),
    Route("PUT", "/imports/lists/{name}", "operator", None),
    Route("PUT", "/imports/do-not-disturb", "operator", None),
    Route("DELETE", "/imports/lists/{name}", "operator"),
)


def find(method: str, path: str) -> Route | None:
    """The route of a request; of several that fit the one that takes most."""
    fitting = (route for route in ROUTES if route.method == method and route.is_path(path))
    return max(fitting, key=_demand, default=None)


def allowed(path: str) -> Iterator[str]:
    """Methods that a path has."""
    return (route.method for route in ROUTES if route.is_path(path))


def _demand(route: Route) -> int:
    return -1 if route.least is None else ROLES.index(route.least)
