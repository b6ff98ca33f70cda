"""What contacts nobody, and what an operator does by hand, at a running platform's HTTP door."""

import csv
import http.client
import json

import pytest
import yaml

DAY = "2009-03-02"
STATISTICS = {
    "campaign": "visitors",
    "title": "t",
    "output": "statistics",
    "scene": {"begin": {"dwell": {"place": "airport", "at_least_s": 600}}},
}
LIST = {
    "campaign": "ready",
    "title": "t",
    "output": "file",
    "scene": {"begin": {"behaviour": ["power_on", "sms_sent"]}},
}
ALERT = {
    "campaign": "alert",
    "title": "t",
    "audience": "profile.often_off",
    "scene": {"begin": {"behaviour": "call_busy"}, "if": "event.cause == 17"},
    "offer": "o",
    "content": {"zh": "你好", "en": "hello"},
    "originator": "10086077",
    "reply": {"order": ["1"]},
}


@pytest.fixture
def running(platform, tmp_path):
    """A live platform with these three campaigns and a token."""
    folder = tmp_path / "watched"
    folder.mkdir()
    for values in (STATISTICS, LIST, ALERT):
        (folder / f"{values['campaign']}.yaml").write_text(
            yaml.safe_dump(values, allow_unicode=True), encoding="utf-8"
        )
    one = platform(
        mode="live",
        clock={"mode": "live", "start_s": 10 * 3600, "factor": 1.0},
        campaigns=(),
        campaigns_dir=str(folder),
    )
    yield one
    one.stop()


def ask(one, path, token=None, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", one.server.addresses["http"]["port"], timeout=20)
    headers = one.door[1] if token is None else {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(
        method,
        path,
        body=body if body is None or isinstance(body, str) else json.dumps(body),
        headers=headers,
    )
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def select(one, campaign="alert", **body):
    return ask(one, f"/campaigns/{campaign}/trigger", method="POST", body=body)


def test_every_answer_wants_the_token(running):
    for path in ("/statistics/visitors", "/outbound/ready"):
        assert ask(running, path, token="")[0] == 401
        assert ask(running, path, token="other")[0] == 401
        assert ask(running, path)[0] == 200
    assert ask(running, "/campaigns/alert/trigger", token="", method="POST")[0] == 401
    for path in ("/statistics/ready", "/outbound/visitors", "/statistics/alert", "/outbound/none"):
        status, said = ask(running, path)
        assert (status, "no campaign" in said["detail"]) == (404, True)


def test_an_outbound_list_is_live_and_nobody_is_contacted(running):
    town = running.town
    running.push(
        {"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on", "cell": town.AIRPORT},
        {"t": f"{DAY} 10:00:01", "sub": 2, "kind": "sms_sent"},
    )
    running.until(lambda: len(ask(running, "/outbound/ready")[1]["rows"]) == 2)
    rows = {row["msisdn"]: row for row in ask(running, "/outbound/ready")[1]["rows"]}
    assert rows[town.msisdn(1)]["on"] is True
    assert rows[town.msisdn(1)]["place"] == "airport"
    assert rows[town.msisdn(2)]["ready_at"].startswith(f"{DAY}T10:00:01")
    running.push({"t": f"{DAY} 10:00:02", "sub": 1, "kind": "power_off", "cell": town.AIRPORT})
    running.until(lambda: ask(running, "/outbound/ready")[1]["rows"][1]["on"] is False)
    assert running.centre.submits == []
    assert running.stop() == 0
    folder = running.config.records.dir
    with (folder / "outbound-ready.csv").open(encoding="utf-8", newline="") as file:
        written = {row["msisdn"]: row for row in csv.DictReader(file)}
    assert written.keys() == rows.keys()
    assert not list(folder.glob(".*.partial"))
    records = running.records()
    assert records.triggers == []
    assert records.ledger == []


def test_who_does_not_want_to_be_approached_is_on_no_list(running):
    running.server.state.book.do_not_disturb_us[1] = 0
    running.push(
        {"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"},
        {"t": f"{DAY} 10:00", "sub": 2, "kind": "power_on"},
    )
    running.until(lambda: ask(running, "/outbound/ready")[1]["rows"])
    assert [row["msisdn"] for row in ask(running, "/outbound/ready")[1]["rows"]] == [running.town.msisdn(2)]


def test_strangers_are_counted_and_nothing_of_them_is_told(running):
    town = running.town
    stranger = {"imsi": 46001_1234567890, "kind": "location_update"}
    running.push(
        {"t": f"{DAY} 08:00", "cell": town.AIRPORT, **stranger},
        {"t": f"{DAY} 09:30", "cell": town.HOME, **stranger},
    )
    running.until(lambda: ask(running, "/statistics/visitors")[1]["rows"])
    rows = ask(running, "/statistics/visitors")[1]["rows"]
    # The hour after has ended just now, and waits for what is late.
    assert [(row["hour"], row["origin"], row["visitors"]) for row in rows] == [(8, "460-01", 1)]
    assert "1234567890" not in json.dumps(rows)
    assert running.stop() == 0
    text = (running.config.records.dir / "statistics-visitors.csv").read_text(encoding="utf-8")
    told = [f"airport,{DAY},{hour},460-01,1" for hour in ("8", "9", "")]
    assert text.splitlines()[1:] == told
    assert running.records().triggers == []


def test_an_operator_contacts_a_selection_once(running):
    town = running.town
    running.push({"t": f"{DAY} 10:00", "sub": 3, "kind": "call_ended", "role": 1, "peer": b"10000"})
    running.until(lambda: running.server.records.behaviours_written == 1)
    status, said = select(running, audience='now.on && now.idle < duration("1h")')
    assert (status, said) == (200, {"selected": 1, "decided": {"send": 1}, "suppressed": {}})
    running.until(lambda: len(running.centre.submits) == 1)
    assert running.centre.submits[0].destination_addr == town.msisdn(3)
    status, said = select(running, audience="now.on")
    assert said == {"selected": 1, "decided": {"suppress": 1}, "suppressed": {"duplicate": 1}}
    assert running.stop() == 0
    records = running.records()
    assert [
        (row["campaign"], row["state"], row["reason"])
        for row in sorted(records.triggers, key=lambda r: r["t_us"])
    ] == [
        ("alert", "sent", ""),
        ("alert", "suppressed", "duplicate"),
    ]
    assert len(records.ledger) == 1


def test_a_selection_as_an_interface_file(running):
    running.server.state.book.do_not_disturb_us[4] = 0
    status, said = select(running, deliver="outbound")
    assert (status, said["selected"], said["lines"], said["suppressed"]) == (
        200,
        20,
        19,
        {"do_not_disturb": 1},
    )
    path = running.config.records.dir / said["file"]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 20
    status, said = select(running, deliver="bulk-sms")
    with (running.config.records.dir / said["file"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), rows[0]["originator"], rows[0]["text"]) == (19, "10086077", "你好")
    assert running.town.msisdn(4) not in {row["msisdn"] for row in rows}
    assert running.centre.submits == []
    assert select(running, "ready", deliver="outbound")[1]["lines"] == 19


@pytest.mark.parametrize(
    ("campaign", "body", "status", "words"),
    [
        ("none", {}, 404, "no campaign 'none'"),
        ("ready", {}, 422, "nothing to send"),
        ("alert", {"audience": "now.on &&"}, 422, "audience"),
        ("alert", {"audience": "event.cause == 1"}, 422, "a selection has none"),
        ("alert", {"audience": 'last["10086"] > duration("1h")'}, 422, "10086"),
        ("alert", {"targets": "vip"}, 422, "no target list 'vip'"),
        ("alert", {"deliver": "pigeon"}, 422, "deliver"),
        ("alert", {"audiens": "now.on"}, 422, "audiens"),
        ("alert", "[1]", 422, "JSON object"),
        ("alert", "[" * 5000, 422, "JSON object"),
        ("alert", "x" * 20000, 413, "octets"),
    ],
)
def test_selections_that_cannot_be_made_are_explained_and_do_nothing(running, campaign, body, status, words):
    found, said = ask(running, f"/campaigns/{campaign}/trigger", method="POST", body=body)
    assert (found, words in json.dumps(said, ensure_ascii=False)) == (status, True), said
    assert running.centre.submits == []


def test_in_lockstep_nobody_selects(platform):
    one = platform()
    one.server.http.wait_loaded(20)
    status, said = select(one, "missed-call-alert")
    assert (status, "lockstep" in said["detail"]) == (422, True)
    one.stop()
