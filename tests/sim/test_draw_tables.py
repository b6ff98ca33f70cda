"""The committed integer tables against what wrote them and against scipy."""

from pathlib import Path

import numpy as np
import pytest
from scipy import special

from sim import draw_tables, draw_tables_make
from sim.draws import EXPONENTIAL, LOGISTIC, LOGNORMAL, LOGNORMAL_HALF, NORMAL

# Quantiles by probability and by its complement (which keeps the digits of the upper tail).
REFERENCE = {
    NORMAL: (special.ndtri, lambda q: -special.ndtri(q)),
    LOGISTIC: (special.logit, lambda q: -special.logit(q)),
    EXPONENTIAL: (lambda p: -np.log1p(-p), lambda q: -np.log(q)),
    LOGNORMAL: (lambda p: np.exp(special.ndtri(p)), lambda q: np.exp(-special.ndtri(q))),
    LOGNORMAL_HALF: (lambda p: np.exp(special.ndtri(p) / 2), lambda q: np.exp(-special.ndtri(q) / 2)),
}


@pytest.mark.parametrize("name", draw_tables_make.DISTRIBUTIONS)
def test_committed_rows_are_what_the_script_writes(name):
    quantile, _ = draw_tables_make.DISTRIBUTIONS[name]
    for half, upper in (("LOWER", False), ("UPPER", True)):
        committed = np.array(getattr(draw_tables, f"{name}_{half}"))
        assert len(committed) == draw_tables_make.ROWS
        assert np.abs(committed - np.array(draw_tables_make.half_table(quantile, upper))).max() <= 1


def test_script_writes_the_module():
    """But for a last digit, which a machine's logarithm may round otherwise."""
    committed = Path(draw_tables.__file__).read_text(encoding="utf-8")
    written = draw_tables_make.source()
    differing = sum(a != b for a, b in zip(committed.split(), written.split(), strict=True))
    assert differing <= 5


@pytest.mark.parametrize("table", REFERENCE, ids=lambda table: table.name)
def test_interpolation_is_near_scipy(table):
    """Absolute error below 0.0006, or 0.06 % of the value, over the whole range and both far tails."""
    near_ends = np.unique(np.round(2.0 ** np.linspace(0, 31, 4000)).astype(np.int64)) - 1
    u = np.concatenate([near_ends, (1 << 32) - 1 - near_ends, np.arange(0, 1 << 32, 1 << 19)])
    p, q = (2 * u + 1) / 2**33, (2**33 - 2 * u - 1) / 2**33
    lower, upper = REFERENCE[table]
    exact = np.where(p < 0.5, lower(np.minimum(p, 0.5)), upper(np.minimum(q, 0.5)))
    error = np.abs(table.quantile(u) / 65536 - exact)
    assert (error / np.maximum(np.abs(exact), 1.0)).max() < 6e-4
