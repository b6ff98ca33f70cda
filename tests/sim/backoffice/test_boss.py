"""BOSS: its state, its HTTP face in memory, and its server on a real port."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.backoffice.boss import Boss, BossDoor, Customer, Order, OrderConflict, UnknownCustomer, asgi_app

ANN = Customer("8613900000001", imsi="001010000000001", brand="gotone", often_off=True, services=("sms",))
BEN = Customer("8613900000002")
WISH = {
    "order_id": "o1",
    "msisdn": ANN.msisdn,
    "offer": "travel-pack",
    "channel": "sms",
    "t_us": 1_164_299_400_000_000,
}


@pytest.fixture
def boss() -> Boss:
    return Boss([ANN, BEN])


@pytest.fixture
def http(boss: Boss) -> Iterator[httpx.Client]:
    with BossDoor(boss) as door, httpx.Client(base_url=door.url) as client:
        yield client


# ---- state


def test_the_first_order_stands(boss: Boss) -> None:
    order, new = boss.order("o1", ANN.msisdn, "travel", "sms", 10)
    assert (order, new) == (Order("o1", ANN.msisdn, "travel", "sms", 10), True)
    assert boss.order("o1", ANN.msisdn, "travel", "sms", 99) == (order, False)
    assert boss.order("o2", ANN.msisdn, "travel", "sms", 20) == (order, False)
    assert boss.order("o3", ANN.msisdn, "music", "sms", 20)[1]
    assert boss.organic(BEN.msisdn, "travel", 30)[1]
    assert [one.order_id for one in boss.orders()] == ["o1", "o2", "o3", f"organic.{BEN.msisdn}.travel"]
    assert [one.first for one in boss.orders()] == [True, False, True, True]
    assert [one.offer for one in boss.orders_of(ANN.msisdn)] == ["travel", "music"]
    assert boss.counts == {"orders": 4, "take_up": 3, "requests": 5}


def test_wishes_that_cannot_be(boss: Boss) -> None:
    boss.order("o1", ANN.msisdn, "travel", "sms", 10)
    with pytest.raises(OrderConflict, match=r"'o1' already stands for offer 'travel' of 8613900000001"):
        boss.order("o1", BEN.msisdn, "travel", "sms", 10)
    with pytest.raises(UnknownCustomer, match="8613900000009"):
        boss.order("o2", "8613900000009", "travel", "sms", 10)


def test_customers_may_be_made_on_demand() -> None:
    class Everybody(Mapping[str, Customer]):
        def __getitem__(self, msisdn: str) -> Customer:
            return Customer(msisdn)

        def __iter__(self) -> Iterator[str]:
            return iter(())

        def __len__(self) -> int:
            return 0

    assert Boss(Everybody()).customer("861").msisdn == "861"


@given(st.permutations([(f"o{i}", 100 - i % 4) for i in range(8)]))
def test_the_record_does_not_depend_on_who_was_heard_first(heard: list[tuple[str, int]]) -> None:
    boss = Boss([ANN])
    for order_id, t_us in heard:
        boss.order(order_id, ANN.msisdn, "travel", "sms", t_us)
    orders = boss.orders()
    assert [one.order_id for one in orders] == ["o3", "o7", "o2", "o6", "o1", "o5", "o0", "o4"]
    assert [one.first for one in orders] == [True] + [False] * 7


def test_many_threads_make_one_take_up(boss: Boss) -> None:
    news: list[bool] = []

    def order(number: int) -> None:
        news.append(boss.order(f"o{number}", ANN.msisdn, "travel", "sms", number)[1])

    threads = [threading.Thread(target=order, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(news) == 1
    assert boss.counts["orders"] == 20


# ---- HTTP


def test_orders_by_http(http: httpx.Client, boss: Boss) -> None:
    first = http.post("/orders", json=WISH)
    assert (first.status_code, first.json()) == (201, WISH | {"first": True})
    again = http.post("/orders", json=WISH | {"t_us": 5})
    assert (again.status_code, again.json()) == (200, first.json())
    other_id = http.post("/orders", json=WISH | {"order_id": "o2"})
    assert (other_id.status_code, other_id.json()["order_id"]) == (200, "o1")
    conflict = http.post("/orders", json=WISH | {"offer": "music"})
    assert (conflict.status_code, "already stands" in conflict.json()["detail"]) == (409, True)
    assert http.post("/orders", json=WISH | {"order_id": "o3", "msisdn": "8613900000009"}).status_code == 404
    assert len(boss.orders()) == 2


def test_customers_by_http(http: httpx.Client) -> None:
    http.post("/orders", json=WISH)
    found = http.get(f"/customers/{ANN.msisdn}")
    assert found.status_code == 200
    assert found.json()["brand"] == "gotone"
    assert found.json()["services"] == ["sms"]
    assert found.json()["orders"] == [WISH | {"first": True}]
    assert http.get("/customers/8613900000009").status_code == 404
    assert http.get("/customers/abc").status_code == 422
    assert http.get("/healthz").json() == {"status": "ok", "orders": 1, "take_up": 1, "requests": 1}


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"msisdn": "+8613900000001"}, "msisdn", "7 to 15 digits"),
        ({"msisdn": 8613900000001}, "msisdn", "valid string"),
        ({"t_us": "5"}, "t_us", "valid integer"),
        ({"t_us": 1.5}, "t_us", "valid integer"),
        ({"order_id": ""}, "order_id", "at least 1"),
        ({"offer": "x" * 200}, "offer", "at most 128"),
        ({"offre": "x"}, "offre", "not permitted"),
        ({"channel": None}, "channel", "valid string"),
    ],
)
def test_wrong_orders_are_told_what_was_expected(
    http: httpx.Client, boss: Boss, change: dict, field: str, expected: str
) -> None:
    answer = http.post("/orders", json=WISH | change)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert expected in error["expected"]
    assert boss.orders() == ()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b'{"t_us": 1e400}', b"[" * 5000]
)
def test_rubbish_is_a_422(http: httpx.Client, content: bytes) -> None:
    answer = http.post("/orders", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


def test_missing_keys_are_all_named(http: httpx.Client) -> None:
    answer = http.post("/orders", json={})
    assert {one["field"] for one in answer.json()["errors"]} == set(WISH)


def test_in_memory(boss: Boss) -> None:
    import asyncio

    async def story() -> None:
        transport = httpx.ASGITransport(app=asgi_app(boss))
        async with httpx.AsyncClient(transport=transport, base_url="http://boss") as client:
            assert (await client.post("/orders", json=WISH)).status_code == 201
            assert (await client.post("/orders", json=WISH)).status_code == 200

    asyncio.run(story())
    assert len(boss.orders()) == 1


# ---- server


def test_the_door_starts_and_stops_fast_and_leaves_nothing(boss: Boss) -> None:
    began = time.perf_counter()
    door = BossDoor(boss)
    port = door.port
    with httpx.Client(base_url=door.url) as client:
        assert client.get("/healthz").status_code == 200
        door.close()
        door.close()
    assert time.perf_counter() - began < 30
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    assert not [one for one in threading.enumerate() if one.name == "boss-door"]


def test_a_taken_port_is_an_oserror(boss: Boss) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        BossDoor(boss, port=taken.getsockname()[1])


def test_a_request_takes_milliseconds(http: httpx.Client) -> None:
    http.post("/orders", json=WISH)
    took_s = []
    for _ in range(30):
        began = time.perf_counter()
        http.post("/orders", json=WISH)
        took_s.append(time.perf_counter() - began)
    # Delayed acknowledgements would make each of them 0.04; a busy machine delays some, not all.
    assert min(took_s[10:]) < 0.03
