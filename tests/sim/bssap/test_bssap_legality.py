"""The acceptor: every generated dialogue may happen, mutated ones may not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from sim.bssap import mutations
from sim.bssap.legality import LegalityError, check, is_legal
from sim.bssap.legality_table import ANY, INITIAL, OTHER, PER_LEG, PER_TRANSACTION, TRANSITIONS
from sim.bssap.procedures import LADDERS, Params, ladder

#: What may be left out of a dialogue and leaves another one that may happen.
MAY_BE_MISSING = {
    "COMMON ID": "the MSC sends it when it wants to: TS 48.008 3.1.30",
    "ALERTING": "CONNECT or DISCONNECT may come without it: TS 24.008 5.2",
    "PROGRESS": "DISCONNECT may come without it",
    "HANDOVER PERFORMED": "the BSS moves a station when it wants to: TS 48.008 3.2.1.25",
    "CM SERVICE ABORT": "the network may clear a connection on which nothing was begun: TS 24.008 4.5.3",
}
#: What may be left out after PAGING RESPONSE: the network may clear a connection on which nothing was begun.
MAY_BE_MISSING_AFTER_PAGING = ("AUTHENTICATION REJECT",)
#: What may come twice.
MAY_BE_REPEATED = {
    "PAGING": "the MSC pages again when nobody answers: TS 48.008 3.1.10",
    "HANDOVER PERFORMED": "the BSS moves a station as often as it wants to",
}
#: What may come at any time in a call, so that the message before it may be missing.
AT_ANY_TIME = ("CLEAR REQUEST", "RESET", "ABORT")
#: Neighbours that do not depend on each other.
MAY_CHANGE_PLACES = {"COMMON ID"}


def dialogues():
    for kind in LADDERS:
        yield pytest.param(ladder(kind, Params()), id=kind)
        if "handover" in LADDERS[kind].options:
            yield pytest.param(ladder(kind, Params(handover=True)), id=f"{kind} with handover")


DIALOGUES = list(dialogues())


def test_every_generated_dialogue_is_legal(variants):
    assert len(variants) > 1000
    for kind, params, steps in variants:
        try:
            check(steps)
        except LegalityError as error:
            pytest.fail(f"{kind} {params}: {error}")


@pytest.mark.parametrize("steps", DIALOGUES)
def test_a_missing_step(steps):
    for index, step in enumerate(steps):
        if all(other.name == "PAGING" for other in steps):
            continue
        if steps[0].name == "PAGING" and step.name in MAY_BE_MISSING_AFTER_PAGING:
            continue
        before_loss = index + 1 < len(steps) and steps[index + 1].name in AT_ANY_TIME
        if step.name not in MAY_BE_MISSING and not before_loss:
            assert not is_legal(steps[:index] + steps[index + 1 :]), step.name


@pytest.mark.parametrize("steps", DIALOGUES)
def test_a_repeated_step(steps):
    for index, step in enumerate(steps):
        if step.name not in MAY_BE_REPEATED:
            assert not is_legal(steps[: index + 1] + steps[index:]), step.name


@pytest.mark.parametrize("steps", DIALOGUES)
def test_a_step_the_other_way(steps):
    for index, step in enumerate(steps):
        turned = replace(step, uplink=not step.uplink)
        assert not is_legal((*steps[:index], turned, *steps[index + 1 :])), step.name


@pytest.mark.parametrize("steps", DIALOGUES)
def test_a_step_on_the_other_leg(steps):
    for index, step in enumerate(steps):
        moved = replace(step, leg=1 - step.leg)
        assert not is_legal((*steps[:index], moved, *steps[index + 1 :])), step.name


@pytest.mark.parametrize("steps", DIALOGUES)
def test_neighbours_in_the_wrong_order(steps):
    for index in range(1, len(steps)):
        one, two = steps[index - 1], steps[index]
        if one.name == two.name == "PAGING":
            continue
        if MAY_CHANGE_PLACES & {one.name, two.name} or one.leg != two.leg:
            continue
        assert not is_legal((*steps[: index - 1], two, one, *steps[index + 1 :])), (one.name, two.name)


@pytest.mark.parametrize("steps", DIALOGUES)
def test_an_early_end(steps):
    for index in range(1, len(steps)):
        if steps[index - 1].name != "PAGING":
            assert not is_legal(steps[:index]), steps[index].name


@pytest.mark.parametrize("steps", DIALOGUES)
def test_a_damaged_message(steps):
    for index, step in enumerate(steps):
        damaged = replace(step, payload=step.payload[:-1])
        assert not is_legal((*steps[:index], damaged, *steps[index + 1 :])), step.name


@pytest.mark.parametrize("kind", ["lu_normal", "mo_call_answered", "mt_sms"])
def test_a_foreign_reference(kind):
    mine, other = ladder(kind, Params()), ladder(kind, Params(bss_ref=0x999999, msc_ref=0x888888))
    for index, step in enumerate(mine):
        if step.name != "PAGING" and index > 0 and other[index].payload != step.payload:
            assert not is_legal((*mine[:index], other[index], *mine[index + 1 :])), step.name


def test_a_foreign_transaction():
    mine, other = ladder("mo_call_answered", Params()), ladder("mo_call_answered", Params(ti=3))
    index = next(index for index, step in enumerate(mine) if step.name == "CONNECT")
    assert not is_legal((*mine[:index], other[index], *mine[index + 1 :]))


def test_what_share_of_mutants_is_refused():
    found = mutations.shares(mutations.dialogues())
    for kind, share in found.items():
        for what in share.legal:
            assert mutations.reason(kind, what), (kind, what)
    mutants = sum(share.mutants for share in found.values())
    legal = sum(share.legal.total() for share in found.values())
    assert mutants > 10_000
    assert 1 - legal / mutants > 0.96
    for kind in ("a step in the other direction", "a step on the other connection"):
        assert found[kind].refused == 1
    assert found["a step without its last octet"].refused == 1
    assert "NO REASON" not in mutations.table(found)


def test_a_mutant_without_a_reason_is_shown():
    share = mutations.Share(2, Counter({"SETUP": 1}))
    assert share.refused == 0.5
    assert "SETUP (1): NO REASON KNOWN" in mutations.table({"a step left out": share})


def test_says_where_and_why():
    steps = ladder("mo_call_answered", Params())
    index = next(index for index, step in enumerate(steps) if step.name == "CALL PROCEEDING")
    with pytest.raises(LegalityError, match="ASSIGNMENT REQUEST while cc is 'initiated'") as caught:
        check(steps[:index] + steps[index + 1 :])
    assert caught.value.step == index + 1


def test_the_table_names_only_what_exists():
    states = {}
    for row in TRANSITIONS:
        states.setdefault(row.machine, {INITIAL[row.machine]}).update({row.target, *row.sources} - {ANY})
    assert set(states) == set(INITIAL)
    assert {*PER_LEG, *PER_TRANSACTION} < set(states)
    for row in TRANSITIONS:
        for machine, allowed in row.needs:
            assert set(allowed) <= states[machine.removeprefix(OTHER)], row
    reached = {machine: {INITIAL[machine]} for machine in states}
    for _ in range(20):
        for row in TRANSITIONS:
            if reached[row.machine] & set(row.sources) or ANY in row.sources:
                reached[row.machine].add(row.target)
    assert reached == states
