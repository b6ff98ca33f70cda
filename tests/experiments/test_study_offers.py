"""How people respond to the offers of a study's campaigns is found in one way for all kinds of studies."""

from pathlib import Path

import pytest

from experiments.compliance.life import study_of
from experiments.study import load_study
from experiments.study_offers import responses
from experiments.uplift.study import precise_spec
from sim.subscribers.offers import STANDARD_OFFERS, Offer

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def campaigns(*names):
    return [SCENARIOS / "campaigns" / f"{name}.yaml" for name in names]


def test_what_is_said_comes_first_and_what_is_usual_once():
    said = [Offer(name="e-bill", logit=-2.0)]
    found = responses(said, campaigns("missed-call-alert", "rejected-call-alert", "hang-up-sms", "fine-tone"))
    assert [offer.name for offer in found] == ["e-bill", "missed-call-alert", "ring-back-tone"]
    assert found[0] is said[0]
    assert found[1:] == (STANDARD_OFFERS["missed-call-alert"], STANDARD_OFFERS["ring-back-tone"])


def test_campaigns_without_an_offer_and_files_that_are_none_add_nothing(tmp_path):
    (tmp_path / "x.yaml").write_text("campaign: [\n")
    (tmp_path / "y.yaml").write_text("campaign: y\noffer: nobody-knows\n")
    assert responses([], [*campaigns("visitor-origins"), tmp_path / "x.yaml", tmp_path / "y.yaml"]) == ()


@pytest.mark.parametrize("name", ["demo", "compliance", "missed-call-alert", "airport-travel"])
def test_every_kind_takes_them_from_there(name):
    loaded = load_study(SCENARIOS / "studies" / f"{name}.yaml")
    keys = loaded.study
    wanted = responses(keys.offers, keys.campaigns)
    lived = {"compliance": lambda: study_of(keys).offers, "demo": lambda: keys.offers}
    found = lived.get(name, lambda: precise_spec(keys).offers)()
    assert list(found) == list(wanted)
    assert wanted
