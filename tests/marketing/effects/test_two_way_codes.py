"""Which contact a reply answers (J11): sub-codes, bare access codes, several that are open, stop words."""

import pytest

from marketing.config import ConfigError
from marketing.config_channels import CodesConfig
from marketing.effects import Conversations, SentContact
from marketing.effects.replies import match
from marketing.effects.two_way import check_codes

CODES = ("100860", "10657")
ME = "8613900000001"


@pytest.fixture
def said(town):
    """`said(destination, text, *contacts)`: what it means after those contacts, oldest first."""
    campaigns = (
        town.campaign("alert", originator="1008601", reply={"order": ["1", "Y"]}),
        town.campaign("mms", originator="1008607", reply={"order": ["1", "MMS"]}),
        town.campaign("shop", originator="1065701", reply={"order": ["1"], "stop": ["TD", "0000"]}),
        town.campaign("greeting", originator="10086099", reply={"order": []}),
    )
    by_name = {c.campaign: c for c in campaigns}

    def run(destination, text, *names, ordered=(), ended=()):
        conversations = Conversations()
        for number, name in enumerate(names):
            campaign = by_name[name]
            contact = SentContact(f"{name}{number}", name, campaign.offer, campaign.originator, ME)
            conversations.sent(contact, ())
        conversations.ordered(ordered)
        running = [c for c in campaigns if c.campaign not in ended]
        found = match(conversations, running, CODES, ME, destination, text)
        return found.meaning, found.contact.contact_id if found.contact else ""

    return run


CASES = [
    # what is written to a campaign's own number answers its latest contact, whatever else is open
    (("1008601", " y ", "alert", "mms"), ("order", "alert0")),
    (("1008607", "１", "alert", "mms"), ("order", "mms1")),
    (("1008607", "1", "mms", "alert", "mms"), ("order", "mms2")),
    (("1008601", "what?", "alert"), ("other", "alert0")),
    (("1008601", "1"), ("unasked", "")),
    (("1008601", "td.", "alert", "mms"), ("stop", "alert0")),
    # a bare access code: the one contact of that code that takes such an answer
    (("100860", "1", "alert"), ("order", "alert0")),
    (("100860", "1", "greeting", "alert"), ("order", "alert1")),
    (("100860", "mms", "alert", "mms"), ("order", "mms1")),
    (("100860", "1", "alert", "mms"), ("ambiguous", "")),
    (("10657", "1", "alert", "shop", "mms"), ("order", "shop1")),
    (("10657", "1", "alert"), ("no campaign", "")),
    (("100860", "hello", "alert"), ("other", "alert0")),
    (("100860", "hello", "alert", "mms"), ("no campaign", "")),
    # stop words count at every number of ours
    (("100860", "TD", "alert", "mms"), ("stop", "")),
    (("100860555", "TD", "alert"), ("stop", "")),
    (("10657", "0000"), ("stop", "")),
    (("100860555", "1", "alert"), ("no campaign", "")),
    (("95533", "TD", "alert"), ("no campaign", "")),
]


@pytest.mark.parametrize(("asked", "found"), CASES, ids=[f"{c[0][0]} {c[0][1:]}" for c in CASES])
def test_a_reply_answers_the_right_contact(said, asked, found):
    assert said(*asked) == found


def test_what_has_been_ordered_leaves_the_other_one_open(said):
    assert said("100860", "1", "alert", "mms", ordered=("alert0",)) == ("order", "mms1")
    assert said("100860", "1", "alert", ordered=("alert0",)) == ("no campaign", "")


def test_the_stop_word_of_a_campaign_that_is_gone_still_stops(said):
    assert said("1008601", "TD", "alert", ended=("alert",)) == ("stop", "")
    assert said("1008601", "1", "alert", ended=("alert",)) == ("no campaign", "")


def test_codes_fit_each_other_the_policy_and_the_campaigns(town):
    with pytest.raises(ValueError, match="sub-codes would be mixed up"):
        CodesConfig(internal="10086", external="100860", confirmations="95533")
    with pytest.raises(ValueError, match="look like a campaign's"):
        CodesConfig(internal="100860", external="10657", confirmations="1008609")
    codes = CodesConfig(internal="100860", external="10657", confirmations="10086")
    ours, theirs = town.campaign("a"), town.campaign("b", originator="12580")
    assert check_codes(codes, ["100860", "10657"], [ours]) == []
    (wrong,) = check_codes(codes, ["100860"], [ours, theirs])
    assert "an access code that the originator of b begins with" in str(wrong)
    (wrong,) = check_codes(codes, ["10086"], [ours])
    assert "no marketing originator of the policy" in str(wrong)
    confirming = town.campaign("c", reply={"order": ["1"], "confirmation": {"zh": "已开通"}})
    (wrong,) = check_codes(None, ["100860"], [confirming])
    assert "the campaign c has confirmations" in str(wrong)
    assert isinstance(ConfigError([wrong]), Exception)
