"""The campaigns of the operator's table over three days of a town: who was triggered when, against the truth.

One run for all: the simulated town is captured, the real collector reads the capture, and the engine decides
with all campaigns active. What should have happened is worked out here a second time, from the simulator's
table of visible acts, the population and the lists, by plain loops that share no code with the platform.
"""

import csv
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml

from experiments.capture import simulate, tap_of
from experiments.inputs import world_files
from experiments.target_lists import list_members
from marketing.behaviours import CODES
from marketing.collect import Collector
from marketing.config import load_config
from marketing.engine import on_batch, on_timers
from marketing.outputs import Outputs
from marketing.starting import load_started, make_clock
from marketing.workers import LocalHost
from sim.network.derived import derived
from sim.run import build
from sim.scenario import load_world
from sim.sinks import Nothing
from sim.subscribers.terminals import TERMINALS, tac_range

ZONE = ZoneInfo("Asia/Shanghai")
DAY_US = 86_400_000_000
DAYS = 3
MINUTE, HOUR = 60_000_000, 3_600_000_000
NAME = {code: name for name, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Act:
    """One visible act."""

    t: int
    kind: str
    role: int
    lac: int
    place: str
    peer: str
    duration: int
    detail: int
    cell: int


class Truth(Nothing):
    def __init__(self):
        self.rows = []

    def visible(self, rows):
        self.rows.append(rows)


@pytest.fixture(scope="module")
def town(tmp_path_factory, request):
    """Three days of the town, with more new handsets and roamers than in life, lived and watched."""
    folder = tmp_path_factory.mktemp("town")
    scenarios = request.config.rootpath / "scenarios"
    file = yaml.safe_load((scenarios / "worlds" / "town.yaml").read_text(encoding="utf-8"))
    file["subscribers"] = 3000
    file["changes"] = {"handset_changes_per_month": 1.0, "handset_swaps_per_month": 1.0}
    file["habits"]["nightly_off_share"] = 0.9
    origins = (
        ("next-province", "001011", "861706"),
        ("far-province", "001012", "861708"),
        ("abroad", "99901", "999010"),
    )
    file["numbering"]["origins"] = [
        {"name": name, "imsi_prefix": imsi, "msisdn_prefix": msisdn, "share": 0.2}
        for name, imsi, msisdn in origins
    ]
    (folder / "world.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
    world, truth = build(load_world(folder / "world.yaml"), 3), Truth()
    with tap_of(folder / "town.pcapng", world) as tap:
        for _ in simulate(world, tap, 0, DAYS * DAY_US, truth):
            pass
    extract = world_files(world, folder)
    files = sorted((scenarios / "campaigns").glob("*.yaml"))
    config = {
        "clock": {"mode": "lockstep", "epoch": "2007-06-04T00:00:00", "tick_s": 60},
        "collector": {"transport": "none", "taps": ["town.pcapng"]},
        "subscribers": "extract.parquet",
        "cells": "cells.csv",
        "terminals": "terminals.csv",
        "origins": "origins.csv",
        "lists": {path.stem: f"lists/{path.name}" for path in (folder / "lists").iterdir()},
        "campaigns": [str(path) for path in files],
        "policy": str(scenarios / "policies" / "default.yaml"),
        "records": {"dir": "records"},
    }
    (folder / "platform.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "records").mkdir()
    decisions, state, outputs = watched(load_config(folder / "platform.yaml"))
    found = defaultdict(set)
    for one in decisions:
        found[one.trigger.campaign].add((int(one.trigger.imsi), one.trigger.t_us))
    return SimpleNamespace(
        folder=folder, world=world, extract=extract, decisions=decisions, state=state, outputs=outputs,
        found=found, truth=People(world, extract, np.concatenate(truth.rows)), files=files,
    )  # fmt: skip


def watched(config):
    """The platform without channels: collector, engine, outputs, in the server's order."""
    started = load_started(config)
    clock = make_clock(config.clock, started.zone)
    state, decisions, from_us = started.state, [], clock.epoch_us
    outputs = Outputs(LocalHost(state), config.records.dir, started.zone, started.origins)
    collector = Collector(config.collector, clock, epoch_us=clock.epoch_us, tick_s=config.clock.tick_s)
    try:
        while not collector.over or collector.wait(0):
            ticks = collector.poll()
            for tick in ticks:
                outputs.behaviours(tick.behaviours)
                decided = on_batch(state, tick.behaviours, from_us) + on_timers(
                    state, tick.t_unix_us, from_us
                )
                for one in decided:
                    if one.action == "output":
                        outputs.decided(one)
                decisions += decided
                from_us = tick.t_unix_us
                outputs.tend(from_us)
                collector.acknowledge(tick)
            if not ticks:
                collector.wait(0.05)
    finally:
        collector.close()
    end_us = clock.epoch_us + DAYS * DAY_US
    decisions += on_timers(state, end_us, from_us)
    outputs.tend(end_us, whole=True)
    return decisions, state, outputs


class People:
    """What everybody showed, one after another, and what BOSS, BI and the lists say of them."""

    def __init__(self, world, extract, visible):
        topology, scenario = world.topology, world.scenario
        self.start_us = scenario.epoch_unix_us
        self.end_us = self.start_us + DAYS * DAY_US
        place_of = {}
        for cell in range(len(topology.ci)):
            number = int(topology.place[cell])
            name = topology.places[number].name if number >= 0 else ""
            place_of[int(topology.lac[cell]), int(topology.ci[cell])] = name
        imsi = [int(value) for value in extract["imsi"]]
        self.sub = {value: i for i, value in enumerate(imsi)}
        self.customers = {value for value, is_one in zip(imsi, extract["customer"], strict=True) if is_one}
        self.extract = extract
        lists = list_members(extract, world.draws)
        self.lists = {
            name: {imsi[i] for i in np.flatnonzero(members).tolist()} for name, members in lists.items()
        }
        self.fine_numbers = {extract["msisdn"][self.sub[value]] for value in self.lists["fine-tones"]}
        whole = np.concatenate([visible, derived(visible, 0, self.end_us)])
        whole = whole[(whole["imsi"] != 0) & (whole["kind"] != CODES["paging_no_response"])]
        self.acts = defaultdict(list)
        for row in whole[np.argsort(whole["t_us"], kind="stable")].tolist():
            t, who, kind, role, lac, ci, peer, _, duration, detail, *_ = row
            act = Act(
                t, NAME[kind], role, lac, place_of.get((lac, ci), ""), peer.decode(), duration, detail, ci
            )
            self.acts[who].append(act)

    def of(self, who, column):
        return self.extract[column][self.sub[who]]

    def local(self, t):
        return datetime.fromtimestamp(t / 1e6, UTC).astimezone(ZONE)

    def minute(self, t):
        return (t - self.start_us) % DAY_US // MINUTE  # the town begins at local midnight; no summer time

    def hours(self, t, first, last):
        return first <= self.minute(t) < last

    def select(self, fits):
        """(who, instant) of every act of a customer that fits."""
        return {(w, a.t) for w in self.customers for i, a in enumerate(self.acts[w]) if fits(w, a, i)}

    def stays(self, who, place):
        """Begin and end of stays at a place: first sight there; first one elsewhere, or switching off."""
        since = None
        for act in self.acts[who]:
            if act.kind in DERIVED:
                continue
            off = act.kind == "power_off"
            here = act.place == place and not off
            if here and since is None:
                since = act.t
            elif since is not None and not here and (act.cell or off):
                yield since, act.t
                since = None
        if since is not None:
            yield since, self.end_us + 1

    def dwells(self, place, at_least_s, fits=lambda who, t: True):
        """(who, instant) at which a stay has lasted long enough."""
        found = set()
        for who in self.customers:
            for since, until in self.stays(who, place):
                t = since + at_least_s * 1_000_000
                if t < until and t <= self.end_us and fits(who, t):
                    found.add((who, t))
        return found

    def model(self, who, t):
        """The handset: by the last IMEI told until then, else by BOSS."""
        seen = [a.detail for a in self.acts[who] if a.kind == "handset_seen" and a.t <= t]
        if seen:
            return MODELS.get(seen[-1] // 10_000_000)
        return next((m for m in TERMINALS if m.name == self.of(who, "terminal")), None)

    def idle_us(self, who, t):
        """Since the last thing done; None: nothing yet. Known to the second."""
        own = [a.t for a in self.acts[who] if a.t < t and is_own(a)]
        return t - own[-1] // 1_000_000 * 1_000_000 if own else None


MODELS = {code: m for i, m in enumerate(TERMINALS) for code in range(tac_range(i)[0], tac_range(i)[1] + 1)}
"""Type allocation code -> handset."""
DERIVED = {"imei_changed", "power_off_implicit", "roamed_in", "roamed_out", "cell_changed", "area_entered"}
CALLER, CALLEE = 1, 2


def is_own(act):
    if act.kind == "call_started":
        return act.role == CALLER
    if act.kind == "call_rejected":
        return act.role == CALLEE
    return act.kind in ("call_connected", "call_ended", "sms_sent", "ussd_used", "ss_used")


# ------------------------------------------------------------------ what each campaign waits for


def holds(people, who, service):
    return service in people.of(who, "services")


def fine_tone(people):
    heard = ("call_ended", "call_no_answer", "call_rejected")
    return people.select(
        lambda w, a, i: a.kind in heard and a.role == CALLER and a.peer in people.fine_numbers
        and not holds(people, w, "ring-back-tone")
    )  # fmt: skip


def waiting_wap(people):
    def fits(who, t):
        model, idle = people.model(who, t), people.idle_us(who, t)
        idles = idle is not None and idle > 10 * MINUTE
        return idles and model is not None and model.wap and not holds(people, who, "wap")

    return people.dwells("station", 1200, fits)


def office_mailbox(people):
    def fits(who, t):
        office = people.of(who, "segment") in ("office_staff", "business_travellers", "urban_women")
        return people.hours(t, 570, 1080) and office and not holds(people, who, "mail")

    return people.dwells("office-park", 5400, fits)


def new_mms_handset(people):
    def fits(who, act, i):
        model = people.model(who, act.t) if act.kind == "imei_changed" else None
        return model is not None and model.mms and not holds(people, who, "mms")

    return people.select(fits)


def missed_call_alert(people):
    return people.select(lambda w, a, i: a.kind == "power_on" and people.of(w, "often_off"))


def rejected_call_alert(people):
    return people.select(
        lambda w, a, i: a.kind == "call_rejected" and a.role == CALLEE and people.of(w, "often_rejects")
    )


def hang_up(line, at_least=0):
    return lambda people: people.select(
        lambda w, a, i: (
            a.kind == "call_ended" and a.role == CALLER and a.peer == line and a.duration >= at_least
        )
    )


def area_greeting(people):
    """The first time that somebody comes there who has been seen elsewhere before."""

    def fits(who, act, i):
        before = people.acts[who][:i]
        return act.kind == "area_entered" and act.lac == 4112 and not any(
            b.lac == 4112 and b.cell and b.t < act.t for b in before
        )  # fmt: skip

    return people.select(fits)


def points_reminder(people):
    due = people.lists["points-due"]
    return people.dwells("mall", 300, lambda w, t: people.hours(t, 600, 1230) and w in due)


def old_hotline(people):
    ends = {"ended", "vacant", "failed", "no_answer", "busy", "unreachable", "abandoned"}
    return people.select(
        lambda w, a, i: a.kind.removeprefix("call_") in ends and a.role == CALLER and a.peer == "1860"
    )


def long_distance_prefix(people):
    def fits(who, act, i):
        if act.kind != "call_ended" or act.duration <= 20_000_000:
            return False
        if act.role == CALLER:
            return act.peer[:1] == "0" and act.peer[:2] != "00"
        dialled = [b.peer for b in people.acts[who][:i] if b.kind == "call_started" and b.role == CALLER]
        local = act.peer.startswith(("8613", "8615", "8625"))
        return act.peer.startswith("86") and not local and not any(peer[:1] == "0" for peer in dialled)

    return people.select(fits)


def talk_more(people):
    def fits(who, act, i):
        bundle = people.of(who, "bundle_minutes")
        if act.kind != "call_ended" or not bundle or not people.hours(act.t, 1020, 1230):
            return False
        made = [b for b in people.acts[who][:i] if b.kind == "call_ended" and b.role == CALLER]
        used = sum(-(-b.duration // MINUTE) for b in made)
        return 2 * max(bundle - used, 0) > bundle

    return people.select(fits)


def off_peak_tariff(people):
    return people.select(
        lambda w, a, i: a.kind == "call_ended" and a.role == CALLER and a.duration > MINUTE
        and people.hours(a.t, 1200, 1255) and people.of(w, "brand") != "gotone"
    )  # fmt: skip


def outbound_ready(people):
    called, working = people.lists["outbound"], (people.hours, ((540, 720), (840, 1080)))
    return people.select(
        lambda w, a, i: w in called and a.kind in ("power_on", "call_ended", "sms_sent")
        and any(working[0](a.t, *span) for span in working[1])
    )  # fmt: skip


def welcome_back(people):
    return people.select(lambda w, a, i: a.kind == "power_on" and w in people.lists["at-risk"])


def wrong_number(people):
    lines = ("96121", "12117", "1860", "1861")
    return people.select(lambda w, a, i: a.kind == "call_vacant" and a.role == CALLER and a.peer in lines)


def airport_travel(people):
    return people.dwells("airport", 2700)


def evening_messenger(people):
    """Three texts in half an hour, and no call in the half hour before the third."""
    found = set()
    for who in people.customers:
        if holds(people, who, "im"):
            continue
        sent, calls = [], []
        for act in people.acts[who]:
            if act.kind in ("call_connected", "call_ended"):
                calls.append(act.t // 1_000_000 * 1_000_000)
            if act.kind != "sms_sent":
                continue
            sent = [t for t in sent if act.t - t < 30 * MINUTE] + [act.t]
            if len(sent) == 3:
                sent = []
                if people.hours(act.t, 1110, 1260) and not (calls and act.t - calls[-1] <= 30 * MINUTE):
                    found.add((who, act.t))
    return found


def students_campus_fun(people):
    def fits(who, t):
        weekday = people.local(t).weekday() < 5
        return people.hours(t, 690, 840) and weekday and people.of(who, "segment") == "students"

    return people.dwells("campus", 3600, fits)


TRUTH = {
    "fine-tone": (fine_tone, 5),
    "waiting-wap": (waiting_wap, 3),
    "office-mailbox": (office_mailbox, 20),
    "new-mms-handset": (new_mms_handset, 5),
    "missed-call-alert": (missed_call_alert, 200),
    "rejected-call-alert": (rejected_call_alert, 20),
    "hang-up-sms": (hang_up("10086"), 50),
    "area-greeting": (area_greeting, 20),
    "points-reminder": (points_reminder, 10),
    "old-hotline": (old_hotline, 5),
    "long-distance-prefix": (long_distance_prefix, 20),
    "talk-more": (talk_more, 50),
    "off-peak-tariff": (off_peak_tariff, 10),
    "outbound-ready": (outbound_ready, 50),
    "service-line-follow-up": (hang_up("12580", 10_000_000), 20),
    "welcome-back": (welcome_back, 20),
    "wrong-number": (wrong_number, 3),
    "airport-travel": (airport_travel, 20),
    "evening-messenger": (evening_messenger, 3),
    "students-campus-fun": (students_campus_fun, 10),
}
"""Campaign -> what should have triggered it, and how often at the least, or the test would say nothing."""

ROWS = set(range(1, 18))


def test_all_rows_of_the_table_are_there(town):
    sources = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in town.files]
    rows = {int(one["source"].removeprefix("J12 row ")) for one in sources if "row" in one["source"]}
    assert rows == ROWS
    named = {one["campaign"] for one in sources}
    assert named == TRUTH.keys() | {"visitor-origins", "mall-origins"}


@pytest.mark.parametrize("name", TRUTH)
def test_who_was_triggered_when(town, name):
    make, at_least = TRUTH[name]
    expected, found = make(town.truth), town.found[name]
    assert len(expected) >= at_least
    assert matched(expected, found) == len(expected) == len(found), (
        sorted(expected - found)[:3],
        sorted(found - expected)[:3],
    )


def matched(expected, found):
    """How many triggers have one of their own of the same subscriber within a second."""
    times = defaultdict(list)
    for who, t in sorted(found):
        times[who].append(t)
    count = 0
    for who, t in sorted(expected):
        mine = times[who]
        at = bisect_right(mine, t - 1_000_001)
        if at < len(mine) and mine[at] <= t + 1_000_000:
            mine.pop(at)
            count += 1
    return count


# ------------------------------------------------------------------ what contacts nobody


def counted(town, place, at_least_s, first, last):
    """(day, hour, origin) -> visitors, of everybody that the tap has seen."""
    people, start_us = town.truth, town.truth.start_us
    prefixes = {o.imsi_prefix: o.name for o in town.world.scenario.numbering.origins}
    sets = defaultdict(set)
    for who in list(people.acts):
        digits = f"{who:015d}"
        origin = next((name for prefix, name in prefixes.items() if digits.startswith(prefix)), "home")
        for since, until in people.stays(who, place):
            t, until = since + at_least_s * 1_000_000, min(until, people.end_us)
            while t < until:
                hour = (t - start_us) // HOUR
                if first <= hour % 24 < last:
                    sets[hour // 24, hour % 24, origin].add(who)
                    sets[hour // 24, None, origin].add(who)
                t = start_us + (hour + 1) * HOUR
    return {key: len(members) for key, members in sets.items()}


@pytest.mark.parametrize(
    ("name", "place", "at_least_s", "hours"),
    [("visitor-origins", "scenic-spot", 600, (0, 24)), ("mall-origins", "mall", 300, (9, 22))],
)
def test_visitors_are_counted_by_origin_also_those_whom_no_extract_knows(
    town, name, place, at_least_s, hours
):
    expected = counted(town, place, at_least_s, *hours)
    path = town.folder / "records" / f"statistics-{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {
        (int(row["day"][-2:]) - 4, int(row["hour"]) if row["hour"] else None, row["origin"]): int(
            row["visitors"]
        )
        for row in rows
    }
    assert len(found) == len(rows)
    assert found == expected
    assert {row["place"] for row in rows} == {place}
    strangers = sum(n for (_, hour, origin), n in expected.items() if hour is None and origin != "home")
    assert strangers > 0
    assert name not in town.found


def test_no_identity_is_in_the_statistics(town):
    for name in ("visitor-origins", "mall-origins"):
        text = (town.folder / "records" / f"statistics-{name}.csv").read_text(encoding="utf-8")
        assert not any(len(word) > 10 and word.isdigit() for word in text.replace("\n", ",").split(","))


def test_the_outbound_list_is_what_was_ready_today_with_the_handsets_state(town):
    people = town.truth
    last_day_us = people.start_us + (DAYS - 1) * DAY_US
    last_us = people.end_us - 1_000_000
    told = {one.trigger.imsi for one in town.decisions if one.trigger.campaign == "outbound-ready"}
    assert told
    assert {one.action for one in town.decisions if one.trigger.campaign == "outbound-ready"} == {"output"}
    ready = {}
    for who, t in sorted(outbound_ready(people), key=lambda one: one[1]):
        if t >= last_day_us:
            ready[people.of(who, "msisdn")] = (who, t)
    with (town.folder / "records" / "outbound-outbound-ready.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["msisdn"]: row for row in csv.DictReader(file)}
    live = {row["msisdn"]: row for row in town.outputs.outbound("outbound-ready", last_us)}
    assert rows.keys() == live.keys() == ready.keys()
    for msisdn, (who, t) in ready.items():
        row = live[msisdn]
        assert row["ready_at"] == people.local(t).isoformat(timespec="seconds")
        own = [a for a in people.acts[who] if a.kind not in DERIVED]
        assert row["on"] == (own[-1].kind != "power_off")
        assert row["seen_s"] == (last_us - own[-1].t) // 1_000_000
        assert row["area"] == next(a.lac for a in reversed(own) if a.lac)
        idle_us = people.idle_us(who, last_us)
        assert row["idle_s"] == (None if idle_us is None else idle_us // 1_000_000)


def test_what_contacts_nobody_never_comes_near_a_channel(town):
    for one in town.decisions:
        campaign = town.state.campaigns[town.state.numbers[one.trigger.campaign]]
        assert (campaign.output == "contact") or one.contact is None
        assert campaign.output != "statistics"
        assert (one.action == "output") <= (campaign.output == "file")
