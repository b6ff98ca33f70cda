"""Cases of the network: who does what in which state; what the network and the tap make of it."""

from __future__ import annotations

import numpy as np
import pytest

from sim.network import acts
from sim.network.intents import ABANDON, ANSWER, BUSY, NO_ANSWER, REJECT, UNREACHABLE

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
SUBSCRIBERS = 6
EPOCH = 1_180_886_400_000_000


def home(cell: int) -> list[int]:
    return [cell] * SUBSCRIBERS


def wish(t_us, sub, kind=1, peer=1, number="", intent=ANSWER, hangup=1, talk_s=60):
    return (
        t_us, sub, kind, peer if kind == 1 else -1, number,
        2 * SECOND, 8 * SECOND, talk_s * SECOND, intent, hangup,
    )  # fmt: skip


# name, call, on, visible of the caller, visible of the callee
CASES = [
    ("answered", wish(HOUR, 0), (), [(10, 1, 0), (11, 1, 0), (12, 1, 16)],
     [(10, 2, 0), (11, 2, 0), (12, 2, 16)]),
    ("answered, callee hangs up", wish(HOUR, 0, hangup=2), (),
     [(10, 1, 0), (11, 1, 0), (12, 1, 16)], [(10, 2, 0), (11, 2, 0), (12, 2, 16)]),
    ("no answer, caller gives up", wish(HOUR, 0, intent=NO_ANSWER), (), [(10, 1, 0), (14, 1, 16)],
     [(10, 2, 0), (14, 2, 16)]),
    ("no answer, network gives up", wish(HOUR, 0, intent=NO_ANSWER, hangup=2), (), [(10, 1, 0), (14, 1, 19)],
     [(10, 2, 0), (14, 2, 19)]),
    ("abandoned", wish(HOUR, 0, intent=ABANDON), (), [(10, 1, 0), (18, 1, 16)], []),
    ("callee off and detached", wish(HOUR, 0), (1,), [(10, 1, 0), (17, 1, 20)], []),
    ("vacant", wish(HOUR, 0, 3, number="96121"), (), [(10, 1, 0), (16, 1, 1)], []),
    ("service line", wish(HOUR, 0, 2, number="10086"), (), [(10, 1, 0), (11, 1, 0), (12, 1, 16)], []),
    ("other network, busy", wish(HOUR, 0, 4, number="8613300000001", intent=BUSY), (),
     [(10, 1, 0), (15, 1, 17)], []),
    ("other network, absent", wish(HOUR, 0, 4, number="8613300000001", intent=UNREACHABLE), (),
     [(10, 1, 0), (17, 1, 20)], []),
    ("from another network", wish(HOUR, 1, 5, number="8613300000001"), (), [],
     [(10, 2, 0), (11, 2, 0), (12, 2, 16)]),
    ("from another network to one who is off", wish(HOUR, 1, 5, number="8613300000001"), (1,), [], []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "off", "caller", "callee"), CASES, ids=[case[0] for case in CASES])
def test_calls(settle, script, cell_of, name, call, off, caller, callee) -> None:
    on = [sub not in off for sub in range(SUBSCRIBERS)]
    run = settle(script(home(cell_of(4097)), on, calls=[call]))
    assert run.shown(0) == caller
    assert run.shown(1) == callee


def test_a_rejected_call_has_the_same_cause_on_both_sides(settle, script, cell_of) -> None:
    seen = set()
    for seed in range(12):
        run = settle(script(home(cell_of(4097)), calls=[wish(HOUR, 0, intent=REJECT)]), seed=seed)
        (_, (kind, role, cause)), (_, (kind2, role2, cause2)) = run.shown(0), run.shown(1)
        assert (kind, role, kind2, role2) == (13, 1, 13, 2)
        assert cause == cause2
        seen.add(cause)
    assert seen == {17, 21}


def test_who_is_in_a_call_is_busy(settle, script, cell_of) -> None:
    calls = [wish(HOUR, 0, talk_s=300), wish(HOUR + MINUTE, 2, peer=1), wish(HOUR + MINUTE, 0, peer=3)]
    run = settle(script(home(cell_of(4097)), calls=calls))
    assert run.shown(2) == [(10, 1, 0), (15, 1, 17)]
    assert (0, acts.CALL_MADE, "engaged") in run.outcomes()
    assert run.kinds == ["mo_call_answered", "mt_call_answered", "mo_call_busy"]


def test_no_channel(settle, script, cell_of) -> None:
    for call in (wish(HOUR, 0), wish(HOUR, 0, 2, number="10086")):
        run = settle(script(home(cell_of(4097)), calls=[call]), admits=lambda cell, t_us: False)
        assert run.kinds == ["mo_call_assignment_failed"]
        assert run.shown(0) == [(10, 1, 0), (19, 1, 47)]


def test_a_dead_battery_shows_nothing_and_costs_a_page(settle, script, cell_of) -> None:
    run = settle(script(home(cell_of(4097)), power=[(HOUR, 1, False, False)], calls=[wish(2 * HOUR, 0)]))
    assert run.kinds == ["mo_call_unreachable", "paging_only"]
    assert run.shown(1) == [(33, 0, 0)]
    assert run.shown(0)[-1] == (17, 1, 20)
    assert [o for o in run.outcomes() if o[0] == 1] == [
        (1, acts.POWER_LOST, "battery"),
        (1, acts.PAGE, "no response"),
    ]
    page = np.flatnonzero(run.batch.act == run.ladder_acts[1])
    assert run.batch.uplink[page].tolist() == [False]
    ended = run.visible[-1]["t_us"]
    assert ended - run.batch.t_us[page[0]] > 5 * SECOND  # the MSC waits for the response first


def test_both_sides_of_a_call_agree(settle, script, cell_of) -> None:
    for hangup in (1, 2):
        run = settle(script(home(cell_of(4097)), calls=[wish(HOUR, 0, hangup=hangup, talk_s=77)]))
        at = {
            (k, r): t
            for k, r, t in zip(*(run.visible[c].tolist() for c in ("kind", "role", "t_us")), strict=True)
        }
        assert at[10, 2] > at[10, 1]
        assert 0 < at[11, 1] - at[11, 2] < SECOND
        ended = at[12, hangup] - at[11, hangup]
        assert abs(ended - 77 * SECOND) < SECOND // 10
        assert 0 < at[12, 3 - hangup] - at[12, hangup] < SECOND
        durations = run.visible[run.visible["kind"] == 12]
        assert all(abs(d - 77 * SECOND) < SECOND for d in durations["duration_us"].tolist())


def test_power(settle, script, cell_of) -> None:
    power = [(HOUR, 0, False, True), (2 * HOUR, 0, True, True)]
    run = settle(script(home(cell_of(4097)), power=power))
    assert run.kinds == ["detach", "lu_attach"]
    assert run.shown(0) == [(26, 0, 0), (1, 0, 0)]  # nobody could know whose TMSI it was at the detach
    assert run.visible["imsi"].tolist() == [0, run.imsi[0], run.imsi[0]]
    assert run.of(0)["detail"].tolist() == [490154203237510, 0]


def test_a_detach_is_identified_once_the_tap_knows_the_tmsi(settle, script, cell_of) -> None:
    story = script(
        home(cell_of(4097)), power=[(2 * HOUR, 0, False, True)], texts=[(HOUR, 0, 2, -1, "8613300000001", 0)]
    )
    run = settle(story)
    assert run.shown(0)[-1] == (2, 0, 0)


def test_power_on_in_another_area_is_a_normal_update(settle, script, cell_of) -> None:
    power = [(HOUR, 0, False, True), (2 * HOUR, 0, True, True)]
    story = script(home(cell_of(4097)), moves=[(HOUR + MINUTE, 0, cell_of(4099))], power=power)
    run = settle(story)
    assert run.kinds == ["detach", "lu_normal"]
    assert run.visible[-1]["lac"] == 4099


def test_a_move_within_the_area_is_silent(settle, script, topology, cell_of) -> None:
    other = int(np.flatnonzero(topology.lac == 4097)[1])
    run = settle(script(home(cell_of(4097)), moves=[(HOUR, 0, other)]))
    assert run.kinds == []
    assert run.outcomes() == [(0, acts.MOVE, "")]


def test_switching_off_waits_for_the_end_of_the_call(settle, script, cell_of) -> None:
    story = script(
        home(cell_of(4097)), power=[(HOUR + 30 * SECOND, 0, False, True)], calls=[wish(HOUR, 0, talk_s=120)]
    )
    run = settle(story)
    assert run.kinds == ["mo_call_answered", "mt_call_answered", "detach"]
    rows = run.of(0)
    assert rows["kind"].tolist() == [10, 11, 12, 2]
    assert np.all(np.diff(rows["t_us"]) > 0)


def test_handover_into_another_bsc_and_the_update_after_it(settle, script, across) -> None:
    here, there = across(4098, 4099)
    story = script(home(here), moves=[(HOUR + 40 * SECOND, 0, there)], calls=[wish(HOUR, 0, talk_s=120)])
    run = settle(story)
    assert run.kinds[:2] == ["mo_call_answered", "mt_call_answered"]
    assert [("handover", True) in shape.options for shape in run.shapes[:3]] == [False, False, True]
    assert run.ladder_acts[2] == run.ladder_acts[0]
    rows = run.of(0)
    assert rows["kind"].tolist()[:4] == [10, 11, 30, 12]
    assert rows["lac"].tolist()[:4] == [4098, 4098, 4099, 4099]
    assert set(rows["kind"].tolist()[4:]) <= {3, 5}
    assert run.network.station(0).registered_lac == 4099


def test_handover_of_the_called_side(settle, script, across) -> None:
    here, there = across(4098, 4099)
    story = script(home(here), moves=[(HOUR + 40 * SECOND, 1, there)], calls=[wish(HOUR, 0, talk_s=120)])
    run = settle(story)
    handed_over = [act for act, shape in run.started if ("handover", True) in shape.options]
    assert handed_over == [run.ladder_acts[1]]


def test_a_call_is_handed_over_as_often_as_its_subscriber_changes_cells(settle, script, across) -> None:
    here, there = across(4098, 4099)
    moves = [(HOUR + t * SECOND, 0, cell) for t, cell in ((40, there), (60, here), (80, there))]
    run = settle(script(home(here), moves=moves, calls=[wish(HOUR, 0, 2, number="10086", talk_s=120)]))
    rows = run.of(0)
    assert rows["kind"].tolist()[:6] == [10, 11, 30, 30, 30, 12]
    assert rows["lac"].tolist()[:6] == [4098, 4098, 4099, 4098, 4099, 4099]
    ended = rows[rows["kind"] == 12][0]
    assert abs(int(ended["duration_us"]) - 120 * SECOND) < SECOND


def test_a_handover_within_a_bsc_shows_in_the_cell_of_what_follows(settle, script, across) -> None:
    here, there = across(4097, 4098)
    story = script(
        home(here), moves=[(HOUR + 40 * SECOND, 0, there)],
        calls=[wish(HOUR, 0, 2, number="10086", talk_s=120)],
    )  # fmt: skip
    run = settle(story)
    assert [shape.kind for shape in run.shapes[:2]] == ["mo_call_answered", "mo_call_handover_intra_bsc"]
    rows = run.of(0)
    assert rows["kind"].tolist()[:4] == [10, 11, 30, 12]
    assert rows["lac"].tolist()[:4] == [4097, 4097, 4098, 4098]


@pytest.mark.parametrize(
    ("chances", "kind"),
    [
        ({"handover_failure_share": 1.0}, "mo_call_handover_returned"),
        ({"ping_pong_share": 1.0}, "mo_call_answered"),
    ],
)
def test_handovers_that_fail_or_go_back(settle, script, across, chances, kind) -> None:
    here, there = across(4098, 4099)
    call = wish(HOUR, 0, 2, number="10086", talk_s=90)
    run = settle(script(home(here), moves=[(HOUR + 40 * SECOND, 0, there)], calls=[call]), **chances)
    handovers = [shape.kind for act, shape in run.started[1:] if act == run.ladder_acts[0]]
    assert set(handovers) == {kind}
    assert len(handovers) > 1  # tried again; there, back and there again
    shown = run.of(0)["kind"].tolist()
    assert shown[:2] == [10, 11]
    assert 12 in shown
    assert shown.count(30) == (0 if kind == "mo_call_handover_returned" else len(handovers))


def test_calls_that_handovers_lose(settle, script, across) -> None:
    """Of handovers that fail one in sixteen loses the call, and both sides hear of it."""
    lost, (here, there) = 0, across(4098, 4099)
    for seed in range(40):
        story = script(home(here), moves=[(HOUR + 40 * SECOND, 0, there)], calls=[wish(HOUR, 0, talk_s=90)])
        run = settle(story, seed=seed, handover_failure_share=1.0)
        if (0, acts.CALL_DROPPED, "") in run.outcomes():
            lost += 1
            assert run.shown(0)[2] == (12, 1, 0)
            assert run.shown(1)[2] == (12, 2, 16)
            durations = run.visible[run.visible["kind"] == 12]["duration_us"].tolist()
            assert abs(durations[0] - durations[1]) < SECOND
    assert lost > 5


def test_a_text_waits_for_its_receiver(settle, script, cell_of) -> None:
    power = [(HOUR, 1, False, True), (2 * HOUR, 1, True, True)]
    run = settle(script(home(cell_of(4097)), power=power, texts=[(HOUR + MINUTE, 0, 1, 1, "", 1)]))
    assert run.kinds == ["detach", "mo_sms", "lu_attach", "mt_sms"]
    received = run.visible[run.visible["kind"] == 21][0]
    assert received["peer"] == run.network.number(0).encode()
    assert received["t_us"] - EPOCH > 2 * HOUR


def test_a_text_to_a_dead_battery_is_paged_for_and_kept(settle, script, cell_of) -> None:
    power = [(HOUR, 1, False, False), (2 * HOUR, 1, True, True)]
    run = settle(script(home(cell_of(4097)), power=power, texts=[(HOUR + MINUTE, 0, 1, 1, "", 0)]))
    assert run.kinds == ["mo_sms", "paging_only", "lu_attach", "mt_sms"]


def test_a_text_during_a_call_comes_after_it(settle, script, cell_of) -> None:
    story = script(
        home(cell_of(4097)),
        calls=[wish(HOUR, 1, peer=2, talk_s=100)],
        texts=[
            (HOUR + 30 * SECOND, 1, 3, -1, "8613300000001", 0),
            (HOUR + 40 * SECOND, 1, 2, -1, "8613300000001", 0),
        ],
    )
    run = settle(story)
    rows = run.of(1)
    assert rows["kind"].tolist() == [10, 11, 12, 21, 20] or rows["kind"].tolist() == [10, 11, 12, 20, 21]


def test_t3212(network, identities, script, cell_of) -> None:
    story = script(home(cell_of(4097)), [True] * 5 + [False])
    net = network(story, 12 * HOUR, t3212_us=HOUR)
    net.settle(12 * HOUR)
    _, visible = net.window(13 * HOUR)
    for sub in range(5):
        times = visible[visible["imsi"] == identities.imsi[sub]]["t_us"]
        assert len(times) in (11, 12)
        assert np.all(np.abs(np.diff(times) - HOUR) < 10 * SECOND)
    assert set(visible["kind"].tolist()) == {4}
    assert identities.imsi[5] not in visible["imsi"].tolist()


@pytest.mark.parametrize("step_s", [1, 7, 600])
def test_settling_in_steps_changes_nothing(network, script, cell_of, step_s) -> None:
    story = script(
        home(cell_of(4097)),
        moves=[(HOUR + 40 * SECOND, 0, cell_of(4099)), (HOUR + 40 * SECOND, 1, cell_of(4099))],
        power=[(HOUR + 70 * SECOND, 2, False, True)],
        calls=[wish(HOUR, 0, talk_s=120), wish(HOUR, 2, peer=3)],
        texts=[(HOUR + 3 * SECOND, 0, 1, 1, "", 0), (HOUR + 3 * SECOND, 4, 1, 2, "", 0)],
    )

    def run(step_us: int) -> tuple[bytes, bytes]:
        net = network(story, 2 * HOUR)
        data, shown = [], []
        for t_us in range(step_us, 2 * HOUR + step_us, step_us):
            net.settle(t_us)
            found = net.window(t_us)
            if found is not None:
                data.append(found[0].data)
                shown.append(found[1].tobytes())
        return b"".join(data), b"".join(shown)

    assert run(step_s * SECOND) == run(2 * HOUR)
