"""Campaigns exchanged while the server runs, and what it goes on with after a kill."""

import http.client
import json

import yaml

DAY = "2009-03-02"


def live(platform, **changes):
    return platform(mode="live", clock={"mode": "live", "start_s": 10 * 3600, "factor": 1.0}, **changes)


def write(folder, text="hello", name="fresh"):
    values = {
        "campaign": name,
        "title": "t",
        "scene": {"begin": {"behaviour": "sms_sent"}},
        "offer": "o",
        "content": {"en": text},
        "originator": "10086077",
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))


def post(one, token=None):
    port = one.server.addresses["http"]["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = one.door[1] if token is None else {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("POST", "/campaigns/reload", headers=headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_a_campaign_dropped_into_the_folder_runs(platform, tmp_path):
    folder = tmp_path / "watched"
    folder.mkdir()
    one = live(platform, campaigns_dir=str(folder))
    write(folder)
    one.until(lambda: "fresh" in one.server.engine.state.numbers)
    one.push({"t": f"{DAY} 10:00", "sub": 1, "kind": "sms_sent"})
    one.until(lambda: len(one.centre.submits) == 1)
    (folder / "wrong.yaml").write_text("campaign: [")
    one.until(lambda: one.server.campaign_folder.problems != ())
    one.push({"t": f"{DAY} 10:00", "sub": 2, "kind": "sms_sent"})
    one.until(lambda: len(one.centre.submits) == 2)
    (folder / "fresh.yaml").unlink()
    (folder / "wrong.yaml").unlink()
    one.until(lambda: "fresh" not in one.server.engine.state.numbers)
    assert one.stop() == 0


def test_reload_by_http_wants_the_token(platform, tmp_path):
    folder = tmp_path / "watched"
    folder.mkdir()
    one = live(platform, campaigns_dir=str(folder))
    assert post(one, "")[0] == 401
    assert post(one, "other")[0] == 401
    write(folder)
    status, answer = post(one)
    assert status == 200
    assert "fresh" in one.server.engine.state.numbers
    assert set(answer) == {"added", "changed", "removed"}
    (folder / "wrong.yaml").write_text("campaign: wrong\n")
    status, answer = post(one)
    assert status == 422
    assert any("wrong.yaml" in problem for problem in answer["detail"])
    assert "fresh" in one.server.engine.state.numbers
    one.stop()


def test_what_was_learned_goes_on(platform, tmp_path):
    keys = {"state": {"dir": str(tmp_path / "state")}}
    first = live(platform, **keys)
    first.push({"t": f"{DAY} 10:00", "sub": 3, "kind": "sms_sent"})
    first.until(lambda: first.server.records.behaviours_written == 1)
    assert first.stop() == 0
    second = live(platform, **keys)
    assert second.server.resumed.subscribers > 0
    assert second.server.engine.state.habits.records["act_s"].any()
    second.stop()
