"""In front of every route: rate, token, role, size. What does not pass never reaches the application."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from marketing.api.buckets import Buckets, caller_of
from marketing.api.routes import Route, allowed, find
from marketing.api.tokens import Tokens

__all__ = ["ANSWERS", "Guard", "Keeper"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODY_S: Final = 10.0
"""So long a small body may take to come."""
MOST_READ: Final = 8 << 20
"""Octets that are read of a body that is refused for its size: so its sender sees why."""
WRONG_COSTS: Final = 10.0
"""A wrong token costs its address as much as so many requests."""
ALWAYS: Final[Headers] = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

ANSWERS: Final[dict[int, str]] = {
    401: "no token, or one that is not known",
    403: "the token's role may not do this",
    408: "the body did not come in time",
    413: "the body is too large",
    429: "too many requests; Retry-After says when the next may come",
    503: "too many connections, or the platform is busy",
}
"""What any route that takes a token may answer, beside what it says itself."""


@dataclass(slots=True)
class Keeper:
    """Who may come in, and how often."""

    tokens: Tokens
    per_s: float = 0.0
    """Requests/s of one token and of one address; 0: no limit."""
    burst: float = 1.0
    on_refused: Callable[[int], None] = lambda status: None
    """Told of the status of each request that was refused."""
    now_s: Callable[[], float] = time.monotonic
    addresses: Buckets = field(init=False)
    callers: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.addresses = Buckets(self.per_s, self.burst)
        self.callers = Buckets(self.per_s, self.burst)


class _Refusal(Exception):  # noqa: N818 - an answer, no mishap
    def __init__(self, status: int, detail: str, *headers: tuple[str, str]) -> None:
        self.status, self.detail, self.headers = status, detail, headers
        super().__init__(detail)


class Guard:
    """ASGI middleware. The role of whoever came in stands in `scope["role"]`; None: an open route."""

    def __init__(self, app: Any, keeper: Keeper) -> None:
        self._app = app
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no web sockets here; uvicorn refuses them
        try:
            route = self._let_in(scope)
            if route.largest is not None:
                receive = _replayed(await _body(scope, receive, route.largest), receive)
        except _Refusal as refusal:
            self._keeper.on_refused(refusal.status)
            await _answer(send, refusal)
            return

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *ALWAYS]
            await send(message)

        await self._app(scope, receive, safely)

    def _let_in(self, scope: Scope) -> Route:
        keeper, now_s = self._keeper, self._keeper.now_s()
        address = caller_of((scope.get("client") or ("",))[0])
        _in_time(keeper.addresses.take(address, now_s))
        method, path = scope["method"], scope["path"]
        route = find(method, path)
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        token = keeper.tokens.who(values)
        scope["role"] = None if token is None else token.role
        if token is None:
            if values:
                keeper.addresses.fine(address, now_s, WRONG_COSTS)
            if route is not None and route.least is None:
                return route
            said = "expected the header Authorization: Bearer TOKEN, with a token that is known here"
            raise _Refusal(401, said, ("WWW-Authenticate", "Bearer"))
        _in_time(keeper.callers.take(token.digest, now_s))
        if route is None:
            methods = sorted(set(allowed(path)))
            if methods:
                raise _Refusal(405, f"this path takes {', '.join(methods)}", ("Allow", ", ".join(methods)))
            raise _Refusal(404, "there is nothing here")
        if route.least is not None and not token.may(route.least):
            raise _Refusal(403, f"this takes a token of role {route.least}; the one given is of {token.role}")
        return route


def _in_time(wait_s: float) -> None:
    if wait_s:
        raise _Refusal(429, "too many requests", ("Retry-After", str(math.ceil(wait_s))))


async def _body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """The whole body of a request that may only have a small one."""
    too_large = _Refusal(413, f"expected at most {largest} octets")
    said = max((int(value[:20]) for name, value in scope["headers"] if _is_length(name, value)), default=0)
    if said > MOST_READ:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Refusal(408, "the sender has gone before the end")
                size += len(message.get("body", b""))
                if size > MOST_READ:
                    raise too_large
                # More than is taken is read and forgotten: who still sends would not see an answer.
                if size <= largest:
                    parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise _Refusal(408, f"the body did not come within {BODY_S:g} s") from None
    if size > largest:
        raise too_large
    return b"".join(parts)


def _is_length(name: bytes, value: bytes) -> bool:
    return name == b"content-length" and value.isdigit()


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()  # the end of the connection
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, refusal: _Refusal) -> None:
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers]
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *ALWAYS]
    if refusal.status in (408, 413):
        headers.append((b"connection", b"close"))  # what is left of the body is not read
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
