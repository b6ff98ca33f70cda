"""What contacts nobody, and what an operator does by hand, at a running platform's HTTP door."""

import csv
import http.client
import json

import numpy as np
import pytest
import yaml

from marketing import selecting
from marketing.contact import NEVER
from marketing.contact.ledger import LedgerError
from marketing.contact.schema import contact
from marketing.effects.dispatch import Dispatcher
from marketing.outputs import prepare_csv

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


OTHER = {**ALERT, "campaign": "other", "originator": "10086078"}
THIRD = {**ALERT, "campaign": "third", "originator": "10086079"}


@pytest.fixture
def running(platform, tmp_path, request):
    """A live platform with these three campaigns and a token; by parameter with several workers."""
    folder = tmp_path / "watched"
    folder.mkdir()
    for values in (STATISTICS, LIST, ALERT, OTHER, THIRD):
        (folder / f"{values['campaign']}.yaml").write_text(
            yaml.safe_dump(values, allow_unicode=True), encoding="utf-8"
        )
    one = platform(
        mode="live",
        workers=getattr(request, "param", 1),
        clock={"mode": "live", "start_s": 10 * 3600, "factor": 1.0},
        campaigns=(),
        campaigns_dir=str(folder),
    )
    yield one
    one.stop()


any_workers = pytest.mark.parametrize("running", [1, 3], indirect=True, ids=["alone", "divided"])


def disturb(one, row, *, control=False):
    """Puts a subscriber on the list, or into the control group, between two steps."""
    dates = np.full((2, 20), NEVER)
    dates[int(control), row] = 0
    nowhere = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    one.server._ask(lambda: one.server.engine.enter(*dates, *nowhere))


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


@any_workers
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


@any_workers
def test_who_does_not_want_to_be_approached_is_on_no_list(running):
    disturb(running, 1)
    running.push(
        {"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"},
        {"t": f"{DAY} 10:00", "sub": 2, "kind": "power_on"},
    )
    running.until(lambda: ask(running, "/outbound/ready")[1]["rows"])
    assert [row["msisdn"] for row in ask(running, "/outbound/ready")[1]["rows"]] == [running.town.msisdn(2)]


@any_workers
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


@any_workers
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


def lines_of(one, said):
    with (one.config.records.dir / said["file"]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ledger_of(one):
    """Contact id -> row, as it is on the disk now."""
    rows = one.server._ask(lambda: list(one.server.ledger.ledger.rows(contact)))
    return {row["contact_id"]: row for row in rows}


@any_workers
def test_a_selection_as_a_list_for_the_outbound_centre(running):
    disturb(running, 4)
    status, said = select(running, deliver="outbound")
    assert (status, said["selected"], said["lines"], said["suppressed"]) == (
        200,
        20,
        19,
        {"do_not_disturb": 1},
    )
    assert len(lines_of(running, said)) == 19
    other = select(running, deliver="outbound")[1]["file"]  # within the second, too
    assert other != said["file"]
    assert running.centre.submits == []
    assert ledger_of(running) == {}  # the agent's call is the contact
    assert select(running, "ready", deliver="outbound")[1]["lines"] == 19


@any_workers
def test_a_line_for_bulk_sms_is_a_contact(running):
    """Reserved and counted: then nobody is in a second file, and two such files fill the month."""
    disturb(running, 4)
    disturb(running, 5, control=True)
    status, said = select(running, deliver="bulk-sms")
    assert (status, said["selected"], said["lines"]) == (200, 20, 18)
    assert said["suppressed"] == {"control_group": 1, "do_not_disturb": 1}
    rows = lines_of(running, said)
    assert {(row["originator"], row["text"]) for row in rows} == {("10086077", "你好")}
    assert {row["submit_before"][:10] for row in rows} == {DAY}
    kept_out = {running.town.msisdn(4), running.town.msisdn(5)}
    assert not {row["msisdn"] for row in rows} & kept_out
    ledger = ledger_of(running)
    assert {row["contact_id"]: row["msisdn"] for row in rows} == {
        contact_id: str(row["msisdn"]) for contact_id, row in ledger.items()
    }
    assert {(row["state"], row["counted"], row["reason"]) for row in ledger.values()} == {
        ("submitted", True, said["file"])
    }
    said = select(running, deliver="bulk-sms")[1]
    assert (said["lines"], said["suppressed"]["duplicate"]) == (0, 18)
    assert select(running, "other", deliver="bulk-sms")[1]["lines"] == 18
    assert select(running, "third", deliver="bulk-sms")[1]["suppressed"]["cap"] == 18
    assert select(running, "third")[1]["suppressed"]["cap"] == 18
    assert running.centre.submits == []
    assert running.stop() == 0
    assert sum(row["state"] == "sent" for row in running.records().triggers) == 36


def test_who_stops_by_reply_to_a_bulk_message_is_let_alone(running):
    said = select(running, deliver="bulk-sms")[1]
    number = lines_of(running, said)[0]["msisdn"]
    running.centre.reply(number, "10086077", "TD", running.town.at(f"{DAY} 10:00"))
    running.until(lambda: select(running, "other", deliver="outbound")[1]["lines"] == 19)
    assert number not in {
        row["msisdn"] for row in lines_of(running, select(running, "other", deliver="bulk-sms")[1])
    }


def test_the_file_appears_when_all_is_reserved(running, monkeypatch):
    monkeypatch.setattr(selecting, "SLICE", 7)
    seen = []

    def looks(path, columns, rows):
        seen.append([row["state"] for row in ledger_of(running).values()])
        seen.append(list(path.parent.glob("bulk-sms-*")))
        return prepare_csv(path, columns, rows)

    monkeypatch.setattr(selecting, "prepare_csv", looks)
    said = select(running, deliver="bulk-sms")[1]
    assert seen == [["reserved"] * 20, []]
    assert said["lines"] == 20


@pytest.mark.parametrize("at_fault", ["disk", "ledger", "campaign"])
def test_without_a_file_nobody_was_contacted(running, monkeypatch, at_fault):
    monkeypatch.setattr(selecting, "SLICE", 7)
    server, reserve, calls = running.server, running.server.dispatcher.reserve, []

    def full(path, columns, rows):
        raise OSError(28, "No space left on device")

    async def second_fails(decisions):
        calls.append(len(calls))
        if len(calls) == 2 and at_fault == "ledger":
            monkeypatch.setattr(server.ledger, "apply", refuse)
        if len(calls) == 2 and at_fault == "campaign":
            server._exchange(server.engine.prepare(server.engine.campaigns[1:]))
        return await reserve(decisions)

    apply = server.ledger.apply

    async def refuse(operations, **keys):
        monkeypatch.setattr(server.ledger, "apply", apply)
        raise LedgerError("the ledger cannot be written: full")

    if at_fault == "disk":
        monkeypatch.setattr(selecting, "prepare_csv", full)
    else:
        monkeypatch.setattr(Dispatcher, "reserve", lambda self, decisions: second_fails(decisions))
    before = server.engine.campaigns
    status, said = select(running, deliver="bulk-sms")
    assert (status, "nobody is contacted" in said["detail"]) == (422, True), said
    assert not list(running.config.records.dir.glob("*bulk-sms-*"))
    assert not any(row["counted"] for row in ledger_of(running).values())
    assert running.server.records.counts().get("sent") is None
    monkeypatch.undo()
    server._ask(lambda: server._exchange(server.engine.prepare(before)))
    # Nobody has lost a place by it.
    assert select(running, deliver="bulk-sms")[1]["lines"] == 20
    assert select(running, "other", deliver="bulk-sms")[1]["lines"] == 20


def test_at_night_there_is_no_file_for_bulk_sms(running):
    running.server.clock.epoch_us += 12 * 3_600_000_000
    status, said = select(running, deliver="bulk-sms")
    assert (status, said["detail"]) == (
        422,
        "quiet_hours: nothing may be sent before 2009-03-03T09:00:00+08:00",
    )
    assert ledger_of(running) == {}


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


@pytest.mark.parametrize("running", [2], indirect=True)
def test_a_selection_that_a_worker_refuses_ends_no_worker(running):
    for body in (
        {"audience": "now.on &&"},
        {"audience": 'last["10086"] > duration("1h")'},
        {"targets": "vip"},
    ):
        status, said = select(running, **body)
        assert status == 422, said
    assert select(running, deliver="outbound")[1]["lines"] == 20


def test_in_lockstep_nobody_selects(platform):
    one = platform()
    one.server.http.wait_loaded(20)
    status, said = select(one, "missed-call-alert")
    assert (status, "lockstep" in said["detail"]) == (422, True)
    one.stop()
