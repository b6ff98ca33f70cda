"""The operator's BOSS: `Boss` holds customers and orders, `asgi_app` and `BossDoor` offer them by HTTP.

    POST /orders {order_id, msisdn, offer, channel, t_us}   201 new, 200 already
    GET /customers/{msisdn}                                 200, 404
    POST /accounts {msisdns, t_us}                          200: what customers have at that time; reads only
    GET /healthz                                            200

An offer is taken once by a customer: a second order for the same (msisdn, offer) is answered with the one
that came first. FastAPI and uvicorn are imported where they are used.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sim.backoffice.http_door import HttpDoor
from sim.scenario_values import Form

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Customer:
    """What BOSS knows of a customer; the columns of the extract that the platform reads."""

    msisdn: str
    """E.164 without plus."""
    imsi: str = ""
    brand: str = ""
    language: str = ""
    often_off: bool = False
    often_rejects: bool = False
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it reached BOSS."""

    order_id: str
    """Chosen by who orders; repeating it repeats nothing."""
    msisdn: str
    offer: str
    channel: str
    """Who brought it: "organic", or the platform's channel."""
    t_us: int
    """When the customer decided, Unix microseconds, as the sender says."""
    first: bool = True
    """Whether this is the take-up: the earliest order of this customer for this offer."""


@dataclass(frozen=True, slots=True)
class Account:
    """What BOSS can say of a customer at this moment."""

    msisdn: str
    brand: str
    services: tuple[str, ...]
    """Held, those ordered since the extract was made too."""
    balance_fen: int | None = None
    """Of a prepaid account; fen are hundredths of a yuan. None: paid by bill, or nothing is known."""
    charges_fen: int | None = None
    """Of this month, of an account that is paid by bill."""


Money = Callable[[Sequence[str], int], Mapping[str, tuple[int | None, int | None]]]
"""MSISDNs and Unix us -> balance and charges of each, fen; absent: nothing is known."""


class OrderConflict(Exception):  # noqa: N818 - the name says what happened
    """The order_id is taken by an order of another customer or for another offer."""


class UnknownCustomer(Exception):  # noqa: N818 - the name says what happened
    """BOSS has no such customer."""


class Boss:
    """Customers and orders. Any thread may call; nothing here reads a clock."""

    def __init__(
        self, customers: Mapping[str, Customer] | Iterable[Customer] = (), money: Money | None = None
    ) -> None:
        """A mapping by MSISDN is kept as it is: it may make customers on demand. `money`: the accounts."""
        self._money = money
        self._customers: Mapping[str, Customer] = (
            customers if isinstance(customers, Mapping) else {one.msisdn: one for one in customers}
        )
        self._lock = threading.Lock()
        self._orders: dict[str, Order] = {}
        self._first: dict[tuple[str, str], Order] = {}
        self._standing: dict[str, list[Order]] = {}  # by MSISDN
        self._requests = 0

    def customer(self, msisdn: str) -> Customer:
        """The customer; UnknownCustomer if there is none."""
        try:
            return self._customers[msisdn]
        except KeyError:
            raise UnknownCustomer(f"no customer has MSISDN {msisdn}") from None

    def order(self, order_id: str, msisdn: str, offer: str, channel: str, t_us: int) -> tuple[Order, bool]:
        """Take an order: the order that stands for (msisdn, offer), and whether this call made it.

        The first to come stands. A later one with an id of its own is kept too, but makes no second take-up.
        """
        self.customer(msisdn)
        with self._lock:
            self._requests += 1
            known = self._orders.get(order_id)
            if known is not None:
                if (known.msisdn, known.offer) != (msisdn, offer):
                    raise OrderConflict(
                        f"order_id {order_id!r} already stands for offer {known.offer!r} of {known.msisdn}"
                    )
                return self._first[msisdn, offer], False
            standing = self._first.get((msisdn, offer))
            order = Order(order_id, msisdn, offer, channel, t_us, first=standing is None)
            self._orders[order_id] = order
            if standing is not None:
                return standing, False
            self._first[msisdn, offer] = order
            self._standing.setdefault(msisdn, []).append(order)
            return order, True

    def accounts(self, msisdns: Sequence[str], t_us: int) -> list[Account]:
        """What customers have at a time, in the order asked; whoever is no customer is left out."""
        known = []
        for msisdn in dict.fromkeys(msisdns):
            with contextlib.suppress(UnknownCustomer):
                known.append(self.customer(msisdn))
        money = self._money([one.msisdn for one in known], t_us) if self._money is not None else {}
        found = []
        for one in known:
            # An order opens the service at once; who asks about an earlier time is not told of later ones.
            opened = [order.offer for order in self.orders_of(one.msisdn) if order.t_us <= t_us]
            held = tuple(dict.fromkeys((*one.services, *opened)))
            balance, charges = money.get(one.msisdn, (None, None))
            found.append(Account(one.msisdn, one.brand, held, balance, charges))
        return found

    def organic(self, msisdn: str, offer: str, t_us: int) -> tuple[Order, bool]:
        """The customer orders without having been asked; called by the simulator."""
        return self.order(f"organic.{msisdn}.{offer}", msisdn, offer, "organic", t_us)

    def orders_of(self, msisdn: str) -> tuple[Order, ...]:
        """The customer's standing orders."""
        with self._lock:
            return tuple(sorted(self._standing.get(msisdn, ()), key=_by_time))

    def orders(self) -> tuple[Order, ...]:
        """All orders by (t_us, order_id), and `first` by that too: nothing depends on who was heard first."""
        with self._lock:
            orders = sorted(self._orders.values(), key=_by_time)
        seen: set[tuple[str, str]] = set()
        out = []
        for order in orders:
            first = (order.msisdn, order.offer) not in seen
            seen.add((order.msisdn, order.offer))
            out.append(order if order.first is first else replace(order, first=first))
        return tuple(out)

    @property
    def counts(self) -> dict[str, int]:
        """Orders kept, take-ups among them, and requests including repeats."""
        with self._lock:
            return {"orders": len(self._orders), "take_up": len(self._first), "requests": self._requests}


def _by_time(order: Order) -> tuple[int, str]:
    return order.t_us, order.order_id


Msisdn = Annotated[str, Form(r"^[1-9][0-9]{6,14}$", "7 to 15 digits, the first none 0")]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    Form(r"^[!-~]+$", "ASCII characters without spaces"),
]


class OrderRequest(BaseModel):
    """Body of POST /orders. Strict: no unknown keys, no numbers written as text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    order_id: Name
    msisdn: Msisdn
    offer: Name
    channel: Name
    t_us: Annotated[int, "Unix microseconds"]


class AccountsRequest(BaseModel):
    """Body of POST /accounts."""

    model_config = ConfigDict(extra="forbid", strict=True)

    msisdns: Annotated[list[Msisdn], Field(min_length=1, max_length=1000)]
    t_us: Annotated[int, "Unix microseconds"]


def asgi_app(boss: Boss) -> "FastAPI":
    """BOSS's HTTP interface; for `memory` give it to an ASGI transport."""
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse

    app = FastAPI(title="BOSS", docs_url=None, redoc_url=None, openapi_url="/openapi.json")

    @app.exception_handler(RequestValidationError)
    async def wrong_input(request: Request, fault: RequestValidationError) -> JSONResponse:
        errors = [
            {
                "field": _field(error),
                "expected": error["msg"].removeprefix("expected "),
                "value": _printable(error.get("input")),
            }
            for error in fault.errors()
        ]
        return JSONResponse({"detail": "the order is not valid", "errors": errors}, 422)

    @app.exception_handler(UnknownCustomer)
    async def unknown(request: Request, fault: UnknownCustomer) -> JSONResponse:
        return JSONResponse({"detail": str(fault)}, 404)

    @app.exception_handler(OrderConflict)
    async def conflict(request: Request, fault: OrderConflict) -> JSONResponse:
        return JSONResponse({"detail": str(fault)}, 409)

    @app.post("/orders", status_code=201)
    async def post_order(wish: OrderRequest, response: Response) -> dict[str, Any]:
        order, new = boss.order(wish.order_id, wish.msisdn, wish.offer, wish.channel, wish.t_us)
        response.status_code = 201 if new else 200
        return asdict(order)

    @app.get("/customers/{msisdn}")
    async def get_customer(msisdn: Msisdn) -> dict[str, Any]:
        customer = boss.customer(msisdn)
        return asdict(customer) | {"orders": [asdict(order) for order in boss.orders_of(msisdn)]}

    @app.post("/accounts")
    def post_accounts(wish: AccountsRequest) -> dict[str, Any]:
        return {"accounts": [asdict(one) for one in boss.accounts(wish.msisdns, wish.t_us)]}

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        return {"status": "ok"} | boss.counts

    return app


def _field(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "body"
    return ".".join(str(step) for step in error["loc"] if step != "body") or "body"


def _printable(value: object) -> object:
    """What was sent, short enough to send back."""
    return value if isinstance(value, int | None) and abs(value or 0) < 2**53 else repr(value)[:200]


class BossDoor(HttpDoor):
    """BOSS on a real port, on a thread of its own. Port 0 takes a free one."""

    def __init__(
        self, boss: Boss, host: str = "127.0.0.1", port: int = 0, start_timeout: float = 10.0
    ) -> None:
        """Listening and serving when this returns. OSError says that the port is taken."""
        super().__init__(asgi_app(boss), "BOSS", host, port, start_timeout)
