"""The acceptor: every generated dialogue may happen, mutated ones may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.bssap.legality import INITIAL, PER_LEG, TRANSITIONS, LegalityError, check, is_legal
from sim.bssap.procedures import LADDERS, Params, ladder

#: What may be left out of a dialogue and leaves another one that may happen.
MAY_BE_MISSING = {
    "COMMON ID": "the MSC sends it when it wants to: TS 48.008 3.1.30",
    "ALERTING": "CONNECT or DISCONNECT may come without it: TS 24.008 5.2",
    "PROGRESS": "DISCONNECT may come without it",
}
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
        if step.name not in MAY_BE_MISSING and len(steps) > 1:
            assert not is_legal(steps[:index] + steps[index + 1 :]), step.name


@pytest.mark.parametrize("steps", DIALOGUES)
def test_a_repeated_step(steps):
    for index, step in enumerate(steps):
        if step.name != "PAGING":
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


def test_says_where_and_why():
    steps = ladder("mo_call_answered", Params())
    index = next(index for index, step in enumerate(steps) if step.name == "CALL PROCEEDING")
    with pytest.raises(LegalityError, match="ASSIGNMENT REQUEST while cc is 'initiated'") as caught:
        check(steps[:index] + steps[index + 1 :])
    assert caught.value.step == index + 1


def test_the_table_names_only_what_exists():
    states = {}
    for row in TRANSITIONS:
        states.setdefault(row.machine, {INITIAL[row.machine]}).update((row.target, *row.sources))
    assert set(states) == set(INITIAL)
    assert set(PER_LEG) < set(states)
    for row in TRANSITIONS:
        for machine, allowed in row.needs:
            assert set(allowed) <= states[machine], row
    reached = {machine: {INITIAL[machine]} for machine in states}
    for _ in range(20):
        for row in TRANSITIONS:
            if reached[row.machine] & set(row.sources):
                reached[row.machine].add(row.target)
    assert reached == states
