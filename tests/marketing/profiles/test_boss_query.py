"""Asking BOSS live, over real HTTP: answers, cache, breaker; a BOSS that is slow, wrong or away."""

import asyncio
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.config import BossQueryConfig
from marketing.profiles.boss_query import BOSS_COLUMNS, BossQuery, Breaker, _Failed, _read
from sim.backoffice.boss import Boss, BossDoor, Customer

ANN, BEN, EVE = 8613900000001, 8613900000002, 8613900000009
NOW = 1_200_000_000_000_000
NAMES = tuple(BOSS_COLUMNS)


def config(**changes: Any) -> BossQueryConfig:
    return BossQueryConfig.model_validate(
        {"timeout_s": 5, "cache_s": 300, "cache_size": 1000, "failures": 3, "rest_s": 10} | changes
    )


def said(columns):
    return {
        name: [column.value(row) for row in range(len(column))] for name, column in columns.items()
    }  # fmt: skip


def asking(url: str, work: Callable[..., Any], **changes: Any) -> Any:
    """Runs `work(query)` on a loop of its own."""

    async def main() -> Any:
        query = BossQuery(url, config(**changes))
        try:
            return await work(query)
        finally:
            await query.close()

    return asyncio.run(main())


def money(msisdns, t_us):
    return {str(ANN): (1234 if t_us == NOW else 99, None), str(BEN): (None, 5000)}


@pytest.fixture(scope="module")
def desk():
    customers = [
        Customer(str(ANN), brand="easyown", services=("mms", "wap")),
        Customer(str(BEN), brand="gotone"),
    ]
    boss = Boss(customers, money)
    with BossDoor(boss) as door:
        yield boss, door.url


class Odd(ThreadingHTTPServer):
    """A BOSS that answers as it is told."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.server.requests += 1
                answer(self)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_):
        pass


def reply(body: bytes, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler):
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_what_boss_knows_and_what_it_does_not(desk):
    boss, url = desk

    async def work(query):
        first = await query.ask([ANN, EVE, BEN, ANN], NAMES, NOW)
        boss.order("o1", str(BEN), "travel-pack", "sms", NOW - 1)
        kept = await query.ask([BEN], ["services"], NOW + 299_000_000)
        fresh = await query.ask([BEN, ANN], ["services", "balance"], NOW + 301_000_000)
        return said(first), said(kept), said(fresh), query.counts

    first, kept, fresh, counts = asking(url, work)
    assert first == {
        "brand": ["easyown", None, "gotone", "easyown"],
        "services": [("mms", "wap"), None, (), ("mms", "wap")],
        "balance": [12.34, None, None, 12.34],
        "charges": [None, None, 50.0, None],
    }
    assert kept == {"services": [()]}  # within its time an answer holds
    assert fresh == {"services": [("travel-pack",), ("mms", "wap")], "balance": [None, 0.99]}
    assert counts == {"asked": 7, "cached": 1, "requests": 2, "answered": 2}


def test_many_are_asked_in_few_requests_and_the_cache_is_bounded(desk):
    numbers = [8613900000000 + i for i in range(950)]

    async def work(query):
        await query.ask(numbers[:-100], ["brand"], NOW)
        await query.ask(numbers[-100:], ["brand"], NOW)
        kept = len(query._cache)
        await query.ask(numbers[-100:], ["brand"], NOW)
        return kept, query.counts

    kept, counts = asking(desk[1], work, cache_size=100)
    assert kept == 100
    assert (counts["requests"], counts["cached"]) == (6, 100)


def test_a_clock_set_back_does_not_keep_answers_for_ever(desk):
    async def work(query):
        await query.ask([ANN], ["brand"], NOW)
        await query.ask([ANN], ["brand"], NOW - 3_600_000_000)
        return query.counts["requests"]

    assert asking(desk[1], work) == 2


def test_who_is_being_asked_about_is_not_asked_about_twice():
    body = json.dumps({"accounts": [{"msisdn": str(ANN), "brand": "easyown"}]}).encode()
    gate = threading.Event()

    def answer(handler):
        gate.wait(10)
        reply(body)(handler)

    async def work(query):
        asked = [asyncio.create_task(query.ask([ANN], ["brand"], NOW)) for _ in range(5)]
        await asyncio.sleep(0.05)
        gate.set()
        return [said(one)["brand"] for one in await asyncio.gather(*asked)]

    with Odd(answer) as odd:
        assert asking(odd.url, work) == [["easyown"]] * 5
        assert odd.requests == 1


def test_a_slow_boss_costs_its_time_and_no_more_and_the_loop_goes_on():
    stop = threading.Event()

    def dribble(handler):
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        while not stop.wait(0.02):  # a little now and then: no single read takes long
            handler.wfile.write(b" ")

    async def work(query):
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        answers = [said(await query.ask([ANN], ["brand"], NOW)) for _ in range(4)]
        ticking.cancel()
        return answers, query.counts, query.breaker.state, ticks

    with Odd(dribble) as odd:
        answers, counts, state, ticks = asking(odd.url, work, timeout_s=0.15)
        stop.set()
    assert answers == [{"brand": [None]}] * 4
    assert (counts["timeout"], counts["resting"], state) == (3, 1, "open")
    assert ticks > 10


WRONG = [
    (b"", 200, "wrong"),
    (b"not json", 200, "wrong"),
    (b"[]", 200, "wrong"),
    (b'{"accounts": 7}', 200, "wrong"),
    (b'{"accounts": [{}]}', 200, "wrong"),
    (b"[" * 100_000, 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": str(EVE)}]}).encode(), 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": str(ANN)}] * 2}).encode(), 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": str(ANN), "balance_fen": 1.5}]}).encode(), 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": str(ANN), "balance_fen": True}]}).encode(), 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": str(ANN), "balance_fen": 10**30}]}).encode(), 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": str(ANN), "services": "mms"}]}).encode(), 200, "wrong"),
    (json.dumps({"accounts": [{"msisdn": ANN}]}).encode(), 200, "wrong"),
    (b" " * (2 << 20), 200, "wrong"),
    (b"{}", 500, "status"),
    (b"{}", 404, "status"),
]


@pytest.mark.parametrize(("body", "status", "kind"), WRONG)
def test_a_wrong_answer_is_no_answer(body, status, kind):
    async def work(query):
        return said(await query.ask([ANN], NAMES, NOW)), query.counts

    with Odd(reply(body, status)) as odd:
        answer, counts = asking(odd.url, work)
    assert answer == {name: [None] for name in NAMES}
    assert counts[kind] == 1
    assert not counts["answered"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["accounts", "msisdn", "brand", "services", "balance_fen"]), inner, max_size=4
    ),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_octets_are_an_answer_or_none(octets):
    try:
        found = _read(octets, {ANN})
    except _Failed:
        return
    assert set(found) <= {ANN}


def test_an_absent_boss_is_left_in_peace_and_found_again():
    now_s = 0.0
    body = json.dumps({"accounts": [{"msisdn": str(ANN), "brand": "easyown"}]}).encode()
    with Odd(reply(body)) as odd:
        port = odd.server_port
        url = odd.url

    async def work(query):
        nonlocal now_s
        query.seconds = lambda: now_s
        states = []
        for _ in range(4):
            await query.ask([ANN], ["brand"], NOW)
            states.append(query.breaker.state)
        now_s = 10.0
        await query.ask([ANN], ["brand"], NOW)  # tries once, in vain
        states.append(query.breaker.state)
        now_s = 15.0
        await query.ask([ANN], ["brand"], NOW)
        states.append(query.breaker.state)
        now_s = 20.0
        with Back(port, reply(body)):
            answer = said(await query.ask([ANN], ["brand"], NOW))
        states.append(query.breaker.state)
        return states, answer, query.counts

    states, answer, counts = asking(url, work)
    assert states == ["closed", "closed", "open", "open", "open", "open", "closed"]
    assert answer == {"brand": ["easyown"]}
    assert counts == {"asked": 7, "requests": 5, "network": 4, "resting": 2, "answered": 1}


class Back(Odd):
    """The same on the port where nobody was."""

    def __init__(self, port, answer):
        self._port = port
        super().__init__(answer)

    def server_bind(self):
        self.server_address = ("127.0.0.1", self._port)
        super().server_bind()


def test_only_one_request_tries_while_half_open():
    breaker = Breaker(failures=2, rest_s=5)
    assert breaker.may_ask(0)
    breaker.failed(0)
    breaker.succeeded()  # in a row, not in all
    breaker.failed(0)
    assert breaker.may_ask(0)
    breaker.failed(1)
    assert (breaker.state, breaker.opened) == ("open", 1)
    assert not breaker.may_ask(5.9)
    assert breaker.may_ask(6)
    assert breaker.state == "half-open"
    assert not breaker.may_ask(6)
    breaker.gave_up()
    assert breaker.may_ask(6)
    breaker.failed(7)
    assert (breaker.state, breaker.opened, breaker.may_ask(11)) == ("open", 2, False)
    assert breaker.may_ask(12)
    breaker.succeeded()
    assert breaker.state == "closed"


def test_whoever_stops_waiting_does_not_strand_the_others():
    gate = threading.Event()
    body = json.dumps({"accounts": []}).encode()

    def answer(handler):
        gate.wait(10)
        reply(body)(handler)

    async def work(query):
        first = asyncio.create_task(query.ask([ANN], ["brand"], NOW))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(query.ask([ANN], ["brand"], NOW))
        await asyncio.sleep(0.05)
        unborn = asyncio.create_task(query.ask([BEN], ["brand"], NOW))
        await asyncio.sleep(0)  # it has noted whom it asks about, and its request has not begun
        unborn.cancel()
        first.cancel()
        answer = said(await asyncio.wait_for(second, 5))
        gate.set()
        return answer, query._under_way

    with Odd(answer) as odd:
        assert asking(odd.url, work) == ({"brand": [None]}, {})


def test_waiting_for_a_turn_is_not_held_against_boss():
    gate = threading.Event()

    def answer(handler):
        gate.wait(10)
        reply(b"{}")(handler)

    async def work(query):
        await query.ask([ANN + i for i in range(2000)], ["brand"], NOW)
        gate.set()
        return query.counts, query.breaker._in_a_row

    with Odd(answer) as odd:
        counts, held_against = asking(odd.url, work, timeout_s=0.2, failures=50)
    assert counts["crowded"] > 0
    assert counts["requests"] == counts["timeout"] == 10 - counts["crowded"] == held_against


def test_names_that_boss_does_not_know(desk):
    async def work(query):
        with pytest.raises(LookupError, match="known are brand, services, balance, charges"):
            await query.ask([ANN], ["mood"], NOW)
        return await query.ask([], NAMES, NOW)

    assert {len(column) for column in asking(desk[1], work).values()} == {0}


def test_more_services_than_bits():
    accounts = [
        {
            "msisdn": str(ANN + i),
            "services": [f"s{j}" for j in range(60)] if i else [f"r{j}" for j in range(60)],
        }
        for i in range(3)
    ]

    async def work(query):
        return await query.ask([ANN + i for i in range(3)], ["services"], NOW)

    with Odd(reply(json.dumps({"accounts": accounts}).encode())) as odd:
        column = asking(odd.url, work)["services"]
    assert column.value(0) is None  # of the rare ones
    assert np.all(column.has("s7") == [False, True, True])
