"""Orders at BOSS over HTTP: idempotent by order id, repeated until the outcome is known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from marketing.config import BossConfig, boss_key
from marketing.contact.ledger import OrderDone, OrderWanted

if TYPE_CHECKING:
    import httpx

__all__ = ["Boss", "BossError"]

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
AGAIN: Final = frozenset({408, 425, 429})
"""Answers that mean later; so do all from 500 up."""


class BossError(Exception):
    """The outcome of an order is not known; the order stays open and is repeated."""


def boss_headers(config: BossConfig) -> dict[str, str]:
    """The key, where BOSS wants one."""
    key = boss_key(config)
    return {} if key is None else {"Authorization": f"Bearer {key}"}


@dataclass(slots=True)
class Boss:
    """The client; `transport` stands in for the network when both programs share a process."""

    config: BossConfig
    transport: Any = None
    retries: int = 0
    _client: httpx.AsyncClient | None = None

    async def place(self, order: OrderWanted, give_up_s: float | None = None) -> OrderDone:
        """Opens a service, repeating the same request until BOSS has said yes or no.

        Raises:
            BossError: no answer within `give_up_s`.
        """
        loop = asyncio.get_running_loop()
        end_s = None if give_up_s is None else loop.time() + give_up_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await self._once(order)
            except BossError as error:
                self.retries += 1
                if end_s is not None and loop.time() + pause_s > end_s:
                    raise BossError(f"order {order.order_id} at {self.config.url}: {error}") from None
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def close(self) -> None:
        """Closes idle connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _once(self, order: OrderWanted) -> OrderDone:
        import httpx  # a seventh of a second, needed from the first order on

        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self.config.url,
                timeout=self.config.timeout_s,
                transport=self.transport,
                trust_env=False,
                headers=boss_headers(self.config),
            )
        body = {
            "order_id": order.order_id,
            "msisdn": str(order.msisdn),
            "offer": order.offer,
            "channel": order.channel,
            "t_us": order.t_us,
        }
        try:
            answer = await self._client.post("/orders", json=body)
        except httpx.HTTPError as error:
            raise BossError(f"{type(error).__name__} {error}".strip()) from None
        if answer.status_code in AGAIN or answer.status_code >= 500:
            raise BossError(f"HTTP {answer.status_code}")
        if not answer.is_success:
            return OrderDone(order.order_id, "refused", answer.text[:200])
        if not _speaks_of(answer, body):
            # Whoever said that was not BOSS, or spoke of something else: the outcome is not known.
            raise BossError(f"HTTP {answer.status_code} that does not speak of this order")
        return OrderDone(order.order_id, "done", answer.text[:200])


def _speaks_of(answer: Any, wanted: dict[str, Any]) -> bool:
    """Whether an answer is of this customer's order for this offer; its id may be that of an earlier one."""
    try:
        said = answer.json()
    except ValueError:
        return False
    return isinstance(said, dict) and all(said.get(key) == wanted[key] for key in ("msisdn", "offer"))
