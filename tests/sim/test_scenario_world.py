"""World files: those shipped load; wrong ones are refused with all that is wrong in them."""

from pathlib import Path

import numpy as np
import pytest

from sim.scenario import DAY_US, WorldScenario, load_world
from sim.scenario_errors import ScenarioError
from sim.subscribers.diary import state_at
from sim.subscribers.usage import CALL_SERVICE, calls
from sim.world import build_world

WORLDS = Path(__file__).parents[2] / "scenarios" / "worlds"

MINIMAL = "world: w\nabout: x\nepoch: 2007-06-04\n"


def load(tmp_path, text):
    (tmp_path / "w.yaml").write_text(text, encoding="utf-8")
    return load_world(tmp_path / "w.yaml")


def problems(tmp_path, text):
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, text)
    return caught.value.problems


@pytest.mark.parametrize("path", sorted(WORLDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_worlds_load_and_build_small(path):
    scenario = load_world(path, {"subscribers": 200})
    assert scenario.world == path.stem
    assert build_world(scenario, 1).n == 200


def test_town():
    scenario = load_world(WORLDS / "town.yaml")
    assert scenario.subscribers == 2000
    assert scenario.epoch_unix_us == 1_180_886_400_000_000  # 2007-06-04 00:00 +08:00
    assert scenario.weekday(0) == 0
    assert [scenario.is_weekend(day) for day in range(4, 8)] == [False, True, True, False]
    assert len(scenario.network.bscs) == 2


def test_live_town_has_enough_service_calls():
    """At least 700 different people end a call to a service line within 400 s after 10:00."""
    world = build_world(load_world(WORLDS / "town-live.yaml"), 7)
    start = 10 * 3_600_000_000
    made = calls(world, 0, 24 * 3_600_000_000)
    ends = made.t_us + made.alert_us + made.ring_us + made.talk_us + 3_000_000
    _, on = state_at(world, start)
    mine = (made.kind == CALL_SERVICE) & (made.t_us >= start) & (ends < start + 400_000_000) & on[made.sub]
    assert len(np.unique(made.sub[mine])) >= 700


def test_every_key_has_a_description_and_defaults_hold():
    def walk(schema, path):
        for name, value in schema.get("properties", {}).items():
            assert value.get("description"), f"{path}.{name}"

    schema = WorldScenario.model_json_schema()
    walk(schema, "world")
    for name, part in schema["$defs"].items():
        walk(part, name)


def test_defaults_of_a_minimal_file(tmp_path):
    world = load(tmp_path, MINIMAL + "network:\n  bscs:\n    - {point_code: 257, lacs: [1, 4112]}\n")
    assert world.subscribers == 2000
    assert load(tmp_path, MINIMAL) == WorldScenario.model_validate(
        {"world": "w", "about": "x", "epoch": "2007-06-04"}
    )
    assert build_world(load(tmp_path, MINIMAL + "subscribers: 10\n"), 1).n == 10


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("timezone: Europe/Berlin\n", "timezone", "clock changes"),
        ("timezone: Mars/Olympus\n", "timezone", "IANA"),
        ("network:\n  bscs:\n    - {point_code: 1, lacs: [4112, 5]}\n", "network", "point code of its own"),
        ("network:\n  bscs:\n    - {point_code: 257, lacs: [5, 5, 4112]}\n", "network.bscs", "one BSC only"),
        ("network:\n  bscs:\n    - {point_code: 257, lacs: [4112]}\n", "network.bscs", "no place has taken"),
        ("network:\n  cells: 10\n", "network.cells", "four more"),
        ("places:\n  - {name: a, kind: mall, x_km: 0, y_km: 0, lac: 77}\n", "places", "77 is not"),
        ("segments: {business_travellers: 0, urban_women: 0, office_staff: 0, civil_servants: 0, "
         "students: 0, home_makers: 0, migrant_workers: 0, farmers: 0, elderly: 0}\n",
         "segments", "above zero"),
        ("numbering: {msisdn_prefix: '861330'}\n", "numbering.msisdn_prefix", "another network"),
    ],
)  # fmt: skip
def test_worlds_that_do_not_fit_together(tmp_path, text, key, expected):
    found = problems(tmp_path, MINIMAL + text)
    assert len(found) == 1
    assert found[0].key.startswith(key)
    assert expected in str(found[0])
    assert found[0].line >= 4 or key == "network"


def test_all_errors_of_a_file_at_once(tmp_path):
    text = (
        MINIMAL + "subscriber: 5\nusage:\n  calls_per_day: -1\n  talk_mean: 3\n"
        "places:\n  - {name: A, kind: malls, x_km: 0}\n"
    )
    found = {problem.key: problem for problem in problems(tmp_path, text)}
    assert {key: problem.line for key, problem in found.items()} == {
        "subscriber": 4, "usage.calls_per_day": 6, "usage.talk_mean": 7,
        "places[0].name": 9, "places[0].kind": 9, "places[0].y_km": 9,
    }  # fmt: skip
    assert found["subscriber"].suggestion == "subscribers"
    assert found["usage.talk_mean"].suggestion == "talk_mean_s"
    assert found["places[0].kind"].suggestion == "mall"
    assert "at least 0" in found["usage.calls_per_day"].expected
    assert "this key is needed" in found["places[0].y_km"].expected


def test_day_is_a_day():
    assert DAY_US == 24 * 3600 * 1_000_000
