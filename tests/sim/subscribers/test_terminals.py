from itertools import pairwise

import numpy as np
import pytest

from sim.subscribers.terminals import (
    MADE_SINCE,
    SERIALS,
    TERMINALS,
    check_digit,
    imei,
    models,
    tac_range,
    terminal_of_imei,
)


@pytest.mark.parametrize(("first", "digit"), [(49015420323751, 8), (35209900176148, 1), (0, 0)])
def test_check_digit_of_known_numbers(first, digit):
    """The first is the worked example that textbooks use for the IMEI."""
    assert int(check_digit(first)) == digit


def test_luhn_sum_of_every_imei_is_a_multiple_of_ten():
    numbers = imei(np.arange(len(TERMINALS)), np.arange(len(TERMINALS)) * 26_315_789)
    for model, number in enumerate(numbers.tolist()):
        digits = [int(d) for d in f"{number:015d}"]
        doubled = [d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)]
        assert sum(doubled) % 10 == 0
        first, last = tac_range(model)
        assert first <= int(f"{number:015d}"[:8]) <= last
        assert f"{number:015d}".startswith("001")  # test equipment


def test_codes_name_their_model():
    ranges = [tac_range(model) for model in range(len(TERMINALS))]
    assert all(a[1] < b[0] for a, b in pairwise(ranges))
    everything = np.arange(len(TERMINALS))
    for serial in (0, SERIALS - 1):
        assert np.array_equal(terminal_of_imei(imei(everything, serial)), everything)
    assert terminal_of_imei([0, 352099001761481, 1_380_000_000_000]).tolist() == [-1, -1, -1]


def test_the_table_covers_the_market():
    assert 30 <= len(TERMINALS) <= 40
    assert len({t.name for t in TERMINALS}) == len(TERMINALS)
    assert {t.price_class for t in TERMINALS} == {1, 2, 3}
    for ability in ("gprs", "edge", "wap", "mms", "java"):
        assert {getattr(t, ability) for t in TERMINALS} == {True, False}
    assert all(t.gprs or not (t.edge or t.mms) for t in TERMINALS)


@pytest.mark.parametrize("since", [0, MADE_SINCE])
def test_models_come_from_their_price_class(since):
    u = np.linspace(0, 2**32 - 1, 5000).astype(np.uint32)
    for price in (1, 2, 3):
        drawn = {TERMINALS[m] for m in models(np.full(len(u), price), u, since).tolist()}
        assert drawn == {t for t in TERMINALS if t.price_class == price and t.year >= since}


def test_the_documented_table_is_the_table(request):
    text = (request.config.rootpath / "sim" / "subscribers" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| 001")]
    assert rows == [
        [
            "-".join(f"{tac:08d}" for tac in tac_range(model)),
            t.maker,
            t.model,
            *("yes" if able else "-" for able in (t.gprs, t.edge, t.wap, t.mms, t.java)),
            str(t.price_class),
            str(t.year),
        ]
        for model, t in enumerate(TERMINALS)
    ]
