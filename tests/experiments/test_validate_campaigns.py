"""`kairos validate` of campaign files: conditions that can never hold, follow-ups that nobody has."""

import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli

GOOD = {
    "campaign": "first",
    "title": "t",
    "scene": {"begin": {"behaviour": "power_on"}},
    "offer": "o",
    "content": {"en": "hello"},
    "originator": "1008607",
}


def write(folder, **changes):
    values = {**GOOD, **changes}
    path = folder / f"{values['campaign']}.yaml"
    text = yaml.safe_dump({k: v for k, v in values.items() if v is not None}, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def validate(*files):
    return CliRunner().invoke(cli, ["validate", *map(str, files)])


def line_of(path, key):
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if line.lstrip().startswith(key))


NEVER = [
    ({"audience": "now.on == false && now.on"}, "audience", "now.on, where now.on is false"),
    ({"audience": "now.hour > 30"}, "audience", "now.hour > 30, where now.hour is 0 to 23"),
    (
        {"scene": {**GOOD["scene"], "if": "now.on && !now.on"}},
        "scene.if",
        "!now.on, where now.on is true",
    ),
    (
        {"scene": {"begin": {"behaviour": "call_ended", "if": 'event.duration < duration("0s")'}}},
        "scene.begin.if",
        "where event.duration is 0h or more",
    ),
    (
        {"scene": {**GOOD["scene"], "when": {"hours": ["20:00-22:00"]}, "if": "now.hour < 12"}},
        "scene.if",
        "now.hour < 12, where now.hour is 20 or 21",
    ),
    (
        {"scene": {**GOOD["scene"], "when": {"days": ["sat", "sun"]}}, "audience": "now.weekday < 6"},
        "audience",
        "now.weekday < 6, where now.weekday is 6 or 7",
    ),
    (
        {"audience": "terminal.mms", "scene": {**GOOD["scene"], "terminal": "!terminal.mms"}},
        "scene.terminal",
        "!terminal.mms, where terminal.mms is true",
    ),
    (
        {"audience": {"brand": "gotone"}, "scene": {**GOOD["scene"], "if": 'profile.brand == "mzone"'}},
        "scene.if",
        'where profile.brand is "gotone"',
    ),
    (
        {"boss": "boss.balance > 5.0 && boss.balance < 2.0"},
        "boss",
        "boss.balance < 2.0, where boss.balance is 5 or more",
    ),
]


@pytest.mark.parametrize(("changes", "key", "said"), NEVER)
def test_contradictions_are_said_with_line_and_key(tmp_path, changes, key, said):
    path = write(tmp_path, **changes)
    done = validate(path)
    assert done.exit_code == 2, done.output
    (problem,) = [line for line in done.output.splitlines() if "can never hold" in line]
    line = line_of(path, f"{key.rpartition('.')[2]}:")
    assert f"first.yaml:{line}: {key} = " in problem
    assert said in problem


def test_a_night_over_midnight_is_no_contradiction(tmp_path):
    scene = {**GOOD["scene"], "when": {"hours": ["22:30-01:00"]}, "if": "now.hour < 1 || now.hour >= 22"}
    assert validate(write(tmp_path, scene=scene)).exit_code == 0


def follow_up(name, after="later"):
    return write(name, follow_ups=[{"after_s": 3600, "campaign": after}])


def test_a_follow_up_is_looked_for_beside_the_file(tmp_path):
    path = follow_up(tmp_path)
    (tmp_path / "broken.yaml").write_text("campaign: [")
    done = validate(path)
    assert done.exit_code == 2
    assert f"first.yaml:{line_of(path, 'campaign: later')}: follow_ups[0].campaign" in done.output
    assert "= 'later': the name of a campaign that runs beside this one" in done.output
    assert "no other file of its folder has it" in done.output
    other = write(tmp_path, campaign="latter", scene=None, mode="follow_up", originator="1008608")
    assert "Did you mean 'latter'?" in validate(path).output
    other.unlink()
    write(tmp_path, campaign="later", originator="1008608")
    assert "a campaign of mode follow_up; this one has mode trigger" in validate(path).output
    write(tmp_path, campaign="later", scene=None, mode="follow_up", originator="1008608")
    assert validate(path).exit_code == 0


def test_a_way_back_over_another_file_is_found(tmp_path):
    later = {"scene": None, "mode": "follow_up"}
    path = write(tmp_path, **later, follow_ups=[{"after_s": 3600, "campaign": "later"}])
    back = [{"after_s": 3600, "campaign": "first"}]
    write(tmp_path, campaign="later", originator="1008608", **later, follow_ups=back)
    done = validate(path)
    assert done.exit_code == 2
    assert "no way back" in done.output


def test_a_follow_up_of_another_folder_is_given_beside(tmp_path):
    (tmp_path / "other").mkdir()
    path = follow_up(tmp_path)
    later = write(tmp_path / "other", campaign="later", scene=None, mode="follow_up", originator="1008608")
    assert validate(path).exit_code == 2
    assert validate(path, later).exit_code == 0
