"""What a full channel diverts: clean to the audit where the next is judged, caught where it is not."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace

import pytest
import yaml

from experiments.audit import audit, read_policy
from experiments.firewall.traffic import make_traffic, write_policy
from experiments.firewall.trial import Decision, try_decision
from marketing.contact.bounds import ANYHOW

SEED = 4
RULES = [
    {"most": 1, "per": "month", "channels": ["mms"], "then": "divert"},
    {"most": 1, "within_s": 14 * 86400, "channels": ["wap"], "then": "divert"},
    {"most": 2, "within_s": 20 * 86400, "channels": ["sms"]},
]


class Diverting(Decision):
    """The platform's own, by any of three channels, of which the sender's comes first."""

    diverted = 0

    def decide(self, row, sender, at_us, since_us, cell, released):
        ways = (sender.channel, *(name for name in ("mms", "wap", "sms") if name != sender.channel))
        return self.judge(ways, self.book, row, sender.name, at_us, {
            "may_hold": sender.holds, "released": released, "kind": self.policy.kind(sender.originator),
            "cell": self.cell_of(row, cell), "since_us": since_us,
        })  # fmt: skip

    def judge(self, ways, book, row, name, at_us, keys):
        return self.policy.decide(book, row, name, at_us, **keys, channels=ways)

    def as_sent(self, one):
        self.kinds[one.sender.name] = self.policy.kind(one.sender.originator, (one.sender.channel,))

    def enter(self, one):
        self.diverted += one.sender.channel != one.verdict.channel
        one.sender = replace(one.sender, channel=one.verdict.channel)
        self.as_sent(one)
        super().enter(one)

    def restore(self, one):
        self.as_sent(one)
        super().restore(one)

    def unsent(self, one):
        self.as_sent(one)
        super().unsent(one)

    def ended(self, one, at_us):
        self.as_sent(one)
        super().ended(one, at_us)


class NextUnjudged(Diverting):
    """What the first channel is too full for goes by the next, and nobody asks whether that is full, too."""

    def judge(self, ways, book, row, name, at_us, keys):
        verdict = super().judge(ways[:1], book, row, name, at_us, keys)
        if verdict.reason != "cap":
            return verdict
        elsewhere = copy.copy(self.policy)
        object.__setattr__(elsewhere, "bounds", tuple(b for b in self.policy.bounds if b.counts_by == ANYHOW))
        return elsewhere.decide(book, row, name, at_us, **keys, channels=ways[1:2])


class BookedAsWished(Diverting):
    """It is judged by the next channel, and written down by the one that was wished for."""

    def as_sent(self, one):
        """Kinds stay what they were made: those of senders' own channels."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    traffic = make_traffic(300, SEED)
    file = write_policy(tmp_path_factory.mktemp("diverting"), traffic)
    policy = yaml.safe_load(file.read_text())
    policy["caps"] = {"per_calendar_month": 9, "rules": RULES}
    policy["minimum_gap_s"] = 0
    file.write_text(yaml.safe_dump(policy))
    return traffic, file


def tried(kind, trial):
    traffic, file = trial
    decision = kind(file, traffic)
    found = try_decision(decision, traffic, SEED)
    return decision, found, audit(found.parts, read_policy(file))


def test_a_policy_that_diverts_is_clean(trial):
    decision, found, judged = tried(Diverting, trial)
    assert {rule: n for rule, n in judged.by_rule.items() if n} == {}
    assert decision.diverted > 100
    assert found.suppressed["cap"] > 100
    by = Counter(found.parts.channels[code] for code in found.parts.channel.tolist())
    assert min(by["sms"], by["wap"], by["mms"]) > 100


@pytest.mark.parametrize("kind", [NextUnjudged, BookedAsWished])
def test_to_divert_without_judging_or_booking_the_next_channel_is_caught(kind, trial):
    decision, _, judged = tried(kind, trial)
    assert decision.diverted > 100
    assert {rule for rule, n in judged.by_rule.items() if n} == {"cap"}
