"""Call forwarding: TS 23.082 by condition; what the A interface shows of it and what the truth says."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.world_check import Watch
from sim.bssap import sccp
from sim.bssap.flat import view
from sim.draws import Draws
from sim.network import acts
from sim.network.build import Settings, build_network
from sim.network.intents import (
    ANSWER,
    FORWARDING_ASKED,
    FORWARDING_ERASED,
    FORWARDING_REGISTERED,
    NO_ANSWER,
    ON_BUSY,
    ON_NO_REPLY,
    ON_NOT_REACHABLE,
    REJECT,
    UNCONDITIONAL,
    Services,
)

SECOND = 1_000_000
HOUR = 3600 * SECOND
END = 3 * HOUR
SUBSCRIBERS = 6
ELSEWHERE = b"8613300000001"
EPOCH = 1_180_886_400_000_000
CALLED, CALLER = acts.CALL_RECEIVED, acts.CALL_MADE


def wish(sub=0, t_us=HOUR, kind=1, peer=1, number="", intent=ANSWER, hangup=1, ring_s=8, talk_s=60):
    return (t_us, sub, kind, peer if kind == 1 else -1, number, 2 * SECOND, ring_s * SECOND, talk_s * SECOND,
            intent, hangup)  # fmt: skip


@pytest.fixture
def live(topology, library, identities, script, cell_of):
    """Settles calls among people of whom subscriber 1 has registered conditions half an hour before."""

    def run(calls, conditions, *, erased=(), asked=(), power=(), seed=5):
        half, minute = HOUR // 2, 60 * SECOND
        used = [(half + minute * i, FORWARDING_REGISTERED, c) for i, c in enumerate(conditions)]
        used += [(half + minute * (15 + i), FORWARDING_ERASED, c) for i, c in enumerate(erased)]
        used += [(half + minute * (20 + i), FORWARDING_ASKED, c) for i, c in enumerate(asked)]
        rows = len(used)
        people = script([cell_of(4097)] * SUBSCRIBERS, calls=calls, power=list(power)).people()
        people.services = lambda from_us, to_us: Services(
            np.array([t for t, *_ in used], np.int64), np.ones(rows, np.int64),
            np.array([k for _, k, _ in used], np.uint8), np.array([c for *_, c in used], np.int32),
            np.full(rows, ELSEWHERE, "S20"),
        ) if from_us == 0 else Services.none()  # fmt: skip
        net = build_network(
            Settings(t3212_us=10_000 * HOUR, epoch_unix_us=EPOCH, handover_failure_share=0.0), topology,
            identities, people, Draws(seed), library, 0, END,
        )  # fmt: skip
        net.keep_journal()
        net.settle(END)
        done, (batch, visible) = net.take_acts(), net.window(1 << 60)
        watch = Watch(SimpleNamespace(scenario=SimpleNamespace(epoch_unix_us=EPOCH), topology=topology), END)
        watch.signalling(batch)
        watch.acts(done)
        watch.visible(visible)
        findings = watch.finish()
        assert not findings, findings
        assert watch.cut == 0

        def shown(sub):
            mine = visible[(visible["imsi"] == identities.imsi[sub]) & (visible["kind"] != SS_USED)]
            return list(
                zip(mine["kind"].tolist(), mine["role"].tolist(), mine["cause"].tolist(), strict=True)
            )

        def outcome(sub, kind):
            mine = done[(done["sub"] == sub) & (done["kind"] == kind)]
            return [one.decode() for one in mine["outcome"].tolist()]

        kinds = [b.shape.kind for b in net.journal if not b.shape.kind.startswith("cf_")]
        return SimpleNamespace(shown=shown, outcome=outcome, kinds=kinds, acts=done, visible=visible,
                               batch=batch, journal=net.journal)  # fmt: skip

    return run


SS_USED = 24
STARTED, CONNECTED, ENDED = (10, 1, 0), (11, 1, 0), (12, 1, 16)


def test_all_calls_leave_nothing_on_the_served_side(live):
    done = live([wish()], [UNCONDITIONAL])
    assert done.kinds == ["mo_call_answered"]
    assert done.shown(0) == [STARTED, CONNECTED, ENDED]
    assert done.shown(1) == []
    assert done.outcome(0, CALLER) == ["answered"]
    assert done.outcome(1, CALLED) == ["forwarded"]
    row = done.acts[(done.acts["sub"] == 1) & (done.acts["kind"] == CALLED)][0]
    assert (row["peer_sub"], row["peer_number"]) == (0, b"8613900000001")


@pytest.mark.parametrize("intent", [NO_ANSWER, REJECT])
@pytest.mark.parametrize("power", [[], [(HOUR - SECOND, 1, False, True)], [(HOUR - SECOND, 1, False, False)]])
def test_all_calls_whatever_the_served_one_would_do(live, intent, power):
    done = live([wish(intent=intent)], [UNCONDITIONAL], power=power)
    assert done.outcome(1, CALLED) == ["forwarded"]
    assert done.outcome(0, CALLER) == ["no_answer"]  # nobody answers there either
    assert not any(kind.startswith(("mt_", "paging")) for kind in done.kinds)


def test_what_is_erased_holds_no_longer(live):
    done = live([wish()], [UNCONDITIONAL], erased=[UNCONDITIONAL])
    assert done.outcome(1, CALLED) == ["answered"]
    assert done.kinds == ["mo_call_answered", "mt_call_answered"]


def test_conditions_come_and_go_one_by_one(live):
    done = live([wish()], [UNCONDITIONAL, ON_BUSY, ON_NO_REPLY], erased=[UNCONDITIONAL, ON_NO_REPLY])
    assert done.outcome(1, CALLED) == ["answered"]
    names = [b.shape.kind for b in done.journal if b.shape.kind.startswith("cf_")]
    assert names == ["cf_register", "cf_register_busy", "cf_register_no_reply", "cf_erase",
                     "cf_erase_no_reply"]  # fmt: skip


def test_on_busy(live):
    calls = [wish(1, HOUR, peer=2, talk_s=600), wish(0, HOUR + 120 * SECOND)]
    done = live(calls, [ON_BUSY])
    assert done.shown(0) == [STARTED, CONNECTED, ENDED]
    assert done.outcome(1, CALLED) == ["forwarded"]
    assert done.kinds.count("mt_call_answered") == 1  # that of subscriber 2
    assert live(calls, [ON_NO_REPLY]).outcome(0, CALLER) == ["busy"]
    assert live(calls[1:], [ON_BUSY]).outcome(1, CALLED) == ["answered"]


def test_on_busy_as_the_user_says_it(live):
    """Cause 17 of the handset forwards, cause 21 does not: TS 24.008 5.2.2.3.2, TS 23.082 2."""
    found = Counter()
    for seed in range(24):
        done = live([wish(intent=REJECT)], [ON_BUSY], seed=seed)
        (cause,) = [cause for kind, _, cause in done.shown(1) if kind == 13]
        (outcome,) = done.outcome(1, CALLED)
        found[cause, outcome] += 1
        assert (done.outcome(0, CALLER)[0] == "rejected") == (outcome == "rejected")
    assert set(found) == {(17, "forwarded"), (21, "rejected")}


def test_on_no_reply_rings_first(live):
    found = Counter()
    for seed in range(16):
        done = live([wish(intent=NO_ANSWER, hangup=2, ring_s=40)], [ON_NO_REPLY], seed=seed)
        assert done.shown(1) == [(10, 2, 0), (14, 2, 19)]
        assert done.outcome(1, CALLED) == ["forwarded"]
        (outcome,) = done.outcome(0, CALLER)
        found[outcome] += 1
        rung = done.visible[done.visible["kind"] == 14]
        rung = rung[rung["role"] == 2][0]
        alerting = [t for t, name in times(done.batch, rung["act"]) if name == "ALERTING"]
        assert 20 * SECOND <= rung["t_us"] - EPOCH - alerting[0] < 21 * SECOND
        if outcome == "answered":
            connected = done.visible[(done.visible["kind"] == 11) & (done.visible["role"] == 1)][0]
            assert connected["t_us"] > rung["t_us"]
    assert found["answered"] > found["no_answer"] > 0


def times(batch, act):
    """(time, DTAP message) of an act."""
    found = []
    for i in np.flatnonzero(batch.act == act).tolist():
        octets = batch.message(i)
        payload = octets[24 : 8 + int.from_bytes(octets[10:12], "big")]
        if sccp.decode(payload).type in ("CR", "DT1"):
            found.append((int(batch.t_us[i]), view("sccp", payload).get("dtap")))
    return found


def test_who_gives_up_before_the_timer_is_not_forwarded(live):
    done = live([wish(intent=NO_ANSWER, hangup=1, ring_s=12)], [ON_NO_REPLY])
    assert done.outcome(1, CALLED) == ["no_answer"]
    assert done.shown(0) == [STARTED, (14, 1, 16)]
    done = live([wish(intent=NO_ANSWER, hangup=1, ring_s=25)], [ON_NO_REPLY])
    assert done.outcome(1, CALLED) == ["forwarded"]


@pytest.mark.parametrize("graceful", [True, False])
def test_on_not_reachable(live, graceful):
    off = [(HOUR - SECOND, 1, False, graceful)]
    done = live([wish()], [ON_NOT_REACHABLE], power=off)
    assert done.outcome(1, CALLED) == ["forwarded"]
    assert done.shown(0) == [STARTED, CONNECTED, ENDED]
    # Nobody is paged who has taken leave; of a dead battery nothing is known.
    assert done.kinds.count("paging_only") == (0 if graceful else 1)
    assert live([wish()], [ON_BUSY], power=off).outcome(0, CALLER) == ["unreachable"]


@pytest.mark.parametrize(
    ("condition", "intent", "power", "kinds"),
    [
        (UNCONDITIONAL, ANSWER, [], []),
        (ON_NO_REPLY, NO_ANSWER, [], ["mt_call_no_answer"]),
        (ON_NOT_REACHABLE, ANSWER, [(HOUR - SECOND, 1, False, False)], ["paging_only"]),
    ],
)
def test_calls_from_other_networks(live, condition, intent, power, kinds):
    call = wish(1, kind=5, number="8613300000007", intent=intent, hangup=2)
    done = live([call], [condition], power=power)
    assert [kind for kind in done.kinds if kind != "detach"] == kinds
    assert done.outcome(1, CALLED) == ["forwarded"]


def test_asking_changes_nothing(live):
    done = live([wish()], [UNCONDITIONAL], asked=[UNCONDITIONAL])
    assert [b.shape.kind for b in done.journal][:2] == ["cf_register", "cf_interrogate"]
    assert done.outcome(1, CALLED) == ["forwarded"]
