"""What BOSS knows at the moment of a decision: brand, services held, balance, charges; asked over HTTP.

Asked only for candidates that passed everything else, many in one request. An answer is kept for a while. A
BOSS that is slow, wrong or away never holds anything up: what is not known in time is *unknown*, and after a
few failures in a row BOSS is left in peace for a rest before one request tries again.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from marketing.config import BossQueryConfig
from marketing.profiles.columns import MOST_LIST_WORDS, Column, narrow
from marketing.profiles.schema import Declared

if TYPE_CHECKING:
    import httpx

__all__ = [
    "A_REQUEST",
    "BOSS_COLUMNS",
    "NOBODY",
    "Account",
    "BossQuery",
    "Breaker",
    "BreakerState",
    "columns_of",
]

BOSS_COLUMNS: Final[dict[str, Declared]] = {
    one.name: one
    for one in (
        Declared("brand", "string", "brand at this moment"),
        Declared("services", "list", "services held at this moment, those just ordered too"),
        Declared("balance", "double", "of a prepaid account", unit="yuan"),
        Declared("charges", "double", "of this month, of an account paid by bill", unit="yuan"),
    )
}
"""Names that `boss.NAME` may read."""
A_REQUEST: Final = 200
"""Subscribers asked for at once."""
AT_ONCE: Final = 4
"""Requests under way at most."""
LONGEST_ANSWER: Final = 1 << 20
"""Octets."""
_MOST_SERVICES: Final = 200
_MOST_FEN: Final = 10**12

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Account:
    """What BOSS said of one subscriber."""

    brand: str | None = None
    services: tuple[str, ...] | None = None
    balance_fen: int | None = None
    charges_fen: int | None = None


NOBODY: Final = Account()
"""BOSS has no such customer: nothing of him is known."""


class _Failed(Exception):  # noqa: N818 - how a request ended; the word is its kind
    """timeout, network, status or wrong."""


@dataclass(slots=True)
class Breaker:
    """Closed: ask. Open: do not, for a rest. Half-open: one request tries; its outcome closes or opens."""

    failures: int
    """So many in a row open it."""
    rest_s: float
    state: BreakerState = "closed"
    opened: int = 0
    """How often it has opened."""
    _in_a_row: int = 0
    _until_s: float = 0.0

    def may_ask(self, now_s: float) -> bool:
        """Whether a request may go; in half-open state to one caller only until that has ended."""
        if self.state == "open" and now_s >= self._until_s:
            self.state = "half-open"
            return True
        return self.state == "closed"

    def succeeded(self) -> None:
        """A request has been answered."""
        self.state, self._in_a_row = "closed", 0

    def failed(self, now_s: float) -> None:
        """A request has not been answered, or wrongly."""
        self._in_a_row += 1
        if self.state == "half-open" or (self.state == "closed" and self._in_a_row >= self.failures):
            self.state = "open"
            self.opened += 1
            self._until_s = now_s + self.rest_s

    def gave_up(self) -> None:
        """The trying request was cancelled: its outcome is not known, the next one tries."""
        if self.state == "half-open":
            self.state = "open"


@dataclass(slots=True)
class BossQuery:
    """The client; belongs to one event loop. `transport` stands in for the network in one process."""

    url: str
    config: BossQueryConfig
    transport: Any = None
    seconds: Callable[[], float] | None = None
    """Seconds for the breaker; the loop's by default."""
    on_silence: Callable[[str], None] | None = None
    """Told where BOSS could not be reached or did not answer in time: of a run that must not hang on that."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of each request, such as the key that BOSS wants."""
    counts: Counter[str] = field(default_factory=Counter)
    """asked, cached, requests, answered, timeout, network, status, wrong, resting, crowded: how often."""
    breaker: Breaker = field(init=False)
    _cache: OrderedDict[int, tuple[int, Account]] = field(default_factory=OrderedDict)
    """MSISDN -> (platform time of the answer, answer), least recently used first."""
    _under_way: dict[int, asyncio.Future[Account | None]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(init=False)
    _client: httpx.AsyncClient | None = None

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.config.failures, self.config.rest_s)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def ask(self, msisdns: Sequence[int], names: Sequence[str], now_us: int) -> dict[str, Column]:
        """Columns by name, a row for each number asked, unknown where BOSS has not said it in time.

        Asking changes nothing at BOSS, so it may be repeated. Never raises for anything that BOSS does.

        Args:
            msisdns: Numbers, repeated or not.
            names: Of BOSS_COLUMNS.
            now_us: The platform's time; ages of answers are told by it.

        Raises:
            LookupError: there is no such name.
        """
        for name in names:
            if name not in BOSS_COLUMNS:
                raise LookupError(f"BOSS is not asked for {name!r}; known are {', '.join(BOSS_COLUMNS)}")
        self.counts["asked"] += len(msisdns)
        found: dict[int, Account | None] = {}
        wanted: list[int] = []
        shared: dict[int, asyncio.Future[Account | None]] = {}
        for number in dict.fromkeys(msisdns):
            held = self.held(number, now_us)
            if held is not None:
                self.counts["cached"] += 1
                found[number] = held
            elif number in self._under_way:
                shared[number] = self._under_way[number]
            else:
                wanted.append(number)
        # Noted before the first await, so that whoever asks meanwhile shares these.
        loop = asyncio.get_running_loop()
        self._under_way.update((number, loop.create_future()) for number in wanted)
        groups = [wanted[at : at + A_REQUEST] for at in range(0, len(wanted), A_REQUEST)]
        try:
            for answers in await asyncio.gather(*(self._fetch(group, now_us) for group in groups)):
                found.update(answers)
        finally:
            for number in wanted:  # also of those whose request never began
                future = self._under_way.pop(number)
                if not future.done():
                    future.set_result(None)
        for number, future in shared.items():
            found[number] = await asyncio.shield(future)
        return columns_of(names, [found.get(number) or NOBODY for number in msisdns])

    async def close(self) -> None:
        """Closes idle connections."""
        if self._client is not None:
            await self._client.aclose()

    # ----------------------------------------------------------------- inside

    def held(self, number: int, now_us: int) -> Account | None:
        """An answer that is not too old yet."""
        held = self._cache.get(number)
        if held is None:
            return None
        age_us = now_us - held[0]
        if not 0 <= age_us < self.config.cache_s * 1e6:  # from the future: the clock was set back
            del self._cache[number]
            return None
        self._cache.move_to_end(number)
        return held[1]

    def keep(self, number: int, account: Account, now_us: int) -> None:
        """Keeps an answer for a while."""
        self._cache[number] = (now_us, account)
        self._cache.move_to_end(number)
        while len(self._cache) > self.config.cache_size:
            self._cache.popitem(last=False)

    async def _fetch(self, numbers: list[int], now_us: int) -> dict[int, Account | None]:
        answers = await self._request(numbers, now_us)
        if answers is None:
            return dict.fromkeys(numbers)
        found: dict[int, Account | None] = {}
        for number in numbers:
            account = found[number] = answers.get(number, NOBODY)
            self.keep(number, account, now_us)
            self._under_way[number].set_result(account)
        return found

    async def _request(self, numbers: list[int], now_us: int) -> Mapping[int, Account] | None:
        """One request within its time; None where it failed or BOSS has its rest."""
        seconds, sent = self.seconds or asyncio.get_running_loop().time, False
        try:
            # Waiting for a turn counts too: the whole answer is worth nothing later.
            async with asyncio.timeout(self.config.timeout_s), self._slots:
                if not self.breaker.may_ask(seconds()):
                    self.counts["resting"] += 1
                    return None
                self.counts["requests"] += 1
                sent = True
                answers = await self._post(numbers, now_us)
        except TimeoutError:
            if sent:
                self._note("timeout", seconds())
            else:
                self.counts["crowded"] += 1  # no fault of BOSS's
            return None
        except _Failed as error:
            self._note(str(error), seconds())
            return None
        except asyncio.CancelledError:
            self.breaker.gave_up()
            raise
        self.breaker.succeeded()
        self.counts["answered"] += 1
        return answers

    def _note(self, what: str, now_s: float) -> None:
        self.counts[what] += 1
        self.breaker.failed(now_s)
        if self.on_silence is not None and what in ("timeout", "network"):
            self.on_silence(f"BOSS at {self.url} was asked of accounts: {what}")

    async def _post(self, numbers: list[int], now_us: int) -> Mapping[int, Account]:
        import httpx  # a seventh of a second, needed from the first question on

        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self.url,
                timeout=self.config.timeout_s,
                transport=self.transport,
                trust_env=False,
                headers=self.headers,
            )
        body = {"msisdns": [str(number) for number in numbers], "t_us": now_us}
        octets = bytearray()
        try:
            async with self._client.stream("POST", "/accounts", json=body) as answer:
                if not answer.is_success:
                    raise _Failed("status")
                async for part in answer.aiter_bytes():
                    octets += part
                    if len(octets) > LONGEST_ANSWER:
                        raise _Failed("wrong")
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.HTTPError:
            raise _Failed("network") from None
        return _read(bytes(octets), set(numbers))


# --------------------------------------------------------------------------- answers


def _read(octets: bytes, asked: set[int]) -> dict[int, Account]:
    """The answer, checked; a single wrong account makes all of it wrong: whose money would it be?"""
    try:
        said = json.loads(octets)
        accounts = said["accounts"]
        found: dict[int, Account] = {}
        for one in accounts:
            text = one["msisdn"]
            number = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else -1
            if number not in asked or number in found:
                raise _Failed("wrong")
            found[number] = Account(
                _text(one.get("brand")),
                _texts(one.get("services")),
                _fen(one.get("balance_fen")),
                _fen(one.get("charges_fen")),
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _Failed("wrong") from None
    return found


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= 200):
        return value or None
    raise ValueError


def _texts(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MOST_SERVICES:
        raise ValueError
    if not all(isinstance(word, str) and 0 < len(word) <= 200 for word in value):
        raise ValueError
    return tuple(value)


def _fen(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST_FEN:
        raise ValueError
    return value


def columns_of(names: Sequence[str], rows: Sequence[Account]) -> dict[str, Column]:
    """Columns by name, a row for each account."""
    return {name: _column(name, rows) for name in names}


def _column(name: str, rows: Sequence[Account]) -> Column:
    known = np.array([_value(name, one) is not None for one in rows], dtype=np.bool_)
    bits = None if known.all() else np.packbits(known)
    if name in ("balance", "charges"):
        yuan = np.array([(_value(name, one) or 0) / 100 for one in rows], dtype=np.float64)
        return Column("double", yuan, (), bits)
    if name == "brand":
        words = tuple(sorted({one.brand or "" for one in rows}))
        codes = np.array([words.index(one.brand or "") for one in rows], dtype=np.int64)
        return Column("string", narrow(codes), words, bits)
    # Of more different services than there are bits the rarest have none; who holds one of them is unknown.
    frequent = Counter(word for one in rows for word in set(one.services or ())).most_common(MOST_LIST_WORDS)
    words = tuple(sorted(word for word, _ in frequent))
    bit = {word: 1 << at for at, word in enumerate(words)}
    known &= np.array([all(word in bit for word in one.services or ()) for one in rows], dtype=np.bool_)
    held = np.array([sum(bit.get(w, 0) for w in set(one.services or ())) for one in rows], dtype=np.uint64)
    return Column("list", held, words, None if known.all() else np.packbits(known))


def _value(name: str, account: Account) -> Any:
    fields = {"balance": "balance_fen", "charges": "charges_fen"}
    return getattr(account, fields.get(name, name))
