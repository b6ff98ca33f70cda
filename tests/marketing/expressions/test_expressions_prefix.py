"""Numbers dialled are looked at as octets: the same answers as of texts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketing.expressions.columns import Words

digits = st.text("0123456789*#", max_size=20)


@given(st.lists(digits, min_size=1, max_size=30), st.text("0123456789*#é", max_size=25))
def test_a_vocabulary_of_octets_begins_as_its_texts_do(numbers, prefix):
    column = Words.of_bytes(np.array([n.encode() for n in numbers], dtype="S20"))
    assert [column.words[code] for code in column.codes.tolist()] == numbers
    begins = column.words.begins(prefix)[column.codes]
    assert begins.tolist() == [n.startswith(prefix) for n in numbers]
