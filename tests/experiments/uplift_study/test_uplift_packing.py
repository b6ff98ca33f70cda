"""An outcome as JSON and back."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.uplift.packing import pack, unpack
from experiments.uplift.specs import ArmOutcome, PlannedContact, outcome_digest


@dataclass(frozen=True)
class OneColumn:
    values: Any


def test_an_outcome_comes_back_whole(make_outcome):
    from dataclasses import replace

    made = make_outcome(ordered_us={3: 5, 9: 7}, contacts=[(3, 1, 0.2, 0), (4, 2, 0.3, 1)])
    made = replace(
        made, pattern=(PlannedContact("c", 3, 1, 0.05), PlannedContact("c", 4, 1)), cpu_s={"life": 1.5}
    )
    back = unpack(ArmOutcome, json.loads(json.dumps(pack(made))))
    assert outcome_digest(back) == outcome_digest(made)
    assert back.pattern == made.pattern
    assert back.cpu_s == made.cpu_s
    assert back.history.cell is not None


@given(
    hnp.arrays(
        st.sampled_from([np.int64, np.uint8, np.bool_, np.float64, np.dtype("U5")]),
        hnp.array_shapes(min_dims=1, max_dims=2, min_side=0),
    )
)
def test_columns_come_back(column):
    back = unpack(OneColumn, json.loads(json.dumps(pack(OneColumn(column))))).values
    assert back.dtype == column.dtype
    assert back.shape == column.shape
    assert back.tobytes() == column.tobytes()
