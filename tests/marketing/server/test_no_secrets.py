"""A platform process with secrets that can be recognised, through success and failure.

None of them, and no number of a subscriber, is in anything that it says. In ledger and records numbers are
the data; secrets are not.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pyarrow.parquet as pq
import pytest
import yaml

PASSWORD, LOGIN, KEY, TOKEN, WRONG = (
    "PwSmpp77", "PwOfBoss88", "KeyOfBoss99-xyz", "TokenOfHttp-abcdefgh", "GuessedToken-ijklmno",
)  # fmt: skip
SECRETS = (PASSWORD, LOGIN, KEY, TOKEN, WRONG)
DAY = "2009-03-02"


class Boss(BaseHTTPRequestHandler):
    """Wants the key; then it fails every order, with the request in its answer."""

    keys: list[str]

    def do_POST(self):
        self.server.keys.append(self.headers.get("Authorization", ""))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.end_headers()
        self.wfile.write(body + KEY.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def boss():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Boss)
    server.keys = []
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def start(one, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "marketing", str(one.folder / "platform.yaml"), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def numbers(town):
    return [f"{town.imsi(i):015d}" for i in range(20)] + [town.msisdn(i) for i in range(20)]


def hidden(said, town):
    """What is said, once it is known to tell nothing."""
    for secret in (*SECRETS, *numbers(town)):
        assert secret not in said, (secret, said)
    return said


def everything(folder):
    """All that was written for people and programs, as text."""
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            yield path, str(pq.read_table(path).to_pylist())
        elif path.suffix == ".db":
            with sqlite3.connect(path) as database:
                yield path, "\n".join(database.iterdump())
        elif path.is_file():
            yield path, path.read_text(errors="replace")


@pytest.mark.parametrize("way", ["key", "login"])
def test_nothing_tells(town, dormant, boss, way):
    one = dormant(
        mode="live",
        clock={"mode": "live", "start_s": 36_000},
        smpp={"port": "centre", "password": PASSWORD},
        boss={"timeout_s": 1.0},
        collector={"transport": "none", "taps": ["none.pcapng"]},
        imports={"dir": "imports", "poll_s": 0.05},
        campaigns_dir="watched",
    )
    (one.folder / "watched").mkdir()
    (one.folder / "none.pcapng").write_bytes(b"\x0a\x0d\x0d\x0a no capture")
    (one.folder / "key").write_text(KEY)
    (one.folder / "token").write_text(TOKEN)
    at = f"127.0.0.1:{boss.server_port}"
    if way == "key":
        one.write(boss={"url": f"http://{at}", "key_file": "key"})
    else:
        one.write(boss={"url": f"http://kairos:{LOGIN}@{at}"})
    first = town.msisdn(0)
    child = start(one, "--log", "debug")
    metrics = ""
    try:
        ready = json.loads(child.stdout.readline())
        url = f"http://127.0.0.1:{ready['http']['port']}"
        good, bad = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Bearer {WRONG}"}
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as door:
            assert door.post("/campaigns/reload", headers=bad).status_code == 401
            # Success: a group of which everybody is contacted.
            group = "msisdn,day\n" + "".join(f"{town.msisdn(i)},\n" for i in range(5))
            (one.folder / "watched" / "group.csv").write_text(group)
            campaign = {
                "campaign": "group", "title": "t", "mode": "group", "offer": "o", "content": {"en": "now"},
                "group": {"at": "10:00", "targets": "group.csv"}, "originator": "10086077",
                "reply": {"order": ["1"]},
            }  # fmt: skip
            (one.folder / "watched" / "group.yaml").write_text(yaml.safe_dump(campaign))
            assert door.post("/campaigns/reload", headers=good).status_code == 200
            one.until(lambda: len(one.centre.submits) >= 5, 100.0)
            # Failure: an order that BOSS refuses to answer, a reply from a stranger, a campaign whose list is
            # wrong and an import that is refused, both with numbers in them.
            one.centre.reply(first, "10086077", "1", town.at(f"{DAY} 10:01"))
            one.until(lambda: boss.keys, 100.0)
            one.centre.reply(town.msisdn(9), "10086077", f"TD {town.msisdn(8)}", town.at(f"{DAY} 10:01"))
            (one.folder / "watched" / "group.csv").write_text(f"msisdn,day\n{first},no day at all\n")
            (one.folder / "watched" / "x.yaml").write_text(f"campaign: '{first}'\ntoken: {TOKEN}\n")
            assert door.post("/campaigns/reload", headers=good).status_code == 422
            incoming = one.folder / "imports" / "incoming" / "lists"
            (incoming / f"{first}.csv").write_text(f"msisdn\n{first}x\n")
            one.until(lambda: not (incoming / f"{first}.csv").exists(), 100.0)
            metrics = door.get("/metrics", headers=good).text
    finally:
        child.send_signal(signal.SIGTERM)
        out, log = child.communicate(timeout=40)
    assert child.returncode == 0, log
    login = b64encode(f"kairos:{LOGIN}".encode()).decode()
    assert boss.keys[0] == (f"Bearer {KEY}" if way == "key" else f"Basic {login}")
    assert login not in log
    assert f"{first[:5]}****{first[-4:]}" in log  # it was said, without its middle
    hidden(log, town)
    hidden(out, town)
    hidden(metrics, town)
    own = {"platform.yaml", "key", "token"}
    for path, text in everything(one.folder):
        if path.name not in own and path.parent.name != "watched":
            for secret in SECRETS:
                assert secret not in text, path
    records = list(everything(one.folder / "records"))
    assert any(first in text for _, text in records)  # there the number is the data


FAILURES = {
    "a password too long": {"smpp": {"password": PASSWORD + LOGIN}},
    "a key misspelt": {"smpp": {"pasword": PASSWORD}},
    "a database that there is not": {"ledger": {"url": f"postgresql://kairos:{LOGIN}@127.0.0.1:1/x"}},
    "an address that is none": {"ledger": {"url": f"postgresql+x://kairos:{LOGIN}@[::/x"}},
    "a database of another kind": {"ledger": {"url": f"mysql://kairos:{LOGIN}@127.0.0.1:1/x"}},
    "BOSS by another way": {"boss": {"url": f"ftp://kairos:{LOGIN}@127.0.0.1"}},
    "nobody at the message centre": {"smpp": {"port": 9, "password": PASSWORD, "connect_timeout_s": 0.3}},
    "two ways at once": {
        "boss": {"url": f"http://kairos:{LOGIN}@127.0.0.1", "key_file": "token"},
    },
    "a token in the wrong file": {"http": {"port": 0, "token_file": None, "tokens_file": "token"}},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failed_start_tells(town, dormant, failure):
    one = dormant(smpp={"port": "centre"}, collector={"transport": "memory", "port": 0})
    (one.folder / "token").write_text(TOKEN)
    one.write(**FAILURES[failure])
    child = start(one, "--log", "debug")
    out, log = child.communicate(timeout=60)
    assert child.returncode in (1, 2), log
    assert log.strip()
    assert "Traceback" not in log
    hidden(log + out, town)
