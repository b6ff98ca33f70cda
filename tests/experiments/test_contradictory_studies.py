"""Studies whose keys are each right and do not fit together: said before anything is written."""

from pathlib import Path

import pytest

from experiments.problems import BadInput
from experiments.study import load_study
from experiments.validate import check_study_files

DEMO = Path(__file__).parents[2] / "scenarios" / "studies" / "demo.yaml"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (['capture.from="09:00"', 'capture.to="08:00"'], "capture.from before capture.to"),
        (['capture.from="09:00"', 'capture.to="09:00"'], "capture.from before capture.to"),
        (["capture.day=9"], "after the last day"),
        (['blanket_at="21:00"'], "outside the quiet hours"),
        (['blanket_at="08:59"'], "outside the quiet hours"),
        (["arms=[blanket]"], "needs the precise arm"),
        (["arms=[precise, precise]"], "arms = .*: expected each arm once"),
        (["offers=[{name: e-bil}]"], "an offer of the study's campaigns: .* Did you mean 'e-bill'"),
        (
            ["offers=[{name: e-bill}, {name: e-bill}]"],
            r"offers\[1\].name = 'e-bill': expected each offer once",
        ),
        (["eligible.where={brnd: x}"], "no such column of the extract; .* Did you mean 'brand'"),
    ],
)
def test_contradictions_are_refused(settings, said):
    with pytest.raises(BadInput, match=said):
        check_study_files(load_study(DEMO, settings))


@pytest.mark.parametrize("at", ["09:00", "20:59"])
def test_group_sending_is_allowed_up_to_the_quiet_hours(at):
    check_study_files(load_study(DEMO, [f'blanket_at="{at}"']))
