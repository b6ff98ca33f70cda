"""From one extract to the next: rows carried by IMSI, lists found again, nobody's state given to another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing.profiles import Profiles, RowMap, TargetLists

imsis = st.sets(st.integers(10**12, 10**12 + 60), max_size=40)


def extract(members) -> Profiles:
    order = sorted(members, key=lambda i: i * 7 % 61)  # in no order
    return Profiles.of({"imsi": [f"{i:015d}" for i in order], "msisdn": [str(8 * 10**12 + i) for i in order]})


@given(imsis, imsis)
def test_every_subscriber_keeps_what_was_learned_and_nobody_gets_anothers(before, after):
    old, new = extract(before), extract(after)
    rows = new.mapping(old)
    assert (rows.kept, rows.fresh, rows.gone) == (
        len(before & after), len(after - before), len(before - after)
    )  # fmt: skip
    learned = old.imsi.astype(np.int64) * 3
    carried = rows.permute(learned, -1)
    assert carried.tolist() == [int(i) * 3 if int(i) in before else -1 for i in new.imsi]
    wide = rows.permute(np.stack([learned, -learned], axis=1), 0)
    assert wide[:, 1].tolist() == [-3 * int(i) if int(i) in before else 0 for i in new.imsi]
    noted = np.arange(len(old))
    assert [
        int(new.imsi[row]) if row >= 0 else None for row in rows.rows(noted).tolist()
    ] == [int(i) if int(i) in after else None for i in old.imsi]  # fmt: skip
    assert rows.same == (before == after)


@given(imsis, imsis, imsis)
def test_carrying_twice_is_carrying_once_for_all_who_were_there_throughout(first, second, third):
    one, two, three = extract(first), extract(second), extract(third)
    state = one.imsi.astype(np.int64)
    twice = three.mapping(two).permute(two.mapping(one).permute(state, 0), 0)
    once = three.mapping(one).permute(state, 0)
    throughout = np.array([int(i) in second for i in three.imsi], dtype=bool)
    assert np.array_equal(twice, np.where(throughout, once, 0))


def test_a_column_of_another_extract_is_refused():
    rows = RowMap.between(np.array([1, 2], np.uint64), np.array([2], np.uint64))
    with pytest.raises(ValueError, match="3 rows; the old extract has 2"):
        rows.permute(np.zeros(3), 0)
    assert [rows.row(0), rows.row(1)] == [-1, 0]


@given(imsis, imsis, imsis)
def test_lists_hold_the_same_numbers_in_every_extract(before, after, listed):
    numbers = np.array([8 * 10**12 + i for i in listed], dtype=np.uint64)
    old, new = extract(before), extract(after)
    old = old.with_lists(TargetLists.of({"vip": numbers, "none": []}, old.rows_by_msisdn))
    assert old.on_list("vip").tolist() == [int(i) in listed for i in old.imsi]
    new = new.with_lists(old.lists.bound(new.rows_by_msisdn))
    assert new.on_list("vip").tolist() == [int(i) in listed for i in new.imsi]
    assert not new.on_list("none").any()
    assert new.lists.by_name["vip"].unknown == len(listed - after)
    some = np.arange(len(new))[::2]
    assert new.on_list("vip", some).tolist() == new.on_list("vip")[::2].tolist()
    with pytest.raises(LookupError, match="did you mean 'vip'"):
        new.on_list("vjp")


def test_a_list_of_many_is_small():
    n = 200_000
    people = Profiles.of(
        {"imsi": [f"{10**12 + i:015d}" for i in range(n)], "msisdn": [str(8 * 10**12 + i) for i in range(n)]}
    )
    members = np.arange(0, n, 3, dtype=np.uint64) + np.uint64(8 * 10**12)
    held = TargetLists.of({"third": members}, people.rows_by_msisdn).by_name["third"]
    assert len(held.rows) == len(held.numbers) == len(members)
    assert len(held.rows.serialize()) < n / 7  # about a bit a subscriber, at most
