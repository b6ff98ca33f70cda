import numpy as np
import pytest

from sim.subscribers.terminals import TERMINALS, check_digit, imei


@pytest.mark.parametrize(("first", "digit"), [(49015420323751, 8), (35209900176148, 1), (0, 0)])
def test_check_digit_of_known_numbers(first, digit):
    """The first is the worked example that textbooks use for the IMEI."""
    assert int(check_digit(first)) == digit


def test_luhn_sum_of_every_imei_is_a_multiple_of_ten():
    numbers = imei(np.arange(len(TERMINALS)), np.arange(len(TERMINALS)) * 90_909)
    for number in numbers.tolist():
        digits = [int(d) for d in f"{number:015d}"]
        doubled = [d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)]
        assert sum(doubled) % 10 == 0
        assert f"{number:015d}".startswith("001017")


def test_codes_are_unique_and_every_price_has_a_model():
    assert len({t.tac for t in TERMINALS}) == len(TERMINALS)
    assert {t.price_class for t in TERMINALS} == {1, 2, 3}
