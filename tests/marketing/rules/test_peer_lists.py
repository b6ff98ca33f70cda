"""The other side's number on an imported list, or in a file: as dialled or shown, in whatever form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing.campaigns import Campaign, load, read_all
from marketing.config import ConfigError
from marketing.profiles.target_lists import TargetLists
from marketing.rules import Rules, check_audiences
from marketing.rules.peers import international, on_numbers

DAY = "2009-03-02"


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("8613901234567", 8613901234567),
        ("13901234567", 8613901234567),
        ("15901234567", 8615901234567),
        ("0013051234567", 13051234567),
        ("008613901234567", 8613901234567),
        ("02512345678", 862512345678),
        ("1259302512345678", 862512345678),
        ("1795113901234567", 8613901234567),
        ("12593", 12593),
        ("125935", 125935),
        ("10086", 10086),
        ("*100#", 0),
        ("", 0),
        ("1234567890123456", 0),
    ],
)
def test_international_form(dialled, number):
    assert international(dialled) == number


@given(st.lists(st.from_regex(r"[0-9]{5,15}", fullmatch=True), max_size=30), st.data())
def test_on_numbers_is_membership(peers, data):
    values = [international(peer) for peer in peers if international(peer)]
    listed = set(data.draw(st.lists(st.sampled_from(values)))) if values else set()
    found = on_numbers(np.array(peers, "S20"), np.array(sorted(listed), np.uint64))
    assert found.tolist() == [international(peer) in listed for peer in peers]


def fine(name="fine-tones", **element):
    return Campaign.model_validate(
        {
            "campaign": "c",
            "title": "t",
            "offer": "o",
            "content": {"en": "hi"},
            "originator": "100860",
            "scene": {"begin": {"behaviour": "call_ended", "role": "caller", "peer_list": name, **element}},
        }
    )


def heard(town, people, campaign):
    rules = Rules.compile([campaign], people, town.places())
    peers = (b"8613900000007", b"13900000007", b"13900000008", b"10086", b"")
    batch = town.batch(
        *(
            {"t": f"{DAY} 10:00", "sub": i, "kind": "call_ended", "role": 1, "peer": peer}
            for i, peer in enumerate(peers)
        )
    )
    return rules, batch, rules.match(batch, people.rows(batch["imsi"])).row.tolist()


def test_an_imported_list_and_a_later_one(town):
    people = town.profiles()
    listed = people.with_lists(TargetLists.of({"fine-tones": [8613900000007]}, people.rows_by_msisdn))
    rules, batch, found = heard(town, listed, fine())
    assert found == [0, 1]
    assert heard(town, people, fine())[2] == []  # yet to be imported
    rules.switch(
        people.with_lists(TargetLists.of({"fine-tones": [8613900000008, 10086]}, people.rows_by_msisdn))
    )
    assert rules.match(batch, people.rows(batch["imsi"])).row.tolist() == [2, 3]


def test_every_other_key_must_hold_too(town):
    people = town.profiles()
    listed = people.with_lists(TargetLists.of({"fine-tones": [8613900000007, 10086]}, people.rows_by_msisdn))
    assert heard(town, listed, fine(peer_prefix=["100"]))[2] == [3]
    assert heard(town, listed, fine(**{"if": 'event.peer.startsWith("86")'}))[2] == [0]


def test_a_file_of_numbers(town, tmp_path):
    (tmp_path / "tones.csv").write_text("msisdn\n8613900000008\n")
    path = tmp_path / "c.yaml"
    text = """
campaign: c
title: t
offer: o
content: {en: hi}
originator: "100860"
scene: {begin: {behaviour: call_ended, peer_list: tones.csv}}
"""
    path.write_text(text)
    assert heard(town, town.profiles(), load(path))[2] == [2]
    (tmp_path / "tones.csv").write_text("msisdn\nabc\n")
    with pytest.raises(ConfigError, match="5 to 15 digits"):
        load(path)
    path.write_text(text.replace("tones.csv", "none.csv"))
    with pytest.raises(ConfigError, match=r"scene\.begin\.peer_list"):
        load(path)


def test_validation_says_which_list_is_lacking(town, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        'campaign: c\ntitle: t\noffer: o\ncontent: {en: hi}\noriginator: "100860"\n'
        "scene:\n  begin:\n    behaviour: call_ended\n    peer_list: fine-tons\n"
    )
    people = town.profiles()
    listed = people.with_lists(TargetLists.of({"fine-tones": [8613900000007]}, people.rows_by_msisdn))
    with pytest.raises(ConfigError) as caught:
        check_audiences(read_all([path]), listed)
    (problem,) = caught.value.problems
    assert (problem.key, problem.line, problem.suggestion) == ("scene.begin.peer_list", 9, "fine-tones")


def test_a_forbidden_list_covers_only_itself():
    """What is waited for may be on another list than what is forbidden before it."""
    base = {"campaign": "c", "title": "t", "offer": "o", "content": {"en": "x"}, "originator": "1008600"}
    one = {"behaviour": "call_ended", "peer_list": "a"}
    scene = {"begin": {"behaviour": "power_on"}, "then": [{"not_followed_by": one}, {"followed_by": one}]}
    with pytest.raises(ValueError, match="never match"):
        Campaign.model_validate({**base, "scene": scene})
    scene["then"][1] = {"followed_by": {"behaviour": "call_ended", "peer_list": "b"}}
    assert Campaign.model_validate({**base, "scene": scene}).scene.peer_lists[1][1] == "b"
