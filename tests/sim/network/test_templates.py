"""Template encoding equals the reference codec, octet for octet, for every ladder."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.bssap.errors import EncodeError
from sim.bssap.procedures import LADDERS
from sim.network.ladders import ReferenceLadders
from sim.network.library import TemplateLibrary
from sim.network.rows import Values, pack_row
from sim.network.templates import (
    SECOND_LEG,
    SLOTS,
    UPLINK,
    Shape,
    make_template,
    reference_messages,
    sentinel_values,
)
from sim.network.visible import RULES, rule_of

reference_ladder = ReferenceLadders()
_SLS_OFFSET = 8 + 4 + 4 + 4 + 3  # common header; tag and length; OPC; DPC; SI, NI and MP: RFC 4666 3.3.1
OPTIONS: dict[str, list[str | int | bool]] = {
    "identity": ["tmsi", "imsi"],
    "ask_identity": [False, True],
    "auth": [False, True],
    "cipher": [False, True],
    "ask_imei": [False, True],
    "reallocate": [False, True],
    "released_by": ["caller", "callee", "network"],
    "handover": [False, True],
    "page_by_tmsi": [False, True],
}


def all_options(kind: str) -> list[tuple[tuple[str, str | int | bool], ...]]:
    """Each option at each of its values, the others at their first."""
    names = sorted(LADDERS[kind].options)
    base = {name: OPTIONS[name][0] for name in names}
    cases = [base]
    for name in names:
        cases += [{**base, name: value} for value in OPTIONS[name][1:]]
    return [tuple(case.items()) for case in cases]


@pytest.mark.parametrize("kind", sorted(LADDERS))
def test_all_variants_equal_the_reference(kind: str) -> None:
    library = TemplateLibrary(reference_ladder, rule_of)
    for i, options in enumerate(all_options(kind)):
        shape = Shape(kind, options, "86xxxxxxxxxxx", "10086", 25 if "sms" in kind else 0)
        template, values = library.template(shape), sentinel_values(shape, 100 + i)
        steps = reference_ladder(shape, values)
        rendered = template.render(pack_row(values))
        elapsed, waited = 0, [0] * len(SLOTS)
        for k, (step, expected) in enumerate(zip(steps, reference_messages(steps, values), strict=True)):
            elapsed += step.after_us
            if step.wait:
                waited[SLOTS.index(step.wait)] += 1
            assert rendered[k] == expected, (step.name, shape)
            assert (template.base_us[k], template.slots[k].tolist()) == (elapsed, waited)
            flags = int(template.flags[k])
            assert (flags & UPLINK, bool(flags & SECOND_LEG)) == (step.uplink, step.leg)
            assert rendered[k][_SLS_OFFSET] == (values.sls if step.leg == 0 else values.sls2)
        assert len(rendered) == len(steps)


@st.composite
def any_values(draw: st.DrawFn, called: int, tpdu: int) -> Values:
    octet = st.integers(0, 255)
    u16, u24 = st.integers(0, 0xFFFF), st.integers(1, 0xFFFFFF)
    digits = st.text("0123456789", min_size=15, max_size=15)
    return Values(
        imsi=draw(digits), imei=draw(digits),
        tmsi=draw(st.integers(0, 2**32 - 1)), new_tmsi=draw(st.integers(0, 2**32 - 1)),
        lac=draw(u16), ci=draw(u16), old_lac=draw(u16), lac2=draw(u16), ci2=draw(u16),
        bss_ref=draw(u24), msc_ref=draw(u24), bss_ref2=draw(u24), msc_ref2=draw(u24),
        cic=draw(u16), cic2=draw(u16),
        rand=draw(st.binary(min_size=16, max_size=16)), sres=draw(st.binary(min_size=4, max_size=4)),
        kc=draw(st.binary(min_size=8, max_size=8)), rp_ref=draw(octet),
        ti=draw(st.integers(0, 6)), ho_ref=draw(octet),
        ho_cell=draw(st.binary(min_size=2, max_size=2)),
        bsc=draw(st.integers(0, 0x3FFF)), bsc2=draw(st.integers(0, 0x3FFF)), msc=draw(st.integers(0, 0x3FFF)),
        msc2=draw(st.integers(0, 0x3FFF)), old_mcc=draw(digits)[:3], old_mnc=draw(digits)[:2],
        sls=draw(st.integers(0, 15)), sls2=draw(st.integers(0, 15)),
        called="86" + draw(st.text("0123456789", min_size=called, max_size=called)), calling="10086",
        tpdu=draw(st.binary(min_size=tpdu, max_size=tpdu)),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(LADDERS)))
def test_any_values_equal_the_reference(data: st.DataObject, kind: str) -> None:
    options = data.draw(st.sampled_from(all_options(kind)))
    shape = Shape(kind, options, "86" + "x" * 11, "10086", 40 if "sms" in kind else 0)
    values = data.draw(any_values(11, shape.tpdu_length))
    template = TemplateLibrary(reference_ladder, rule_of).template(shape)
    assert template.render(pack_row(values)) == reference_messages(reference_ladder(shape, values), values)


def test_a_value_that_no_row_octet_explains_is_refused() -> None:
    def crooked(shape: Shape, values: Values):
        steps = reference_ladder(shape, values)
        return (
            dataclasses.replace(steps[0], payload=steps[0].payload + bytes([values.lac * 3 & 255])),
            *steps[1:],
        )

    with pytest.raises(EncodeError, match="comes from no value"):
        make_template(Shape("detach"), crooked, rule_of)


def test_a_length_that_depends_on_values_is_refused() -> None:
    def crooked(shape: Shape, values: Values):
        steps = reference_ladder(shape, values)
        return (dataclasses.replace(steps[0], payload=steps[0].payload + bytes(values.lac % 97)), *steps[1:])

    with pytest.raises(EncodeError, match="lengths"):
        make_template(Shape("detach"), crooked, rule_of)


def test_every_visibility_rule_finds_its_step() -> None:
    library = TemplateLibrary(reference_ladder, rule_of)
    found = set()
    for kind in LADDERS:
        for options in all_options(kind):
            found |= set(library.template(Shape(kind, options, "10086", "10086")).visible)
    found |= set(library.template(Shape("mo_call_busy", (("cause", 34),), "10086")).visible)
    assert [rule.name for i, rule in enumerate(RULES) if i not in found] == []
