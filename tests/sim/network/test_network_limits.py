"""What the network has only so much of, and where it ends: channels, other exchanges, other networks."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from sim.bssap.flat import view
from sim.draws import EXPONENTIAL, Draws
from sim.network import acts
from sim.network.build import Settings, build_network
from sim.network.intents import Identities, Journeys, Services

SECOND = 1_000_000
HOUR = 3600 * SECOND


class Changed:
    """A topology with some columns of its own."""

    def __init__(self, topology, **columns) -> None:
        self._topology = topology
        self.__dict__ |= columns

    def __getattr__(self, name):
        return getattr(self._topology, name)


def crowd(n: int, cell: int, calls: SimpleNamespace) -> SimpleNamespace:
    """n people in one cell who do nothing but make these calls."""
    nothing = np.zeros(0, np.int64)

    def rows(t_us, from_us, to_us):
        return slice(*np.searchsorted(t_us, (from_us, to_us)).tolist())

    def made(from_us, to_us):
        inside = rows(calls.t_us, from_us, to_us)
        return SimpleNamespace(**{name: column[inside] for name, column in vars(calls).items()})

    still = SimpleNamespace(
        sub=nothing, leave_us=nothing, ride_us=nothing, from_cell=nothing, to_cell=nothing
    )
    silent = SimpleNamespace(
        t_us=nothing,
        sub=nothing,
        kind=nothing,
        peer_sub=nothing,
        peer_number=np.zeros(0, "S20"),
        text_id=nothing,
    )
    awake = SimpleNamespace(t_us=nothing, sub=nothing, on=nothing.astype(bool), graceful=nothing.astype(bool))
    return SimpleNamespace(
        trips=lambda *_: still,
        imei_at=lambda _: np.zeros(n, np.uint64),
        power=lambda *_: awake,
        calls=made,
        texts=lambda *_: silent,
        services=lambda *_: Services.none(),
        journeys=lambda *_: Journeys.none(),
        next_on_us=lambda *_: -1,
        state_at=lambda _: (np.full(n, cell, np.int32), np.ones(n, bool)),
    )


def poisson_calls(n: int, seed: int, per_hour: int, hours: int, talk_s: float) -> SimpleNamespace:
    """Calls to a service line, each of another subscriber, with exponential gaps and conversations."""
    count = per_hour * hours
    u = Draws(seed).block("call_own", np.arange(count))
    gaps = EXPONENTIAL.quantile(u[0]) * (3600 * SECOND // per_hour) // 65536
    talk = EXPONENTIAL.quantile(u[1]) * int(talk_s * SECOND) // 65536
    sub = np.arange(count, dtype=np.int64) * 7919 % n
    return SimpleNamespace(
        t_us=np.cumsum(gaps), sub=sub, kind=np.full(count, 2), peer_sub=np.full(count, -1),
        peer_number=np.full(count, b"10086", "S20"), alert_us=np.full(count, SECOND),
        ring_us=np.full(count, 2 * SECOND), talk_us=talk, intent=np.zeros(count, np.int64),
        hangup=np.ones(count, np.int64),
    )  # fmt: skip


def erlang_b(channels: int, offered_erl: float) -> float:
    """Share of calls lost, by the recursion of the formula."""
    blocked = 1.0
    for n in range(1, channels + 1):
        blocked = offered_erl * blocked / (n + offered_erl * blocked)
    return blocked


@pytest.mark.parametrize(("channels", "per_hour"), [(7, 130), (15, 330)])
def test_blocking_is_that_of_erlang_b(topology, library, channels, per_hour) -> None:
    """Within 4.5 deviations of independent calls, doubled as refusals come in clusters; seed fixed."""
    n, hours, cell = 9000, 24, 0
    people = crowd(n, cell, poisson_calls(n, 3, per_hour, hours, 120.0))
    numbers = np.arange(n, dtype=np.uint64)
    identities = Identities(numbers + np.uint64(1010000000000), numbers + np.uint64(8613900000000))

    def live(tch: int):
        limits = np.full(topology.n, 0, np.int32)
        limits[cell] = tch
        net = build_network(
            Settings(t3212_us=10_000 * HOUR), Changed(topology, tch=limits, sdcch=np.full(topology.n, -1)),
            identities, people, Draws(5), library, 0, hours * HOUR,
        )  # fmt: skip
        net.settle(hours * HOUR)
        return net.traffic()[cell], net.take_acts()

    free, _ = live(10_000)
    offered = free["tch_us"] / (hours * HOUR)
    found, done = live(channels)
    asked, refused = int(found["tch_asked"]), int(found["tch_refused"])
    expected = erlang_b(channels, offered)
    assert 0.02 < expected < 0.2
    assert abs(refused / asked - expected) < 2 * 4.5 * (expected / asked) ** 0.5
    assert found["tch_us"] / (hours * HOUR) == pytest.approx(offered * (1 - refused / asked), rel=0.05)
    lost = done[done["outcome"] == b"no channel"]
    assert len(lost) == refused


def test_a_handover_without_channel_is_refused_once_however_often_it_asks(
    topology, library, identities, script, across
) -> None:
    here, there = across(4097, 4098)
    limits = np.full(topology.n, 5, np.int32)
    limits[there] = 0
    story = script(
        [here] * 6, moves=[(HOUR + 40 * SECOND, 0, there)],
        calls=[(HOUR, 0, 2, -1, "10086", SECOND, SECOND, 120 * SECOND, 0, 1)],
    )  # fmt: skip
    net = build_network(
        Settings(t3212_us=10_000 * HOUR), Changed(topology, tch=limits, sdcch=limits), identities,
        story.people(), Draws(5), library, 0, 3 * HOUR,
    )  # fmt: skip
    net.settle(3 * HOUR)
    found = net.traffic()[there]
    assert (found["handovers_refused"], found["handovers_in"]) == (1, 0)
    # Every five seconds from the border on to the end of the call.
    assert 12 <= found["handovers_repeated"] <= 16
    assert (found["tch_asked"], found["tch_refused"]) == (0, 0)
    assert net.traffic()[here]["tch_asked"] == 1


def pairs_lost(channels: int, calls_erl: float, wait: float) -> float:
    """Share of requests refused where both sides of each call ask in one cell, the second after the first.

    A Markov chain of calls that hold two channels and of callers alone, whose other side was refused: these
    are gone after `wait` of a conversation. Rates are in conversations; `calls_erl` calls begin in one.
    """
    states = [(p, s) for p in range(channels // 2 + 1) for s in range(channels - 2 * p + 1)]
    at = {state: k for k, state in enumerate(states)}
    flow = np.zeros((len(states), len(states)))
    for (p, s), k in at.items():
        free = channels - 2 * p - s
        if free:
            flow[k, at[(p + 1, s) if free > 1 else (p, s + 1)]] += calls_erl
        if p:
            flow[k, at[p - 1, s]] += p
        if s:
            flow[k, at[p, s - 1]] += s / wait
    flow -= np.diag(flow.sum(axis=1))
    balance = np.vstack((flow.T, np.ones(len(states))))
    share = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    free = np.array([channels - 2 * p - s for p, s in states])
    none, one = share[free == 0].sum(), share[free == 1].sum()
    return float((none + one) / (none + 2 * (1 - none)))


@pytest.mark.parametrize(("channels", "per_hour"), [(8, 70), (9, 80), (15, 160)])
def test_calls_within_a_cell_are_refused_as_pairs_are(topology, library, channels, per_hour) -> None:
    """Both sides of a call ask the same cell at once: more is refused than Erlang's formula has, by theory.

    Bounds as above. Never are more channels held than there are.
    """
    n, hours, cell = 9000, 48, 0
    calls = poisson_calls(n, 3, per_hour, hours, 120.0)
    calls.kind = np.full_like(calls.kind, 1)
    calls.peer_sub = (calls.sub + n // 2) % n
    calls.peer_number = np.full(len(calls.sub), b"", "S20")
    numbers = np.arange(n, dtype=np.uint64)
    identities = Identities(numbers + np.uint64(1010000000000), numbers + np.uint64(8613900000000))

    def live(tch: int):
        limits = np.full(topology.n, 0, np.int32)
        limits[cell] = tch
        net = build_network(
            Settings(t3212_us=10_000 * HOUR), Changed(topology, tch=limits, sdcch=np.full(topology.n, -1)),
            identities, crowd(n, cell, calls), Draws(5), library, 0, hours * HOUR,
        )  # fmt: skip
        held = [0]
        for step in range(1, 4 * 360 + 1):  # of ten seconds
            net.settle(step * 10 * SECOND)
            held.append(int(net.traffic()[cell]["tch_us"]))
        net.settle(hours * HOUR)
        return net.traffic()[cell], np.diff(held) / (10 * SECOND)

    free, _ = live(10_000)
    offered = free["tch_us"] / (hours * HOUR)
    found, held = live(channels)
    assert channels - 1 < held.max() <= channels
    asked, refused = int(found["tch_asked"]), int(found["tch_refused"])
    calls_erl = offered / 2
    wait = 6.0 / (free["tch_us"] / free["tch_asked"] / SECOND)  # till the caller is told, seconds
    expected = pairs_lost(channels, calls_erl, wait)
    assert expected > 1.1 * erlang_b(channels, offered)
    assert abs(refused / asked - expected) < 2 * 4.5 * (expected / asked) ** 0.5
    assert abs(refused / asked - expected) < abs(refused / asked - erlang_b(channels, offered))


def test_without_an_sdcch_nothing_reaches_the_a_interface(
    topology, library, network, script, cell_of
) -> None:
    here = cell_of(4097)
    limits = np.zeros(topology.n, np.int32)
    story = script([here] * 6, calls=[(HOUR, 0, 2, -1, "10086", SECOND, SECOND, 60 * SECOND, 0, 1)])
    numbers = np.arange(6, dtype=np.uint64)
    net = build_network(
        Settings(t3212_us=10_000 * HOUR), Changed(topology, sdcch=limits, tch=limits + 10),
        Identities(numbers + np.uint64(1), numbers + np.uint64(1)), story.people(), Draws(5),
        library, 0, 3 * HOUR,
    )  # fmt: skip
    net.settle(3 * HOUR)
    assert net.window(3 * HOUR) is None
    assert net.take_acts()["outcome"].tolist() == [b"no channel"]
    assert net.traffic()["sdcch_refused"][here] == 1


@pytest.fixture
def two_exchanges(topology, library, identities):
    """The same network with the second BSC at an MSC of its own."""
    changed = Changed(topology, msc_point_codes=(1, 2), msc_of_bsc=(0, 1))

    def build(story, until_us=3 * HOUR):
        settings = Settings(t3212_us=10_000 * HOUR, ping_pong_share=0.0, handover_failure_share=0.0)
        net = build_network(settings, changed, identities, story.people(), Draws(5), library, 0, until_us)
        net.keep_journal()
        net.settle(until_us)
        return net

    return build


def messages(batch):
    """Point codes and flat keys of every message."""
    for i in range(batch.n):
        octets = batch.message(i)
        opc, dpc = int.from_bytes(octets[12:16], "big"), int.from_bytes(octets[16:20], "big")
        length = int.from_bytes(octets[10:12], "big")
        yield opc, dpc, view("sccp", octets[24 : 8 + length])


def test_a_call_goes_on_at_another_exchange(two_exchanges, script, across) -> None:
    here, there = across(4098, 4099)
    call = (HOUR, 0, 2, -1, "10086", SECOND, SECOND, 120 * SECOND, 0, 1)
    net = two_exchanges(script([here] * 6, moves=[(HOUR + 60 * SECOND, 0, there)], calls=[call]))
    kinds = [begun.shape.kind for begun in net.journal]
    assert kinds == ["mo_call_answered", "mo_call_handover_inter_msc", "lu_normal"]
    batch, visible = net.window(1 << 60)
    said = [(opc, dpc, m.get("bssmap") or m.get("dtap")) for opc, dpc, m in messages(batch)]
    assert (2, 258, "HANDOVER REQUEST") in said
    assert (1, 257, "HANDOVER COMMAND") in said
    assert (258, 2, "HANDOVER COMPLETE") in said
    assert (258, 2, "DISCONNECT") in said
    assert visible["kind"].tolist() == [10, 11, 30, 12, 3]


def test_the_vlr_of_another_exchange_gives_a_tmsi_of_its_own(two_exchanges, script, across) -> None:
    here, there = across(4098, 4099)
    net = two_exchanges(script([here] * 6, moves=[(HOUR, 0, there), (2 * HOUR, 0, here)]))
    given = [begun.new_tmsi for begun in net.journal]
    assert len(given) == 2
    assert all(given)


def test_who_is_abroad_is_not_reached_and_comes_back_as_a_stranger(
    topology, library, identities, script, cell_of
) -> None:
    here, foreign = cell_of(4097), 0x64F000
    calls = [(2 * HOUR, 0, 1, 1, "", SECOND, SECOND, 60 * SECOND, 0, 1)]
    people = script([here] * 6, calls=calls).people()
    people.journeys = lambda from_us, to_us: Journeys(
        np.array([HOUR, 4 * HOUR]), np.array([1, 1]), np.array([-1, here], np.int32),
        np.array([0, foreign], np.int32), np.array([0, 777], np.int32),
    ) if from_us == 0 else Journeys.none()  # fmt: skip
    net = build_network(
        Settings(t3212_us=10_000 * HOUR), topology, identities, people, Draws(5), library, 0, 6 * HOUR
    )
    net.settle(6 * HOUR)
    batch, visible = net.window(6 * HOUR)
    done = net.take_acts()
    assert [(int(s), int(k)) for s, k in zip(done["sub"], done["kind"], strict=True)] == [
        (1, acts.ROAMED_OUT), (0, acts.CALL_MADE), (1, acts.ROAMED_IN), (1, acts.LOCATION_UPDATE),
    ]  # fmt: skip
    assert visible["kind"].tolist() == [10, 17, 3]
    update = next(m for _, _, m in messages(batch) if m.get("dtap") == "LOCATION UPDATING REQUEST")
    assert update["ies"]["Location area identification"] == {"mcc": "460", "mnc": "00", "lac": 777}
    assert any(m.get("dtap") == "IDENTITY REQUEST" for _, _, m in messages(batch))
    assert net.station(1).registered_lac == 4097


def test_services(topology, library, identities, script, cell_of) -> None:
    people = script([cell_of(4097)] * 6).people()
    people.services = lambda from_us, to_us: Services(
        np.arange(6) * 60 * SECOND + HOUR, np.arange(6), np.arange(6, dtype=np.uint8),
        np.zeros(6, np.int32), np.full(6, b"8613300000001", "S20"),
    ) if from_us == 0 else Services.none()  # fmt: skip
    people.dialogue = lambda number: {1: ("*100#", "Balance: 20.00")}[number]
    net = build_network(
        Settings(t3212_us=10_000 * HOUR), topology, identities, people, Draws(5), library, 0, 3 * HOUR
    )
    net.keep_journal()
    net.settle(3 * HOUR)
    assert [begun.shape.kind for begun in net.journal] == [
        "ussd_query", "ussd_refused", "cf_register", "cf_erase", "cf_interrogate", "cw_activate",
    ]  # fmt: skip
    batch, _ = net.window(3 * HOUR)
    said = [m.get("ussd") for _, _, m in messages(batch) if "ussd" in m]
    assert said == ["*100#", "Balance: 20.00", "*100#"]
    assert net.take_acts()["kind"].tolist() == [acts.SERVICE_USED] * 6


def test_texts_queue_for_a_channel_and_all_arrive(topology, library, script, cell_of) -> None:
    here, n = cell_of(4097), 6
    texts = [(HOUR, sub, 3, -1, "8613300000001", 0) for sub in range(n)]
    limits = np.full(topology.n, 1, np.int32)
    numbers = np.arange(n, dtype=np.uint64)
    net = build_network(
        Settings(t3212_us=10_000 * HOUR), Changed(topology, sdcch=limits, tch=limits),
        Identities(numbers + np.uint64(1), numbers + np.uint64(1)),
        script([here] * n, texts=texts).people(), Draws(5), library, 0, 3 * HOUR,
    )  # fmt: skip
    net.keep_journal()
    net.settle(3 * HOUR)
    received = [begun for begun in net.journal if begun.shape.kind.startswith("mt_sms")]
    assert {begun.sub for begun in received} == set(range(n))
    spans = sorted((begun.start_us, begun.end_us) for begun in received)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert net.traffic()["sdcch_refused"][here] >= n - 1


def test_the_handset_of_the_day_is_asked_for_its_imei(topology, library, identities, script, cell_of) -> None:
    power = [
        (day * 24 * HOUR + (2 + k) * HOUR, 0, k % 2 == 1, True) for day in range(2) for k in range(20)
    ]  # fmt: skip
    story = script([cell_of(4097)] * 6, power=power)
    net = build_network(
        Settings(t3212_us=10_000 * HOUR),
        topology,
        identities,
        story.people(),
        Draws(5),
        library,
        0,
        48 * HOUR,
    )
    net.settle(48 * HOUR)
    batch, _ = net.window(48 * HOUR)
    shown = [
        (t >= 24 * HOUR, m["imei"])
        for t, (_, _, m) in zip(batch.t_us, messages(batch), strict=True)
        if "imei" in m
    ]
    assert {day for day, _ in shown} == {False, True}
    assert set(shown) == {(False, "490154203237510"), (True, "490154203237610")}


def test_who_is_in_another_network_at_the_start_comes_as_a_stranger(
    topology, library, identities, script, cell_of
) -> None:
    here, foreign = cell_of(4097), 0x64F000
    people = script([here] * 6, calls=[(HOUR, 0, 1, 1, "", SECOND, SECOND, 60 * SECOND, 0, 1)]).people()
    where, on = people.state_at(0)
    where = np.array(where)
    where[1] = -1
    people.state_at = lambda t_us: (where, on)
    people.journeys = lambda from_us, to_us: Journeys(
        np.array([2 * HOUR]), np.array([1]), np.array([here], np.int32), np.array([foreign], np.int32),
        np.array([777], np.int32),
    ) if from_us == 0 else Journeys.none()  # fmt: skip
    net = build_network(
        Settings(t3212_us=HOUR // 2), topology, identities, people, Draws(5), library, 0, 3 * HOUR
    )
    net.settle(2 * HOUR)
    assert 1 not in net.take_acts()["sub"].tolist()  # no periodic update, no page
    net.settle(3 * HOUR)
    done = net.take_acts()
    assert done["kind"][done["sub"] == 1].tolist()[:2] == [acts.ROAMED_IN, acts.LOCATION_UPDATE]
    assert net.station(1).registered_lac == 4097
