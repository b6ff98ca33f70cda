"""Campaigns with a condition for BOSS, asked over real HTTP at the moment of the decision.

Every trigger ends in one state, whatever BOSS does.
"""

import json
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest
import yaml

from sim.backoffice.boss import Boss, BossDoor, Customer

DAY = "2009-03-02"
SENDERS = {
    name: f"100860{70 + at}"
    for at, name in enumerate(("rich", "cautious", "bold", "plain", "one", "two", "three"))
}
RICH = 'boss.balance >= 50.0 && !("mms" in boss.services)'


class Desk(ThreadingHTTPServer):
    """A BOSS that answers as it is told: `answer(handler, msisdns)`."""

    daemon_threads = True

    def __init__(self, answer):
        self.asked = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.server.asked.append(body["msisdns"])
                answer(self, body["msisdns"])

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_):
        pass


def say(handler, body, status=200):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def accounts(msisdns, fen=9900):
    return {
        "accounts": [{"msisdn": m, "brand": "easyown", "services": [], "balance_fen": fen} for m in msisdns]
    }


@pytest.fixture
def desk():
    made = []

    def make(answer):
        made.append(Desk(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def write(folder, name, condition, **more):
    values = {
        "campaign": name,
        "title": "t",
        "scene": {"begin": {"behaviour": "sms_sent"}},
        "offer": "o",
        "content": {"en": name},
        "originator": SENDERS[name],
        **({"boss": condition} if condition else {}),
        **more,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))


def texts(one, *subs, t=f"{DAY} 10:00"):
    one.push(*({"t": t, "sub": sub, "kind": "sms_sent"} for sub in subs))


def ended(one, count):
    """Waits until so many triggers have an end."""

    def done():
        counts = one.server.records.counts()
        return sum(counts.values()) == count and not counts.get("pending")

    one.until(done)


def outcomes(one):
    found = one.records().triggers
    assert len({t["trigger_id"] for t in found}) == len(found)
    assert all(t["state"] in ("sent", "held", "failed", "suppressed") for t in found)
    return {(int(t["imsi"][-2:]), t["campaign"]): (t["state"], t["reason"]) for t in found}


@pytest.fixture
def started(platform, tmp_path, town):
    """A live platform with campaigns in a folder of their own."""

    def start(url, campaigns, query=None, **changes):
        folder = tmp_path / "watched"
        folder.mkdir(exist_ok=True)
        for name, (condition, more) in campaigns.items():
            write(folder, name, condition, **more)
        keys = {"timeout_s": 5.0, "cache_s": 0.0, "failures": 3, "rest_s": 600.0} | (query or {})
        values = {"mode": "live", "clock": {"mode": "live", "start_s": 10 * 3600, "factor": 1.0}} | changes
        return platform(campaigns=(), campaigns_dir=str(folder), boss={"url": url, "query": keys}, **values)

    return start


def test_whom_boss_lets_through(started, town):
    customers = [
        Customer(town.msisdn(0), brand="easyown"),
        Customer(town.msisdn(1), brand="easyown", services=("mms",)),
        Customer(town.msisdn(2), brand="easyown"),
        Customer(town.msisdn(3), brand="gotone"),
    ]
    fen = {town.msisdn(0): (5000, None), town.msisdn(1): (9900, None), town.msisdn(2): (4999, None)}
    with BossDoor(Boss(customers, lambda msisdns, t_us: fen)) as door:
        one = started(door.url, {"rich": (RICH, {})})
        texts(one, 0, 1, 2, 3, 4)
        ended(one, 5)
        assert one.stop() == 0
    assert {sub: end for (sub, _), end in outcomes(one).items()} == {
        0: ("sent", ""),
        1: ("suppressed", "boss"),  # holds the service
        2: ("suppressed", "boss"),  # a fen too poor
        3: ("suppressed", "boss_unknown"),  # paid by bill: no balance is known
        4: ("suppressed", "boss_unknown"),  # no customer of this BOSS
    }
    assert [(to, text) for to, _, text in one.centre.texts()] == [(town.msisdn(0), "rich")]
    assert [row["msisdn"] for row in one.records().ledger] == [town.msisdn(0)]


def test_asked_only_of_whom_the_policy_lets_through(started, town, desk):
    one_desk = desk(lambda handler, msisdns: say(handler, accounts(msisdns)))
    one = started(one_desk.url, {"rich": (RICH, {})})
    texts(one, 1)
    ended(one, 1)
    texts(one, 1, t=f"{DAY} 10:01")  # the same campaign reached him just now
    texts(one, 2, t=f"{DAY} 10:01")
    ended(one, 3)
    one.stop()
    assert sorted(number for asked in one_desk.asked for number in asked) == [town.msisdn(1), town.msisdn(2)]
    found = [(t["imsi"][-2:], t["state"], t["reason"]) for t in one.records().triggers]
    assert Counter(found) == {
        ("01", "sent", ""): 1,
        ("01", "suppressed", "duplicate"): 1,
        ("02", "sent", ""): 1,
    }


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (lambda handler, msisdns: say(handler, b"<html>"), "wrong"),
        (lambda handler, msisdns: say(handler, {"accounts": [{"msisdn": "1"}]}), "wrong"),
        (lambda handler, msisdns: say(handler, accounts(msisdns, fen="much")), "wrong"),
        (lambda handler, msisdns: say(handler, {}, 500), "status"),
        (lambda handler, msisdns: handler.connection.shutdown(socket.SHUT_RDWR), "network"),
    ],
    ids=["no JSON", "someone else's", "no money", "status 500", "cut off"],
)
def test_a_boss_that_is_wrong_is_unknown_and_the_campaign_says_what_then(started, desk, answer, counted):
    one = started(desk(answer).url, {"cautious": (RICH, {}), "bold": (RICH, {"boss_unknown": "send"})})
    texts(one, 1)
    ended(one, 2)
    assert one.stop() == 0
    assert outcomes(one) == {
        (1, "cautious"): ("suppressed", "boss_unknown"),
        (1, "bold"): ("sent", ""),
    }
    assert one.server.account_query.counts[counted] >= 1


def test_a_slow_boss_holds_nothing_up(started, desk):
    """What needs no answer goes out while BOSS is silent; what does ends when its time is over."""
    go = threading.Event()

    def slow(handler, msisdns):
        go.wait(30)
        say(handler, accounts(msisdns))

    one = started(
        desk(slow).url, {"rich": (RICH, {}), "plain": (None, {"priority": 1})}, query={"timeout_s": 3.0}
    )
    texts(one, 1)
    one.until(lambda: one.server.records.counts() == {"pending": 1, "sent": 1})
    ended(one, 2)
    go.set()
    one.stop()
    assert outcomes(one) == {(1, "rich"): ("suppressed", "boss_unknown"), (1, "plain"): ("sent", "")}


def test_what_changed_while_boss_was_asked(started, town, desk):
    """A stop code that comes before the answer counts."""
    go = threading.Event()

    def slow(handler, msisdns):
        go.wait(30)
        say(handler, accounts(msisdns))

    asked = desk(slow)
    one = started(asked.url, {"rich": (RICH, {})}, query={"timeout_s": 30.0})
    texts(one, 1, 2)
    one.until(lambda: asked.asked)
    assert one.centre.reply(town.msisdn(2), SENDERS["rich"], "TD", town.at(f"{DAY} 10:00")) == 0
    one.until(lambda: town.at(f"{DAY} 12:00") > one.server.engine.state.book.do_not_disturb_us[2])
    go.set()
    ended(one, 2)
    one.stop()
    assert outcomes(one) == {(1, "rich"): ("sent", ""), (2, "rich"): ("suppressed", "do_not_disturb")}
    assert one.server.engine.state.book.counted(2, 200903) == 0


def test_an_absent_boss_is_left_in_peace(started):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    one = started(url, {"rich": (RICH, {})})
    for sub in range(6):
        texts(one, sub, t=f"{DAY} 10:0{sub}")
        ended(one, sub + 1)
    url, headers = one.door
    said = httpx.get(f"{url}/metrics", timeout=20, headers=headers).text
    assert "kairos_boss_asked 6.0" in said
    assert "kairos_boss_unanswered 3.0" in said
    assert "kairos_boss_resting 1.0" in said
    one.stop()
    assert set(outcomes(one).values()) == {("suppressed", "boss_unknown")}
    counts = one.server.account_query.counts
    assert (counts["network"], counts["resting"]) == (3, 3)


def test_the_end_of_the_platform_does_not_wait_for_boss(started, desk):
    go = threading.Event()
    asked = desk(lambda handler, msisdns: (go.wait(60), say(handler, accounts(msisdns))))
    one = started(asked.url, {"rich": (RICH, {})}, query={"timeout_s": 60.0})
    texts(one, 1)
    one.until(lambda: asked.asked)
    assert one.stop() == 0
    go.set()
    assert outcomes(one) == {(1, "rich"): ("suppressed", "boss_unknown")}


# --------------------------------------------------------------------------- lockstep


def test_in_lockstep_the_same_inputs_give_the_same_triggers(platform, town, tmp_path):
    customers = [Customer(town.msisdn(i), services=("mms",) if i % 3 == 0 else ()) for i in range(20)]

    def money(msisdns, t_us):
        return {m: (int(m[-2:]) * 1000, None) for m in msisdns}

    rows = [{"t": f"{DAY} 10:00:{i:02d}", "sub": i, "kind": "sms_sent", "corr": i + 1} for i in range(20)]
    found = []
    write(tmp_path, "rich", RICH)
    with BossDoor(Boss(customers, money)) as door:
        for _ in range(2):
            one = platform(boss={"url": door.url}, campaigns=(), campaigns_dir=str(tmp_path))
            one.tick(f"{DAY} 10:00")
            one.tick(f"{DAY} 10:00:30", *rows)
            one.tick(f"{DAY} 10:01")
            assert one.stop() == 0
            found.append((one.records().triggers, [s.destination_addr for s in one.centre.submits]))
    assert found[0] == found[1]
    ends = {int(t["imsi"][-2:]): (t["state"], t["reason"]) for t in found[0][0]}
    sent = {sub for sub, end in ends.items() if end == ("sent", "")}
    assert sent == {sub for sub in range(5, 20) if sub % 3}
    assert {end for sub, end in ends.items() if sub not in sent} == {("suppressed", "boss")}


def test_in_lockstep_a_boss_that_is_away_makes_the_run_invalid(platform, town, tmp_path):
    write(tmp_path, "rich", RICH)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    one = platform(boss={"url": url}, campaigns=(), campaigns_dir=str(tmp_path))
    one.tick(f"{DAY} 10:00")
    rows = town.batch({"t": f"{DAY} 10:00:30", "sub": 1, "kind": "sms_sent"})
    one.signalling.push(SimpleNamespace(t_unix_us=town.at(f"{DAY} 10:01"), behaviours=rows))
    one.thread.join(40)
    assert one.code == 3
    assert "BOSS at" in one.server.reason
    assert outcomes(one) == {(1, "rich"): ("suppressed", "boss_unknown")}


@pytest.mark.parametrize(
    ("answered", "end"), [("20:54:59", ("sent", "")), ("20:55:00", ("suppressed", "late"))]
)
def test_the_margin_is_looked_at_again_after_the_answer(platform, town, desk, tmp_path, answered, end):
    """Nothing is submitted in the last five minutes before the quiet hours: 21:00."""
    write(tmp_path, "rich", RICH)
    made = []

    def answer(handler, msisdns):
        made[0].server.clock.set_us(town.at(f"{DAY} {answered}"))  # so long has it taken
        say(handler, accounts(msisdns))

    made.append(platform(boss={"url": desk(answer).url}, campaigns=(), campaigns_dir=str(tmp_path)))
    made[0].tick(f"{DAY} 20:54")
    made[0].tick(f"{DAY} 20:54:30", {"t": f"{DAY} 20:54:20", "sub": 1, "kind": "sms_sent"})
    assert made[0].server.engine.state.book.counted(1, 200903) == (end[0] == "sent")
    assert made[0].stop() == 0
    assert outcomes(made[0]) == {(1, "rich"): end}


def test_a_place_under_the_cap_is_free_again_for_the_next(platform, town, desk, tmp_path):
    """Two contacts a month: whom BOSS refuses has had none of them."""
    write(tmp_path, "rich", RICH)
    for name, kind in (("one", "power_on"), ("two", "call_ended"), ("three", "handover")):
        write(tmp_path, name, None, scene={"begin": {"behaviour": kind}})
    poor = desk(lambda handler, msisdns: say(handler, accounts(msisdns, fen=1)))
    one = platform(boss={"url": poor.url}, campaigns=(), campaigns_dir=str(tmp_path))
    for minute, kind in enumerate(("sms_sent", "power_on", "call_ended", "handover"), 1):
        one.tick(f"{DAY} 10:{minute:02d}", {"t": f"{DAY} 10:{minute - 1:02d}:30", "sub": 1, "kind": kind})
    one.stop()
    assert outcomes(one) == {
        (1, "rich"): ("suppressed", "boss"),
        (1, "one"): ("sent", ""),
        (1, "two"): ("sent", ""),
        (1, "three"): ("suppressed", "cap"),
    }
