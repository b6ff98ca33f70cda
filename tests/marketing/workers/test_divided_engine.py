"""Engines that share out the subscribers decide what one engine of all of them decides."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketing.behaviours import BEHAVIOUR
from marketing.campaigns import Target
from marketing.contact import NEVER, PLAIN, Policy
from marketing.engine import SelectionError, StateFolder
from marketing.workers import DividedHost, LocalHost, Settings, WorkerLost
from marketing.workers.link import SharedAnswers
from marketing.workers.shares import owners, share_of

_spec = importlib.util.spec_from_file_location(
    "exactness_helpers", Path(__file__).parents[1] / "engine" / "test_engine_exactness.py"
)
exactness = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exactness)

DAY = exactness.DAY
NOWHERE = np.zeros(0, np.int64), np.zeros(0, np.uint8)
PEOPLE = 12
EXAMPLES = settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # each example starts five processes: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CROWD = {
    "begin": {"behaviour": ["sms_sent", "call_ended", "power_on"]},
    "if": "now.crowd > 1",
}
DWELLING_IN_A_CROWD = {
    "begin": {"dwell": {"place": "airport", "at_least_s": 45}},
    "if": "now.crowd > 1",
}


def all_campaigns(town, *, crowds=True):
    quiet = {
        "begin": {"behaviour": "call_ended"},
        "then": [{"not_followed_by": {"behaviour": "sms_sent"}, "within_s": 90}],
    }
    found = [*exactness.campaigns(town), town.campaign("quiet", scene=quiet, originator="1008606")]
    if crowds:
        found.append(town.campaign("crowd", scene=CROWD, originator="1008607"))
        found.append(town.campaign("stay-crowd", scene=DWELLING_IN_A_CROWD, originator="1008608"))
    return tuple(found)


def settings_of(town, campaigns):
    policy = town.policy_file(caps={"per_calendar_month": 6}, duplicate={"same_campaign_days": 1})
    return Settings(town.places(), campaigns, Policy.of(policy), None, 7_200_000_000)


@contextmanager
def hosts(town, *workers, campaigns=None):
    """Hosts of so many workers; 0: the engine of this process."""
    made = settings_of(town, all_campaigns(town) if campaigns is None else campaigns)
    people = town.profiles(PEOPLE)
    with ExitStack() as stack:
        found = []
        for n in workers:
            host = DividedHost(people, made, n, key=n) if n else LocalHost(made.engine(people))
            stack.callback(host.close)
            found.append(host)
        yield found


def counted(row, campaign, at_us):
    return row, campaign, 200903, 733468, 0, True, at_us, 0, PLAIN


def facts(decisions):
    """Everything of a decision, in the one order."""
    found = []
    for d in decisions:
        t, c = d.trigger, d.contact
        contact = (c.contact_id, c.campaign.campaign, c.msisdn, c.text, c.span, c.ordinal) if c else ()
        until = (c.submit_before_us, c.valid_until_us) if c else ()
        trigger = (t.trigger_id, t.campaign, t.row, t.imsi, t.msisdn, t.t_us, t.corr, t.origin)
        judged = (d.action, d.reason, d.t_us, d.held_until_us, d.arm)
        # What a text tells of is sent along with the text alone.
        fresh = d.action == "send" and not d.held_until_us and t.event is not None
        event = t.event.tobytes() if fresh else None
        found.append((d.t_us, t.campaign, t.imsi, *trigger, *judged, *contact, *until, event))
    return found


def ordered(decisions):
    return sorted(facts(decisions), key=lambda one: one[:3])


def rows_of(derived):
    return sorted(derived[list(BEHAVIOUR.names)].tolist())


def played(host, rows, cuts, end_us):
    decisions, derived = [], []
    for part in np.split(rows, cuts):
        decisions += host.on_batch(part, 0)
        derived += rows_of(host.take_derived())
    decisions += host.on_timers(end_us)
    return ordered(decisions), sorted(derived + rows_of(host.take_derived()))


def spread(town, drawn):
    """The stream over all twelve subscribers."""
    rows = exactness.stream(town, drawn)
    known = rows["imsi"] < town.imsi(exactness.SUBSCRIBERS)
    rows["imsi"][known] = (town.imsi(0) + rows["corr"].astype(np.uint64) * 7 % PEOPLE)[known]
    rows["imsi"][known & (rows["corr"] % 3 == 0)] = town.imsi(1)
    return rows


@EXAMPLES
@given(drawn=exactness.rows_of, data=st.data())
def test_workers_change_nothing(town, drawn, data):
    rows = spread(town, drawn)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows) - 1), max_size=4)))
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    with hosts(town, 0, 2, 3) as (alone, *divided):
        expected = played(alone, rows, [], end_us)
        assert expected[0], "something is decided"
        unknown = alone.figures()[0].unknown
        for host in divided:
            assert played(host, rows, cuts, end_us) == expected
            assert sum(one.unknown for one in host.figures()) == unknown
            assert sum(one.behaviours for one in host.figures()) == len(rows) - unknown


def busy(town, start="10:00", n=400, seed=1):
    """A stream in which every campaign has something to say, crowds too."""
    draws = np.random.default_rng(seed)
    gaps = draws.choice([0, 0, 1, 5, 20, 40], n)
    drawn = [
        (int(g), int(s), k, int(c), int(p), int(r))
        for g, s, k, c, p, r in zip(
            *(gaps, draws.integers(0, 4, n)),
            draws.choice(exactness.KINDS, n).tolist(),
            *(draws.integers(0, 4, n), draws.integers(0, 4, n), draws.integers(0, 3, n)),
            strict=True,
        )
    ]
    rows = spread(town, drawn)
    rows["t_us"] += town.at(f"{DAY} {start}") - int(rows["t_us"][0])
    return rows


def test_every_campaign_speaks_and_crowds_are_added_up(town):
    rows = busy(town)
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    with hosts(town, 0, 2, 3) as (alone, *divided):
        expected = played(alone, rows, [], end_us)
        names = {one[1] for one in expected[0]}
        assert names >= {c.campaign for c in all_campaigns(town)} - {"travel"}
        assert {"crowd", "stay-crowd"} <= names
        for host in divided:
            assert played(host, rows, [100, 101, 250], end_us) == expected
            np.testing.assert_array_equal(host.capture()["crowd"], alone.capture()["crowd"])


def test_what_is_told_reaches_the_owner(town):
    rows = busy(town)
    half = len(rows) // 2
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    with hosts(town, 0, 2, 3) as all_hosts:
        found = []
        for host in all_hosts:
            disturb, control = np.full(PEOPLE, NEVER), np.full(PEOPLE, NEVER)
            disturb[3], control[5] = 0, int(rows["t_us"][0])
            host.enter(disturb, control, *NOWHERE)
            host.remember([7], [counted(8, "text", int(rows["t_us"][0]))])
            blanket = town.campaign("text", originator="1008604")
            assert blanket.group is None
            decisions = list(host.on_batch(rows[:half], 0))
            decisions += host.on_timers(int(rows["t_us"][half]) - 1)
            sends = sorted((d for d in decisions if d.action == "send"), key=lambda d: d.trigger.trigger_id)
            for decision in sends[::2]:
                host.on_unsent(decision.trigger, decision.contact)
            assert host.on_opt_out(town.msisdn(1))
            assert not host.on_opt_out("99")
            host.on_reply(town.msisdn(2), "text")
            disturbed = [(d, host.barred(host.row_now(d.trigger), end_us)) for d in decisions]
            decisions += [*host.on_batch(rows[half:], 0), *host.on_timers(end_us)]
            found.append((ordered(decisions), sorted((d.trigger.trigger_id, said) for d, said in disturbed)))
            assert {said for _, said in disturbed} == {"", "do_not_disturb", "control_group"}
            reasons = {(d.trigger.imsi[-2:], d.reason) for d in decisions}
            assert {("03", "do_not_disturb"), ("05", "control_group"), ("01", "do_not_disturb")} <= reasons
        assert found[0] == found[1] == found[2]


def test_campaigns_are_exchanged_and_groups_scheduled(town, tmp_path):
    """From none to all and back to some, with crowds asked for from the middle on."""
    rows = busy(town)
    third = len(rows) // 3
    end_us = int(rows["t_us"][-1]) + 3_600_000_000
    before, after = all_campaigns(town, crowds=False)[:4], all_campaigns(town)[2:]
    values = {"mode": "group", "scene": None, "group": {"at": "11:00", "targets": "t.csv"}}
    (tmp_path / "t.csv").write_text("msisdn,day\n")
    blanket = town.campaign("blanket", originator="1008609")
    blanket = type(blanket).model_validate(
        {**blanket.model_dump(mode="json", exclude_unset=True), **values},
        context={"folder": tmp_path},
    )
    with hosts(town, 0, 2, 3, campaigns=before) as all_hosts:
        found = []
        for host in all_hosts:
            decisions = list(host.on_batch(rows[:third], 0))
            change = host.change(host.prepare((*after, blanket)))
            assert "crowd" in change.added
            assert "alert" in change.removed
            assert [c.campaign for c in host.campaigns] == [c.campaign for c in (*after, blanket)]
            targets = [Target(town.msisdn(i), 1) for i in range(0, PEOPLE, 2)] + [Target("99", 1)]
            assert host.schedule_group(blanket, targets, int(rows["t_us"][0])) == 1
            decisions += [*host.on_batch(rows[third:], 0), *host.on_timers(end_us)]
            found.append((ordered(decisions), change.dropped_holds))
        assert found[0] == found[1] == found[2]
        assert sum(one[1] == "blanket" for one in found[0][0]) == PEOPLE // 2
        lines = " || ".join(f'last["{10000 + i}"] > duration("1h")' for i in range(17))
        many = town.campaign("many", scene={"begin": {"behaviour": "power_on"}, "if": lines})
        for host in all_hosts:
            before = host.campaigns
            with pytest.raises(ValueError, match="at most 16 service lines"):
                host.change(host.prepare((many,)))
            assert host.campaigns == before
            host.on_timers(end_us + 1)


def test_selections_and_lists_are_those_of_one_engine(town):
    rows = busy(town)
    half = len(rows) // 2
    now_us, end_us = int(rows["t_us"][half]), int(rows["t_us"][-1]) + 3_600_000_000
    numbers = np.array([int(town.msisdn(i)) for i in (3, 1, 99, 0, 11)], dtype=np.uint64)
    with hosts(town, 0, 2, 3) as all_hosts:
        found = []
        for host in all_hosts:
            disturb, never = np.full((2, PEOPLE), NEVER)
            disturb[4] = 0
            host.enter(disturb, never, *NOWHERE)
            decisions = [*host.on_batch(rows[:half], 0), *host.on_timers(now_us - 1)]
            chosen = host.choose("telling", now_us, 'has(last.text) && last.text < duration("10h")')
            assert 0 < len(chosen) < PEOPLE
            assert np.all(np.diff(chosen.astype(np.int64)) > 0)
            stranger = np.array([99], dtype=np.uint64)
            selected = host.on_selection("telling", np.concatenate((chosen, stranger)), now_us)
            assert len(selected) == len(chosen)
            assert [host.barred(row, now_us) for row in (3, 4)] == ["", "do_not_disturb"]
            shown = host.handsets(numbers, now_us)
            assert shown[2] is None
            assert any(one and one["place"] for one in shown)
            for refused in ("now.on &&", "event.cause == 1", 'last["99"] > duration("1h")'):
                with pytest.raises(SelectionError, match=r"audience|99"):
                    host.choose("text", now_us, refused)
            with pytest.raises(SelectionError, match="no target list 'vip'"):
                host.choose("text", now_us, targets="vip")
            later = [*host.on_batch(rows[half:], 0), *host.on_timers(end_us)]
            found.append((ordered(decisions), ordered(selected), chosen.tolist(), shown, ordered(later)))
        assert found[0] == found[1] == found[2]


def test_follow_ups_are_set_and_ended_by_the_owner(town):
    follows = [{"after_s": 600, "campaign": "reminder"}]
    first = town.campaign("first", scene={"begin": {"behaviour": "sms_sent"}}, follow_ups=follows)
    reminder = town.campaign("reminder", mode="follow_up", scene=None, originator="1008609")
    t_us = town.at(f"{DAY} 10:00")
    rows = town.batch(*({"t": t_us + i, "sub": i, "kind": "sms_sent"} for i in range(6)))
    with hosts(town, 0, 2, 3, campaigns=(first, reminder)) as all_hosts:
        found = []
        for host in all_hosts:
            decisions = list(host.on_batch(rows, 0))
            host.on_reply(town.msisdn(1), "first")
            host.on_unsent(decisions[2].trigger, decisions[2].contact)
            host.follow(town.msisdn(3), "first", t_us + 3)  # set already
            host.follow(town.msisdn(7), "first", t_us)  # kept over a kill, with his contact
            host.follow("99", "first", t_us)
            host.remember([], [counted(7, "first", t_us)])
            later = host.on_timers(t_us + 3_600_000_000)
            assert [int(d.trigger.imsi[-2:]) for d in later] == [0, 7, 3, 4, 5]
            found.append((ordered(decisions), facts(later)))
        assert found[0] == found[1] == found[2]


def test_columns_of_an_answer_go_through_memory_where_there_is_room(monkeypatch):
    ours = SharedAnswers()
    theirs = SharedAnswers(os.dup(ours.fileno))
    try:
        value = {"rows": np.arange(1000), "none": np.zeros(0), "said": "x"}
        packed = [theirs.pack(value), theirs.pack(value | {"rows": np.arange(1000) + 1})]
        assert len(packed[0]) < 1000, "the columns are elsewhere"
        for i, one in enumerate(packed):  # two answers before the first is read
            found = ours.unpack(one)
            np.testing.assert_array_equal(found["rows"], np.arange(1000) + i)
            found["rows"][0] = 7  # a copy, and ours
        monkeypatch.setattr("marketing.workers.link.ANSWER_OCTETS", 100)
        np.testing.assert_array_equal(ours.unpack(theirs.pack(value))["rows"], value["rows"])
    finally:
        ours.close()
        theirs.close()


REASON_NOW = {"01": "do_not_disturb", "02": "gone", "03": "gone", "08": "gone", "11": "gone"}


def test_another_extract(town):
    """Some are gone, some are new; who stays stays with his worker and what is known of him."""
    rows = busy(town)
    half = len(rows) // 2
    end_us = int(rows["t_us"][-1]) + 3_600_000_000
    kept = [0, 1, 4, 5, 6, 7, 9, 10, 20, 21]
    columns = {"imsi": [f"{town.imsi(i):015d}" for i in kept], "msisdn": [town.msisdn(i) for i in kept]}
    new = town.profiles(len(kept), **columns)
    with hosts(town, 0, 2) as both:
        found = []
        for host in both:
            decisions = list(host.on_batch(rows[:half], 0))
            host.on_opt_out(town.msisdn(1))
            assert host.switch_profiles(new) == 8
            later = [*host.on_batch(rows[half:], 0), *host.on_timers(end_us)]
            found.append((ordered(decisions), ordered(later)))
            barred = {
                d.trigger.imsi: host.barred(host.row_now(d.trigger), end_us) for d in [*decisions, *later]
            }
            assert barred == {imsi: REASON_NOW.get(imsi[-2:], "") for imsi in barred}
            assert {"", "gone"} < set(barred.values()), set(barred)
        assert found[0] == found[1]


@pytest.mark.parametrize(("first", "second"), [(0, 2), (2, 0), (2, 3), (3, 2)])
def test_a_restart_goes_on_with_any_number_of_workers(town, tmp_path, first, second):
    rows = busy(town)
    third = len(rows) // 3
    end_us = int(rows["t_us"][-1]) + 86_400_000_000

    def run(folder, before, after):
        with hosts(town, before) as (host,):
            store = StateFolder(folder, every_s=3600, sync_s=3600)
            store.resume(host)
            host.on_batch(rows[:third], 0)
            store.begin(host)
            store.journal(rows[third : 2 * third])
            host.on_batch(rows[third : 2 * third], 0)
            store.close(None)
        with hosts(town, after) as (host,):
            store = StateFolder(folder, every_s=3600, sync_s=3600)
            resumed = store.resume(host)
            assert (resumed.subscribers, resumed.replayed) == (PEOPLE, third)
            decisions = [*host.on_batch(rows[2 * third :], 0), *host.on_timers(end_us)]
            store.close(host)
            return ordered(decisions), resumed.last_us, resumed.not_sent

    expected = run(tmp_path / "alone", 0, 0)
    assert expected[0]
    assert run(tmp_path / "other", first, second) == expected


def test_a_damaged_snapshot_ends_no_worker(town, tmp_path):
    with hosts(town, 2) as (host,):
        captured = host.capture()
        del captured["habits"]
        with pytest.raises(ValueError, match="habits"):
            host.restore(captured)
        assert host.on_batch(busy(town), 0)


@pytest.mark.parametrize("crowds", [False, True])
def test_batches_under_way(town, crowds):
    """Begun one upon the other, and told or asked something in between: nothing is lost, all in its order."""
    rows = busy(town)
    with hosts(town, 0, 2, campaigns=all_campaigns(town, crowds=crowds)) as both:
        found = []
        for host in both:
            decisions = []
            host.begin(rows[:100], 0)
            host.begin(rows[100:150], 0)
            host.begin(rows[150:151], 0)
            host.on_opt_out(town.msisdn(1))
            decisions += host.end(under_way=1)
            host.begin(rows[151:250], 0)
            timers = host.on_timers(int(rows["t_us"][250]) - 1)
            decisions += [*host.end(), *timers]
            assert not host.end()
            host.begin(rows[250:], 0)
            host.begin(rows[:0], 0)
            decisions += host.end()
            found.append(ordered(decisions))
        assert found[0] == found[1]


def test_a_killed_worker_is_said_and_nobody_is_left(town):
    rows = busy(town)
    with hosts(town, 3) as (host,):
        pids = host.pids
        host.on_batch(rows[:10], 0)
        os.kill(pids[1], signal.SIGKILL)
        with pytest.raises(WorkerLost, match=r"worker 1 \(process \d+\) was ended by SIGKILL"):
            host.on_batch(rows[10:], 0)
        assert "SIGKILL" in host.lost
        host.on_reply(town.msisdn(1), "text")  # nobody needs to know any more
        with pytest.raises(WorkerLost):
            host.on_timers(1)
        host.close()
        assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


PARENT = """
import sys, time, importlib.util
spec = importlib.util.spec_from_file_location("town", sys.argv[1])
town = importlib.util.module_from_spec(spec)
spec.loader.exec_module(town)
from marketing.contact import Policy
from marketing.workers import DividedHost, Settings
made = Settings(town.places(), (town.campaign(),), Policy.of(town.policy_file()), None, 0)
host = DividedHost(town.profiles(), made, 2)
print(*host.pids, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_orphan_after_the_parent_is_gone(number):
    helpers = Path(__file__).parents[1] / "conftest.py"
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(helpers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pids = [int(text) for text in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    os.kill(parent.pid, number)
    parent.wait(20)
    parent.stdout.close()
    end = time.monotonic() + 20
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "a worker is left behind"
        time.sleep(0.01)


def test_shares_are_even_and_hang_on_the_key(town):
    imsi = np.arange(460_000_000_000_000, 460_000_000_100_000, dtype=np.uint64)
    for workers in (2, 3, 7):
        sizes = np.bincount(owners(imsi, 5, workers), minlength=workers)
        assert np.all(np.abs(sizes - len(imsi) / workers) < 5 * np.sqrt(len(imsi) / workers))
    assert np.mean(owners(imsi, 5, 2) == owners(imsi, 6, 2)) == pytest.approx(0.5, abs=0.02)
    people = town.profiles(6, age=[20, None, 30, 40, None, 60])
    share = share_of(people, np.array([1, 3, 4])).profiles()
    assert share.imsi.tolist() == people.imsi[[1, 3, 4]].tolist()
    assert [share.column("age").value(i) for i in range(3)] == [None, 40, None]
    assert share.row_of_msisdn(town.msisdn(3)) == 1


@pytest.mark.parametrize("cuts", [[], [70, 71, 200]])
def test_releases_have_the_turns_that_one_engine_gives(town, cuts):
    """Two a second, by priority over all subscribers; groups and texts fall due in between."""
    rows = busy(town, start="20:10", n=300)
    made = all_campaigns(town, crowds=False)
    file = town.policy_file(
        caps={"per_calendar_month": 6}, duplicate={"same_campaign_days": 1},
        holds={"release_per_s": 2},
        closed_hours=[{"name": "supper", "from": "20:20", "to": "20:25", "then": "hold"}],
    )  # fmt: skip
    settings_ = Settings(town.places(), made, Policy.of(file), None, 7_200_000_000)
    people = town.profiles(PEOPLE)
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    with ExitStack() as stack:
        found = []
        for n in (0, 2, 3):
            host = DividedHost(people, settings_, n, key=n) if n else LocalHost(settings_.engine(people))
            stack.callback(host.close)
            decisions = []
            for part in np.split(rows, cuts):
                host.begin(part, 0)
                decisions += host.end(under_way=1)
            decisions += [*host.end(), *host.on_timers(end_us - 7_200_000_000)]
            decisions += host.on_timers(end_us)
            found.append(ordered(decisions))
            released = [d for d in decisions if d.action != "hold" and d.held_until_us]
            seconds = np.array([d.t_us // 1_000_000 for d in released])
            assert np.unique(seconds, return_counts=True)[1].max() == 2
            assert len(set(seconds.tolist())) >= 8
            assert json.loads(host.capture()["plain"].tobytes())["releases"][0] == seconds.max()
        assert found[0] == found[1] == found[2]


def test_releases_that_are_late_keep_the_rate(town):
    """Where time has gone on by hours, turns that nobody took are given anew: two a second over all."""
    file = town.policy_file(holds={"release_per_s": 2}, caps={"per_calendar_month": 9})
    made = tuple(town.campaign(f"c{i}", originator=f"100860{i}") for i in range(3))
    settings_ = Settings(town.places(), made, Policy.of(file), None, 0)
    people = town.profiles(PEOPLE)
    night_us = town.at(f"{DAY} 22:00")
    rows = town.batch(*({"t": night_us + i, "sub": i, "kind": "power_on"} for i in range(PEOPLE)))
    for n in (0, 3):
        host = DividedHost(people, settings_, n, key=1) if n else LocalHost(settings_.engine(people))
        with ExitStack() as stack:
            stack.callback(host.close)
            assert all(d.action == "hold" for d in host.on_batch(rows, 0))
            nine_us = town.at("2009-03-03 09:00")
            first = list(host.on_timers(nine_us))
            assert len(first) == 2
            late_us = nine_us + 60_000_000
            later = list(host.on_timers(late_us, late_us))
            assert len(later) == 2, "at the present, in which only two may go"
            rest = list(host.on_timers(late_us + 60_000_000, late_us))
            assert len(first) + len(later) + len(rest) == 3 * PEOPLE
            seconds = [d.t_us // 1_000_000 for d in [*first, *later, *rest]]
            assert max(seconds.count(s) for s in seconds) == 2
