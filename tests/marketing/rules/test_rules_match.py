"""Rules over batches: against a plain loop over rows and campaigns, and case by case."""

import copy

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.campaigns import Campaign
from marketing.expressions import CATALOGUE, Numbers, Type, Words
from marketing.profiles import DECLARED
from marketing.rules import Rules
from marketing.rules import audiences as worked_out

PEERS = ("", "10086", "100861", "1", "0571888", "12593139", "1" * 20)
KINDS = ("power_on", "call_ended", "sms_sent", "call_busy")
DAY = "2009-03-02"  # a Monday


def made(number, **keys):
    return Campaign(
        **{
            "campaign": f"c-{number}",
            "title": "t",
            "offer": "o",
            "content": {"en": "hi"},
            "originator": f"1008{number:03d}",
            **keys,
        }
    )


elements = st.fixed_dictionaries(
    {
        "behaviour": st.one_of(
            st.sampled_from(KINDS), st.lists(st.sampled_from(KINDS), min_size=1, max_size=3)
        )
    },
    optional={
        "role": st.sampled_from(["caller", "callee"]),
        "peer": st.lists(st.sampled_from(PEERS[1:]), min_size=1, max_size=3),
        "peer_prefix": st.lists(
            st.sampled_from(["0", "1", "100", "12593", "1" * 20]), min_size=1, max_size=3
        ),
        "place": st.sampled_from(["airport", "mall"]),
        "area": st.sampled_from([0x2222, 0x1111]),
        "if": st.just('event.duration > duration("5s") && event.peer != "1"'),
    },
)
audiences = st.sampled_from(
    [{}, {"often_off": True}, {"brand": ["mzone", "gotone"]}, {"services": "mms"}, "now.on"]
)
acts = st.fixed_dictionaries(
    {
        "sub": st.integers(0, 9),
        "kind": st.sampled_from(KINDS),
        "role": st.integers(0, 2),
        "peer": st.sampled_from(PEERS).map(str.encode),
        "cell": st.sampled_from(["AIRPORT", "HOME", (0x3333, 1), (0, 0), (0x1111, 9)]),
        "duration_us": st.sampled_from([0, 5_000_000, 5_000_001]),
    }
)


class View:
    """Switched on: subscribers with an even row; an idle time known of those below five."""

    def column(self, name, rows, at_us):
        if name == "now.on":
            return Numbers(rows % 2 == 0)
        if name == "now.idle":
            return Numbers(np.full(len(rows), 3_600_000_000), rows < 5)
        if name == "now.place":
            return Words((rows % 2).astype(np.int8), ("mall", "airport"))
        if name == "habit.minutes_left":
            return Numbers(rows * 10, rows != 3)
        raise AssertionError(name)


def fits(element, act, places):
    """One row and one element, as the key's meaning says."""
    names = element["behaviour"]
    if act["kind"] not in ([names] if isinstance(names, str) else names):
        return False
    if element.get("role") and act["role"] != {"caller": 1, "callee": 2}[element["role"]]:
        return False
    peer = act["peer"].decode()
    if "peer" in element or "peer_prefix" in element:
        starts = tuple(element.get("peer_prefix", ()))
        if peer not in element.get("peer", ()) and not peer.startswith(starts or ("?",)):
            return False
    if "place" in element and places.get(act["cell"]) != element["place"]:
        return False
    if "area" in element and act["cell"][0] != element["area"]:
        return False
    return not ("if" in element and not (act["duration_us"] > 5_000_000 and peer != "1"))


def belongs(audience, row):
    if audience == "now.on":
        return row % 2 == 0
    return {
        "often_off": lambda: row < 5,
        "brand": lambda: row % 3 == 0,
        "services": lambda: row % 4 == 0,
        None: lambda: True,
    }[next(iter(audience), None)]()


# The helpers of `town` keep nothing from one example to the next.
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(elements, audiences), min_size=1, max_size=70), st.lists(acts, min_size=1, max_size=12)
)
def test_single_behaviours_equal_a_loop_over_rows_and_campaigns(town, scenes, rows):
    rows = [
        {**a, "cell": getattr(town, a["cell"]) if isinstance(a["cell"], str) else a["cell"]} for a in rows
    ]
    people = town.profiles(
        often_off=[i < 5 for i in range(10)],
        brand=["mzone" if i % 3 == 0 else "easyown" for i in range(10)],
        services=[["mms", "wap"] if i % 4 == 0 else ["wap"] for i in range(10)],
    )
    campaigns = [made(i, scene={"begin": e}, audience=a) for i, (e, a) in enumerate(scenes)]
    rules = Rules.compile(campaigns, people, town.places(), view=View())
    batch = town.batch(*({"t": f"{DAY} 10:00", **act} for act in rows))
    found = rules.match(batch, people.rows(batch["imsi"]))
    places = {town.AIRPORT: "airport", (0x3333, 1): "mall"}
    expected = {
        (i, number)
        for i, act in enumerate(rows)
        for number, (element, audience) in enumerate(scenes)
        if fits(element, act, places) and belongs(audience, act["sub"])
    }
    assert sorted(zip(found.index.tolist(), found.campaign.tolist(), strict=True)) == sorted(expected)
    assert found.t_us.tolist() == found.since_us.tolist() == batch["t_us"][found.index].tolist()


def rules_of(town, *campaigns, **keys):
    people = town.profiles()
    return Rules.compile(campaigns, people, town.places(), zone="Asia/Shanghai", view=View(), **keys)


def play(town, rules, *acts):
    batch = town.batch(*acts)
    rows = np.array([act["sub"] for act in acts])
    return [int(t) for t in rules.match(batch, rows).index]


ON = {"behaviour": "power_on"}
WHEN = [
    ({"hours": ["18:00-21:30"]}, ["17:59:59", "18:00", "21:29:59", "21:30"], [1, 2]),
    ({"hours": ["22:00-02:00"]}, ["21:59", "22:00", "23:59"], [1, 2]),
    ({"hours": ["00:00-24:00"]}, ["00:00", "23:59:59"], [0, 1]),
    ({"hours": ["08:00-09:00", "10:00-11:00"]}, ["08:30", "09:30", "10:30"], [0, 2]),
    ({"days": ["mon"]}, ["00:00", "23:59:59"], [0, 1]),
    ({"days": ["tue", "sun"]}, ["00:00", "23:59:59"], []),
]


@pytest.mark.parametrize(("when", "times", "passing"), WHEN)
def test_local_hours_and_days(town, when, times, passing):
    rules = rules_of(town, made(1, scene={"begin": ON, "when": when}))
    acts = [{"t": f"{DAY} {t}", "sub": 0, "kind": "power_on"} for t in times]
    assert play(town, rules, *acts) == passing


def test_valid_days_include_the_last(town):
    rules = rules_of(town, made(1, scene={"begin": ON}, valid={"from": "2009-03-02", "until": "2009-03-03"}))
    days = ["03-01 23:59:59", "03-02 00:00", "03-03 23:59:59", "03-04 00:00"]
    acts = [{"t": f"2009-{day}", "sub": 0, "kind": "power_on"} for day in days]
    assert play(town, rules, *acts) == [1, 2]


def test_where_is_a_place_or_an_area(town):
    where = {"places": ["mall"], "areas": [0x2222]}
    rules = rules_of(town, made(1, scene={"begin": ON, "where": where}))
    cells = [(0x3333, 1), town.AIRPORT, town.HOME, (0, 0), (0x2222, 99)]
    acts = [{"t": f"{DAY} 10:00", "sub": 0, "kind": "power_on", "cell": cell} for cell in cells]
    assert play(town, rules, *acts) == [i for i, c in enumerate(cells) if c == (0x3333, 1) or c[0] == 0x2222]


def test_a_condition_at_completion_holds_only_where_it_is_known(town):
    rules = rules_of(town, made(1, scene={"begin": ON, "if": 'now.idle > duration("20m")'}))
    acts = [{"t": f"{DAY} 10:00", "sub": sub, "kind": "power_on"} for sub in (4, 5, 3)]
    assert play(town, rules, *acts) == [0, 2]
    assert rules.reads == {"now.idle"}


def test_what_only_a_view_could_give_is_refused_without_one(town):
    campaign = made(1, scene={"begin": ON, "if": 'now.idle > duration("20m")'})
    with pytest.raises(ValueError, match=r"now\.idle"):
        Rules.compile([campaign], town.profiles(), town.places())
    with pytest.raises(ValueError, match=r"moon|tuple"):
        rules_of(town, made(1, scene={"begin": ON, "where": {"places": ["moon"]}}))


SEQUENCE = {
    "begin": {"behaviour": "call_ended", "role": "caller", "peer": ["10086"]},
    "then": [
        {"followed_by": {"behaviour": "call_busy"}, "times": 2},
        {"not_followed_by": {"behaviour": "call_started"}, "within_s": 1800},
    ],
    "within_s": 7200,
}


def sequence(town, rules, *acts):
    """Rows one by one, as an engine would; (seconds after ten, subscriber, seconds of the begin)."""
    zero = town.at(f"{DAY} 10:00:00")
    found = []
    for act in acts:
        batch, rows = town.batch(act), np.array([act["sub"]])
        found += [rules.fire(rows, batch["t_us"]), rules.match(batch, rows)]
    found.append(rules.due(zero + 10_000 * 1_000_000))
    return [
        tuple(int(x) for x in ((c.t_us[i] - zero) // 10**6, c.row[i], (c.since_us[i] - zero) // 10**6))
        for c in found
        for i in range(len(c))
    ]


def at(clock, kind, sub=1, **keys):
    return {"t": f"{DAY} 10:{clock}", "sub": sub, "kind": kind, **keys}


HOTLINE = {"role": 1, "peer": b"10086"}


def test_a_sequence_with_a_count_and_an_absence_at_its_end(town):
    rules = rules_of(town, made(1, scene=SEQUENCE), made(2, scene={"begin": ON}))
    acts = [
        at("00:00", "call_ended", **HOTLINE),
        at("01:00", "call_busy"),
        at("02:00", "call_ended", sub=2, **HOTLINE),
        at("03:00", "call_busy"),
        at("04:00", "call_busy", sub=2),
        at("05:00", "call_busy", sub=2),
        at("20:00", "call_started", sub=2),
        at("59:00", "call_started"),
    ]
    assert sequence(town, copy.deepcopy(rules), *acts) == [(180 + 1800, 1, 0)]
    assert rules.partial == 0  # the copy was another


def test_who_leaves_the_audience_takes_no_part_from_then_on(town):
    campaign = made(1, scene=SEQUENCE, audience={"often_off": True})
    people = town.profiles(often_off=[True] * 10)
    rules = Rules.compile([campaign], people, town.places(), view=View())
    acts = [at("00:00", "call_ended", **HOTLINE), at("01:00", "call_busy"), at("02:00", "call_busy")]
    for act in acts:
        rules.match(town.batch(act), np.array([1]))
    assert rules.partial == 1
    rules.switch(town.profiles(often_off=[False] * 10))
    assert sequence(town, rules) == []


def test_next_is_broken_by_any_other_behaviour(town):
    scene = {"begin": ON, "then": [{"next": {"behaviour": "sms_sent"}}]}
    rules = rules_of(town, made(1, scene=scene))
    assert sequence(town, rules, at("00:00", "power_on"), at("01:00", "sms_sent")) == [(60, 1, 0)]
    broken = [at("00:00", "power_on"), at("00:30", "handover"), at("01:00", "sms_sent")]
    assert sequence(town, rules_of(town, made(1, scene=scene)), *broken) == []


def test_partial_matches_go_on_after_a_reload_with_other_campaigns(town):
    rules = rules_of(town, made(1, scene=SEQUENCE), made(2, scene={**SEQUENCE, "within_s": 3600}))
    for act in (at("00:00", "call_ended", **HOTLINE), at("01:00", "call_busy")):
        rules.match(town.batch(act), np.array([1]))
    assert rules.partial == 2
    changed = made(2, scene={**SEQUENCE, "within_s": 3000})
    other = rules_of(town, made(0, scene=SEQUENCE), made(1, scene=SEQUENCE), changed)
    assert other.restore(rules.snapshot()) == 1  # another scene now: its match is left out
    assert sequence(town, other, at("02:00", "call_busy")) == [(120 + 1800, 1, 0)]
    moved = rules_of(town, made(1, scene=SEQUENCE))
    assert moved.restore(rules.snapshot(), rows=np.array([-1, 7])) == 1
    assert sequence(town, moved, at("02:00", "call_busy", sub=7)) == [(120 + 1800, 7, 0)]
    gone = rules_of(town, made(1, scene=SEQUENCE))
    assert gone.restore(rules.snapshot(), rows=np.array([-1, -1])) == 2


def test_a_stay_completes_or_begins_a_scene(town):
    dwell = {"dwell": {"place": "airport", "at_least_s": 2700}}
    then = [{"followed_by": {"behaviour": "call_ended"}, "within_s": 600}]
    rules = rules_of(
        town,
        made(1, scene={"begin": dwell}, audience="now.on"),
        made(2, scene={"begin": dwell, "then": then}),
    )
    zero = town.at(f"{DAY} 10:00:00")
    alone, first = rules.dwells[town.places().number("airport")]
    assert (alone.at_least_us, first.at_least_us) == (2_700_000_000, 2_700_000_000)
    assert rules.dwelt(alone, np.array([2, 3]), np.array([5, 6]), np.array([zero, zero])).row.tolist() == [2]
    assert len(rules.dwelt(first, 2, 5, zero)) == 0
    assert sequence(town, rules, at("05:00", "call_ended", sub=2)) == [(300, 2, 0)]


def test_targets_lists_and_groups(town, tmp_path):
    listed = tmp_path / "t.csv"
    listed.write_text(f"msisdn,name\n{town.msisdn(3)},a\n{town.msisdn(4)},b\n8613999999999,c\n")
    rules = rules_of(
        town,
        made(1, scene={"begin": ON}, targets=str(listed)),
        made(2, scene={"begin": ON}, targets=str(listed), audience="now.on"),
        made(3, scene={"begin": ON}, audience='"vip" in lists'),
    )
    assert np.flatnonzero(rules.members(0)).tolist() == [3, 4]
    rows = np.arange(10)
    assert np.flatnonzero(rules.passing(1, rows, np.zeros(10, dtype=np.int64))).tolist() == [4]
    assert not rules.members(2).any()  # a list that is not there holds nobody


def test_values_for_placeholders(town):
    text = "{offer} {place|here} {minutes_left|some} {peer|someone}"
    rules = rules_of(town, made(1, scene={"begin": ON}, content={"en": text}))
    event = town.batch({"t": f"{DAY} 10:00", "kind": "call_busy", "peer": b"110"})
    values = rules.values(0, 1, 0, event)
    assert rules.campaigns[0].render("en", values) == "o airport 10 110"
    assert rules.campaigns[0].render("en", rules.values(0, 3, 0)) == "o airport some someone"
    assert {"now.place", "habit.minutes_left"} <= rules.reads


def test_a_hundred_campaigns_take_a_bit_each_of_a_subscriber(town):
    campaigns = [made(i, scene={"begin": ON}, audience={"often_off": i % 2 == 0}) for i in range(100)]
    people = town.profiles(often_off=[i < 5 for i in range(10)])
    rules = Rules.compile(campaigns, people, town.places())
    assert rules._bits.nbytes == 13 * 10 + 8
    found = rules.match(town.batch({"t": f"{DAY} 10:00", "sub": 9, "kind": "power_on"}), np.array([9]))
    assert found.campaign.tolist() == list(range(1, 100, 2))


def test_the_catalogue_has_every_declared_column_of_the_extract_in_its_type():
    types = {
        "bool": Type.BOOL,
        "int": Type.INT,
        "double": Type.DOUBLE,
        "string": Type.STRING,
        "list": Type.STRINGS,
    }
    told = {name: feature.type for name, feature in CATALOGUE.items() if name.startswith("profile.")}
    assert told == {f"profile.{name}": types[column.type] for name, column in DECLARED.items()}


def test_audiences_that_stay_the_same_are_taken_over(town, tmp_path, monkeypatch):
    listed = tmp_path / "t.csv"
    listed.write_text(f"msisdn\n{town.msisdn(3)}\n")
    people = town.profiles(often_off=[i < 5 for i in range(10)], brand=["gotone", "mzone"] * 5)
    old = [
        made(1, scene={"begin": ON}, audience={"often_off": True}),
        made(2, scene={"begin": ON}, targets=str(listed)),
        *(made(i, scene={"begin": ON}, audience={"brand": "gotone"} if i % 2 else {}) for i in range(3, 12)),
    ]
    rules = Rules.compile(old, people, town.places())
    listed.write_text(f"msisdn\n{town.msisdn(4)}\n")
    new = [made(0, scene={"begin": ON}, audience={"often_off": False}), *old[:0:-1], old[0]]
    expected = Rules.compile(new, people, town.places())
    asked = []
    mask = worked_out.audience_mask

    def counted(campaign, *rest):
        asked.append(campaign.campaign)
        return mask(campaign, *rest)

    monkeypatch.setattr(worked_out, "audience_mask", counted)
    found = Rules.compile(new, people, town.places(), like=rules)
    assert np.array_equal(found._bits, expected._bits)
    assert asked == ["c-0", "c-2"]
    assert np.flatnonzero(found.members(10)).tolist() == [4]
    Rules.compile(new, town.profiles(), town.places(), like=rules)
    assert len(asked) == 2 + len(new)  # another extract: nothing is known of it
