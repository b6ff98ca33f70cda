"""USSD, forwarding, call waiting: rates by segment, stories that hang together, answers that are true.

Counts lie within 4.5 deviations: a false alarm in 150,000 seeds each; seeds are fixed.
"""

import numpy as np
import pytest

from sim.bssap.gsm7 import encode_text
from sim.network import intents
from sim.scenario import DAY_US
from sim.subscribers import usage_services as table
from sim.subscribers.usage import calls, services
from sim.subscribers.usage_accounts import account_fen, is_prepaid
from sim.subscribers.usage_calls import STREAMS
from sim.subscribers.usage_profiles import LEANINGS, by_segment

DAYS = 6


@pytest.fixture(scope="module")
def used(crowd):
    return services(crowd, 0, DAYS * DAY_US)


def expected(crowd, mean):
    factors = np.array(by_segment(crowd.scenario, lambda leaning: leaning.services, calls=False))
    return DAYS * mean * factors[crowd.population.segment].sum()


def near(count, mean):
    return abs(count - mean) < 4.5 * mean**0.5


def test_kinds_are_the_networks():
    assert [getattr(table, name) for name in ("USSD_QUERY", "USSD_REFUSED", "FORWARDING_REGISTERED",
            "FORWARDING_ERASED", "FORWARDING_ASKED", "CALL_WAITING_ACTIVATED")] == [
        intents.USSD_QUERY, intents.USSD_REFUSED, intents.FORWARDING_REGISTERED,
        intents.FORWARDING_ERASED, intents.FORWARDING_ASKED, intents.CALL_WAITING_ACTIVATED,
    ]  # fmt: skip


def test_rates(crowd, used):
    def count(kind):
        return np.count_nonzero(used.kind == kind)

    assert near(count(table.FORWARDING_REGISTERED), expected(crowd, 0.006))
    assert near(count(table.FORWARDING_ASKED), expected(crowd, 0.006 * 0.25))
    assert near(count(table.CALL_WAITING_ACTIVATED), expected(crowd, 0.0005))
    assert near(count(table.USSD_REFUSED), expected(crowd, 0.03 * 0.06))
    points = (used.kind == table.USSD_QUERY) & (used.dialogue >= table._POINTS)
    assert near(np.count_nonzero(points), expected(crowd, 0.03 * 0.16))
    made = calls(crowd, 0, DAYS * DAY_US)
    prepaid = np.count_nonzero(is_prepaid(crowd, made.sub) & (made.ordinal % STREAMS == 0))
    balances = (used.kind == table.USSD_QUERY) & (used.dialogue < len(table.YUAN_STEPS))
    segment = crowd.population.segment
    factors = np.array(by_segment(crowd.scenario, lambda leaning: leaning.services, calls=False))
    asked = DAYS * 0.03 * 0.78 * factors[segment][is_prepaid(crowd, np.arange(crowd.n))].sum()
    assert near(np.count_nonzero(balances), 0.01 * prepaid + asked)
    assert LEANINGS[0].services > LEANINGS[8].services


def test_forwarding_is_registered_and_erased(used):
    def when(kind):
        t_us, sub = used.t_us[used.kind == kind], used.sub[used.kind == kind]
        return {(s, t // DAY_US): t for s, t in zip(sub.tolist(), t_us.tolist(), strict=True)}

    first, last = when(table.FORWARDING_REGISTERED), when(table.FORWARDING_ERASED)
    on = used.kind == table.FORWARDING_REGISTERED
    assert first.keys() == last.keys()
    lengths = [last[one] - first[one] for one in first]
    assert min(lengths) > 0
    assert max(lengths) <= 8 * 3600 * 1_000_000
    for number in used.number[on].tolist():
        assert number.startswith(b"86133")
        assert len(number) == 13
    assert not used.number[~on].any()


def test_prepaid_ask_after_their_calls(crowd):
    made, used = calls(crowd, 0, DAY_US), services(crowd, 0, DAY_US)
    ends = made.t_us + made.alert_us + made.ring_us + np.where(made.intent == 0, made.talk_us, 0)
    own = (made.ordinal % STREAMS == 0) & is_prepaid(crowd, made.sub)
    order = np.argsort(ends[own])
    query = (used.kind == table.USSD_QUERY) & (used.dialogue < len(table.YUAN_STEPS))
    after = 0
    recent = {}
    events = sorted(
        [(t, 0, s) for t, s in zip(ends[own][order].tolist(), made.sub[own][order].tolist(), strict=True)]
        + [(t, 1, s) for t, s in zip(used.t_us[query].tolist(), used.sub[query].tolist(), strict=True)]
    )
    for t, what, sub in events:
        if what == 0:
            recent[sub] = t
        else:
            after += t - recent.get(sub, -DAY_US) <= 61_000_000
    expected_after = 0.01 * np.count_nonzero(own)
    assert after > 0.8 * expected_after
    assert near(after, expected_after) or after > expected_after


def test_answers_are_what_the_account_holds(crowd, used):
    """The answer names the greatest step that the account is not below."""
    account = np.flatnonzero((used.kind == table.USSD_QUERY) & (used.dialogue < table._POINTS))[:400]
    held = account_fen(crowd, used.sub[account], used.t_us[account] // DAY_US)
    prepaid = is_prepaid(crowd, used.sub[account])
    steps = (*table.YUAN_STEPS, 10**6)
    for row, fen, pays_before in zip(account.tolist(), held.tolist(), prepaid.tolist(), strict=True):
        code, said = table.dialogue(int(used.dialogue[row]) + 1)
        assert code == ("*100#" if pays_before else "*101#")
        yuan = int(said.split("over ")[1].split(".")[0])
        assert yuan * 100 <= fen < steps[steps.index(yuan) + 1] * 100


def test_dialogues_can_be_sent():
    for code, said in table.DIALOGUES:
        assert encode_text(code)
        assert 0 < len(encode_text(said)) <= 182
    assert table.dialogue(1) == table.DIALOGUES[0]
