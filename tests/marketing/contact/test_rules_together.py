"""Policies of every kind of rule: judged together as one by one, however cut; and never overstepped."""

import copy
import csv
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.contact import Book, Policy
from marketing.contact.rules_file import CHANNELS
from marketing.contact.verdicts import HOLD, NO_CHANNEL, REASON_OF, SEND, Asked, Limits, decide_many

ROWS = 4
NAMES = ("credit", "data", "care", "plain")
SENDERS = ("100860051", "100860011", "100860021", "100860099")
WAYS = (("wap", "sms"), ("mms", "wap", "sms"), ("sms",), ("mms", "sms"))
ACTIONS = ("send", "hold", "suppress", "output")
ZONES = ("Asia/Kathmandu", "Europe/Berlin")
CELLS = (0, 4369 << 16 | 7, 4369 << 16 | 8, 8738 << 16 | 9)
BUSY = (("4369-7", "11:00", "13:00"), ("4369-8", "11:00", "13:00"), ("4369-8", "22:30", "00:30"))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOUR = 3_600_000_000
FREE = SimpleNamespace(per_calendar_month=None, same_campaign_days=None)

channels = st.lists(st.sampled_from(("sms", "mms", "wap")), max_size=2, unique=True)
classes = st.lists(st.sampled_from(("credit", "data", "care")), max_size=2, unique=True)
windows = st.one_of(
    st.builds(lambda per: {"per": per}, st.sampled_from(("day", "week", "month"))),
    st.builds(lambda s: {"within_s": s}, st.sampled_from((1, 60, 3600, 86_400, 604_800))),
)
cap_rules = st.builds(
    lambda most, window, by, of, diverts: {
        "most": most,
        "channels": by,
        "classes": of,
        "then": "divert" if by and diverts else "drop",
        **window,
    },
    st.integers(1, 3),
    windows,
    channels,
    classes,
    st.booleans(),
)
never = st.builds(
    lambda these, after, s: {"classes": these, "after": after, "within_s": s},
    st.lists(st.sampled_from(("credit", "data", "care")), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(("credit", "data", "care")), min_size=1, max_size=2, unique=True),
    st.sampled_from((1, 3600, 259_200)),
)
stretch = st.builds(
    lambda ends, days, then: {"name": "x", "from": ends[0], "to": ends[1], "days": days, "then": then},
    st.sampled_from((("11:30", "13:00"), ("17:00", "17:30"), ("23:00", "01:00"), ("00:00", "00:10"))),
    st.lists(st.sampled_from(("mon", "sat", "sun", "thu")), min_size=1, unique=True),
    st.sampled_from(("hold", "drop")),
)
policies = st.fixed_dictionaries(
    {
        "caps": st.fixed_dictionaries(
            {"per_calendar_month": st.sampled_from((2, 5, 50)), "rules": st.lists(cap_rules, max_size=3)}
        ),
        "minimum_gap_s": st.sampled_from((0, 0, 1, 1800, 86_400)),
        "not_after": st.lists(never, max_size=2),
        "quiet_hours": st.sampled_from((None, {"from": "21:00", "to": "09:00"})),
        "closed_hours": st.lists(stretch, max_size=2),
        "holidays": st.fixed_dictionaries(
            {"dates": st.just(["2009-03-29"]), "then": st.sampled_from(("hold", "drop"))}
        ),
        "holds": st.fixed_dictionaries({"stale_after_s": st.sampled_from((600, 7200, 86_400, 259_200))}),
        "duplicate": st.fixed_dictionaries({"same_campaign_days": st.sampled_from((0, 1, 3))}),
        "validity_s": st.sampled_from((1.0, 3600.0, 21_600.0, 200_000.0)),
        "delivery_margin_s": st.sampled_from((60.0, 300.0)),
        "then": st.sampled_from((None, "hold", "drop")),
        "zoned": st.booleans(),
    }
)
triggers = st.lists(
    st.tuples(
        # From one to the next, us: equal instants, one second more or less than a window, a night.
        st.sampled_from((0, 0, 1, 1_000_000, 60_000_000, 1_800_000_000, HOUR - 1, HOUR, 5 * HOUR, 14 * HOUR)),
        st.sampled_from((0, 0, 0, 1, 2, 3)),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, len(CELLS) - 1),
        st.sampled_from((None, None, None, 0, 1800, 90_000)),
        # Of its channels: with which it begins, and how many are up.
        st.tuples(st.integers(0, 2), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=40,
)
starts = st.sampled_from(
    ("2009-03-27 10:00", "2009-03-28 22:00", "2009-03-31 16:00", "2008-02-28 20:00", "2009-12-30 09:00")
)
EXAMPLES = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def written(folder, name, header, rows):
    path = folder / name
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def policy_of(town, folder, drawn):
    keys = dict(drawn)
    then, zoned = keys.pop("then"), keys.pop("zoned")
    if then is not None:
        keys["busy_cells"] = {"file": written(folder, "busy.csv", ("cell", "from", "to"), BUSY), "then": then}
    if zoned:
        rows = [(town.msisdn(row), zone) for row, zone in enumerate(ZONES)]
        keys["timezones"] = {"file": written(folder, "zones.csv", ("msisdn", "timezone"), rows)}
    groups = {name: {"originators": [sender]} for name, sender in zip(NAMES[:3], SENDERS, strict=False)}
    return Policy.of(town.policy_file(classes=groups, **keys))


def book_of(town, policy):
    book = Book.empty(ROWS)
    numbers = {int(town.msisdn(row)): row for row in range(ROWS)}
    book.live_in(np.array([numbers[int(m)] for m in policy.zones.msisdn], dtype=np.int64), policy.zones.zone)
    return book


def kinds_of(policy):
    return [policy.kind(sender, ways) for sender, ways in zip(SENDERS, WAYS, strict=True)]


def asked_of(town, start, drawn, known=True):
    """`known`: the channels of each trigger are; otherwise any of its campaign's."""
    t_us, found = town.at(start), []
    for gap_us, row, number, cell, waited_s, (first, count) in drawn:
        t_us += gap_us
        ways = WAYS[number]
        first %= len(ways)
        ways = (*ways[first:], *ways[:first])[:count] if known else ()
        found.append((t_us, row, number, CELLS[cell], waited_s, ways))
    return found


def one_by_one(policy, book, asked):
    found, kinds = [], kinds_of(policy)
    for at_us, row, number, cell, waited_s, ways in asked:
        verdict = policy.decide(
            book,
            row,
            NAMES[number],
            at_us,
            may_hold=number != 1,
            released=waited_s is not None,
            kind=kinds[number],
            cell=cell,
            since_us=None if waited_s is None else at_us - waited_s * 1_000_000,
            channels=ways,
        )
        ordinal = 0
        if verdict.action == "send":
            latest_us = verdict.latest_us if policy.remembers else 0
            kind = policy.kind(SENDERS[number], (verdict.channel,)) if ways else kinds[number]
            ordinal = book.add(row, NAMES[number], verdict.span, at_us, latest_us, kind)
        elif verdict.action == "hold":
            book.waiting.add((row, NAMES[number]))
        told = verdict.action, verdict.reason, ordinal, verdict.release_us, verdict.valid_until_us
        found.append((*told, verdict.channel))
    return found


def codes(ways):
    found = [CHANNELS.index(name) for name in ways]
    return found + [NO_CHANNEL] * (3 - len(found))


def together(policy, book, asked):
    at_us, row, number, cell, waited_s, ways = zip(*asked, strict=True)
    waited = np.array([s or 0 for s in waited_s], dtype=np.int64)
    columns = Asked(
        np.array(row, dtype=np.int64),
        np.array(number, dtype=np.int32),
        np.array(at_us, dtype=np.int64),
        np.zeros(len(row), dtype=np.uint8),
        np.array([s is not None for s in waited_s]),
        np.zeros(len(row), dtype=np.bool_),
        np.array(at_us, dtype=np.int64) - waited * 1_000_000,
        np.array(cell, dtype=np.uint32),
        np.array([codes(some) for some in ways], dtype=np.uint8) if ways[0] else None,
    )
    may_hold = [number != 1 for number in range(len(NAMES))]
    limits = Limits.of(policy, book, NAMES, [FREE] * len(NAMES), may_hold, kinds_of(policy))
    verdicts = decide_many(policy, book, NAMES, limits, columns)
    found = []
    for i, instant in enumerate(at_us):
        window, action = verdicts.windows[verdicts.window[i]], int(verdicts.action[i])
        release_us = window.release_us if action == HOLD else 0
        valid_us = policy.valid_until_us(window, instant) if action == SEND else 0
        found.append(
            (
                ACTIONS[action],
                REASON_OF[verdicts.reason[i]],
                int(verdicts.ordinal[i]),
                release_us,
                valid_us,
                ways[i][verdicts.way[i]] if action == SEND and ways[i] else "",
            )
        )
    return found


def remembered(book):
    rows, numbers, records = book.pairs.entries()
    pairs = sorted(
        (row, number, int(r["day"]), int(r["month"]), int(r["ordinal"]))
        for row, number, r in zip(rows.tolist(), numbers.tolist(), records, strict=True)
    )
    log = [sorted(book.log.of(row)) for row in range(ROWS)]
    return pairs, log, book.month.tolist(), book.count.tolist(), book.contact_s.tolist(), book.waiting


@EXAMPLES
@given(policies, starts, triggers, st.data())
def test_together_as_one_by_one_however_cut(town, tmp_path_factory, drawn, start, acts, data):
    policy = policy_of(town, tmp_path_factory.mktemp("p"), drawn)
    asked, book = asked_of(town, start, acts, data.draw(st.booleans())), book_of(town, policy)
    for name in NAMES:
        book.number(name)
    twin, third = copy.deepcopy(book), copy.deepcopy(book)
    expected = one_by_one(policy, twin, asked)
    assert together(policy, book, asked) == expected
    assert remembered(book) == remembered(twin)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(asked)), max_size=4)) | {len(asked)})
    parts, begin = [], 0
    for end in cuts:
        parts += together(policy, third, asked[begin:end]) if end > begin else []
        begin = end
    assert parts == expected
    assert remembered(third) == remembered(twin)


GAPS = (
    0,
    1,
    1_000_000,
    59_000_000,
    60_000_000,
    600_000_000,
    1_800_000_000,
    HOUR - 1,
    HOUR,
    2 * HOUR,
    7 * HOUR,
)
by_channel = st.builds(
    lambda most, window, by, of, then: {"most": most, "channels": by, "classes": of, "then": then, **window},
    st.integers(1, 2),
    windows,
    st.lists(st.sampled_from(("sms", "mms", "wap")), min_size=1, max_size=2, unique=True),
    st.one_of(st.just([]), classes),
    st.sampled_from(("divert", "divert", "divert", "drop")),
)
diverting = st.fixed_dictionaries(
    {
        "caps": st.fixed_dictionaries(
            {"per_calendar_month": st.just(50), "rules": st.lists(by_channel, min_size=1, max_size=4)}
        ),
        "minimum_gap_s": st.sampled_from((0, 0, 1)),
        "quiet_hours": st.sampled_from((None, {"from": "21:00", "to": "09:00"})),
        "duplicate": st.just({"same_campaign_days": 0}),
        "validity_s": st.sampled_from((1.0, 3600.0)),
        "then": st.none(),
        "zoned": st.booleans(),
    }
)


@EXAMPLES
@given(diverting, starts, st.integers(0, 2**32 - 1))
def test_what_is_diverted_counts_at_its_own_place_however_cut(town, tmp_path_factory, drawn, start, seed):
    rng = np.random.default_rng(seed)
    policy = policy_of(town, tmp_path_factory.mktemp("p"), drawn)
    acts = [
        (int(rng.choice(GAPS)), int(rng.choice((0, 0, 1))), int(rng.integers(len(NAMES))), 0, None, way)
        for way in zip(rng.integers(0, 3, 60).tolist(), rng.integers(1, 4, 60).tolist(), strict=True)
    ]
    asked, book = asked_of(town, start, acts), book_of(town, policy)
    for name in NAMES:
        book.number(name)
    twin, third = copy.deepcopy(book), copy.deepcopy(book)
    expected = one_by_one(policy, twin, asked)
    assert together(policy, book, asked) == expected
    cut = int(rng.integers(1, len(asked)))
    assert together(policy, third, asked[:cut]) + together(policy, third, asked[cut:]) == expected
    assert remembered(book) == remembered(third) == remembered(twin)


def test_a_refused_channel_gives_way_to_the_next_and_the_first_reason_is_told(town):
    rules = [
        {"most": 1, "per": "month", "channels": ["mms"], "then": "divert"},
        {"most": 2, "per": "month", "channels": ["wap"], "then": "divert"},
        {"most": 1, "per": "month", "channels": ["sms"]},
    ]
    keys = {"quiet_hours": None, "duplicate": {"same_campaign_days": 0}}
    policy = Policy.of(town.policy_file(caps={"per_calendar_month": 50, "rules": rules}, **keys))
    all_, no_wap = ("mms", "wap", "sms"), ("mms", "sms")
    ways = [all_, all_, no_wap, no_wap, all_, all_, ("wap",), ("sms", "wap"), ("mms",)]
    t_us = town.at("2009-03-02 10:00")
    asked = [(t_us + n, 0, 1, 0, None, some) for n, some in enumerate(ways)]
    found = together(policy, Book.empty(ROWS), asked)
    # The third went by sms, so that nothing is left for the fourth; a rule that drops does not divert.
    assert [one[-1] or one[1] for one in found] == [
        "mms", "wap", "sms", "cap", "wap", "cap", "cap", "cap", "cap",
    ]  # fmt: skip
    assert one_by_one(policy, Book.empty(ROWS), asked) == found


# --------------------------------------------------------------------------- what is received


def shut(keys, local, busy=()):
    """Whether a clock on the wall shows closed hours."""
    quiet = [keys["quiet_hours"]] if keys["quiet_hours"] else []
    stretches = [(s["from"], s["to"], s.get("days")) for s in (*quiet, *keys["closed_hours"])]
    stretches += [(start, end, None) for start, end in busy]
    now, day = local.strftime("%H:%M:%S.%f"), DAYS[local.weekday()]
    for start, end, days in stretches:
        within = start <= now < end if start < end else now >= start or now < end
        if within and (days is None or day in days):
            return True
    return local.date().isoformat() in keys["holidays"]["dates"]


def overstepped(keys, received):
    """Rules broken by what one subscriber received: (instant us, local time, sender, channels)."""
    found = set()
    received = sorted(received)
    for i, (t, local, sender, _) in enumerate(received):
        before = received[: i + 1]
        mine = [one for one in before if (one[1].year, one[1].month) == (local.year, local.month)]
        if len(mine) > keys["caps"]["per_calendar_month"]:
            found.add("month")
        for rule in keys["caps"]["rules"]:
            of = [SENDERS[NAMES.index(name)] for name in rule["classes"]]
            counted = [
                one
                for one in before
                if (not of or one[2] in of) and (not rule["channels"] or one[3] in rule["channels"])
            ]
            if "within_s" in rule:
                n = sum(t - rule["within_s"] * 1_000_000 < one[0] for one in counted)
            else:
                same = {
                    "day": lambda d: d.date(),
                    "week": lambda d: d.isocalendar()[:2],
                    "month": lambda d: (d.year, d.month),
                }[rule["per"]]
                n = sum(same(one[1]) == same(local) for one in counted)
            if n > rule["most"]:
                found.add(f"cap {rule}")
        if i and t - received[i - 1][0] < keys["minimum_gap_s"] * 1_000_000:
            found.add("gap")
        for rule in keys["not_after"]:
            these, after = ([SENDERS[NAMES.index(n)] for n in rule[k]] for k in ("classes", "after"))
            others = [one for j, one in enumerate(received) if j != i and one[2] in after]
            if sender in these and any(t - rule["within_s"] * 1_000_000 < one[0] <= t for one in others):
                found.add("not_after")
        for one in before[:-1]:
            days = (local.date() - one[1].date()).days
            if one[2] == sender and days < keys["duplicate"]["same_campaign_days"]:
                found.add("duplicate")
        if shut(keys, local):
            found.add("closed")
    return found


@settings(EXAMPLES, max_examples=250)
@given(policies, starts, st.integers(0, 2**32 - 1))
def test_whenever_the_centre_delivers_nothing_is_overstepped(town, tmp_path_factory, drawn, start, seed):
    """Each contact is received at any instant from its decision to the end of an attempt begun in time."""
    rng = np.random.default_rng(seed)
    pick = lambda some: some[int(rng.integers(len(some)))]  # noqa: E731
    if rng.random() < 0.7:
        drawn = {**drawn, "quiet_hours": None, "duplicate": {"same_campaign_days": pick((0, 0, 1))}}
        drawn["caps"] = {**drawn["caps"], "per_calendar_month": 50}
    policy = policy_of(town, tmp_path_factory.mktemp("p"), drawn)
    acts = [
        (
            pick(GAPS),
            pick((0, 0, 0, 1)),
            pick(range(len(NAMES))),
            pick(range(len(CELLS))),
            None,
            (pick(range(3)), pick((1, 2, 3))),
        )
        for _ in range(80)
    ]
    asked, book = asked_of(town, start, acts, rng.random() < 0.8), book_of(town, policy)
    sent = defaultdict(list)
    for at, (action, _, _, _, valid_us, channel) in zip(asked, together(policy, book, asked), strict=True):
        if action == "send":
            at_us, row, number, cell, _, _ = at
            last_us = valid_us + policy.guard_us - 1
            when = pick((at_us, last_us, int(rng.integers(at_us, last_us + 1))))
            zone = ZoneInfo(ZONES[row]) if drawn["zoned"] and row < 2 else town.SHANGHAI
            local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=when)).astimezone(zone)
            sent[row].append((when, local, SENDERS[number], channel or pick(WAYS[number])))
            if drawn["then"] is not None:
                hours = [(f, t) for name, f, t in BUSY if name == f"{cell >> 16}-{cell & 65535}"]
                assert not shut(drawn, local, hours)
    for received in sent.values():
        assert overstepped(drawn, received) == set()
