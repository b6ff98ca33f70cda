"""A platform killed by the system goes on with its statistics and its lists."""

import csv
import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

DAY = "2009-03-02"
TOKEN = "the-operator-of-these-tests"
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
MESSAGES = [
    {
        "campaign": name,
        "title": "t",
        "scene": {"begin": {"behaviour": "call_busy"}},
        "offer": "o",
        "content": {"en": "hello"},
        "originator": f"1008607{number}",
    }
    for number, name in enumerate(("first", "second", "third"))
]

# A platform in a process of its own: rows come in as lines, and it says when it has taken them.
CHILD = """
import importlib.util, json, sys
from pathlib import Path

def module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made

tests, folder, changes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
town = module("town", tests / "conftest.py")
surroundings = module("surroundings", tests / "server" / "conftest.py")
if sys.argv[4] == "killed before its file":
    import os, signal
    from marketing import selecting
    selecting.prepare_csv = lambda path, columns, rows: os.kill(os.getpid(), signal.SIGKILL)
one = surroundings.Platform(town, folder, mode="live", campaigns=(), **changes).start()
print(one.server.addresses["http"]["port"], flush=True)
taken = 0
for line in sys.stdin:
    if line == "stop\\n":
        sys.exit(one.stop())
    rows = json.loads(line)
    for row in rows:
        row["cell"] = tuple(row["cell"])
    one.push(*rows)
    taken += len(rows)
    one.until(lambda: one.server.records.behaviours_written >= taken)
    print(taken, flush=True)
"""


class Child:
    """The platform as a process; the clock of each begins at an hour of the day."""

    def __init__(self, folder, hour, every_s, end):
        changes = {
            "clock": {"mode": "live", "start_s": hour * 3600, "factor": 1.0},
            "campaigns_dir": str(folder / "watched"),
            "http": {"port": 0, "token_file": str(folder / "token")},
            "state": {"dir": str(folder / "state"), "every_s": every_s, "sync_s": 60},
        }
        tests = Path(__file__).parents[1]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tests), str(folder), json.dumps(changes), end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.folder = folder
        self.port = int(self.process.stdout.readline())

    def push(self, *rows):
        self.process.stdin.write(json.dumps(rows) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline()

    def ask(self, path):
        return self._asked("GET", path)["rows"]

    def counts(self, told):
        """Asks, not more often than the door allows, until it tells this."""
        end = time.monotonic() + 40
        while counted(found := self.ask("/statistics/visitors")) != told:
            assert time.monotonic() < end, found
            time.sleep(0.2)
        return found

    def select(self, campaign):
        return self._asked("POST", f"/campaigns/{campaign}/trigger", json.dumps({"deliver": "bulk-sms"}))

    def _asked(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers={"Authorization": f"Bearer {TOKEN}"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def snapshot(self):
        """Waits for the next one to be there whole."""
        before = {path.name for path in (self.folder / "state").glob("snapshot-*.npz")}
        end = time.monotonic() + 40
        while {path.name for path in (self.folder / "state").glob("snapshot-*.npz")} <= before:
            assert time.monotonic() < end
            time.sleep(0.01)

    def kill(self):
        """Also of one that has ended."""
        self.process.kill()
        self._end()

    def stop(self):
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        assert self.process.wait(60) == 0
        self._end()

    def _end(self):
        self.process.wait(60)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def child(tmp_path):
    (tmp_path / "watched").mkdir()
    for values in (STATISTICS, LIST, *MESSAGES):
        (tmp_path / "watched" / f"{values['campaign']}.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "token").write_text(TOKEN)
    made = []

    def make(hour, every_s=3600.0, end=""):
        made.append(Child(tmp_path, hour, every_s, end))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def seen(town, t, cell, who, kind="location_update"):
    return {"t": f"{DAY} {t}", "imsi": who, "cell": list(cell), "kind": kind}


def counted(rows):
    return {(row["hour"], row["origin"]): row["visitors"] for row in rows}


def written(folder, name):
    with (folder / "records" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("where", ["journal", "snapshot"])
def test_statistics_and_lists_go_on_after_a_kill(child, town, tmp_path, where):
    """`where`: what is known comes back by the replay of the journal, or by the snapshot alone."""
    home, away = 46000_0000000001, 46001_0000000001
    first = child(10.05, every_s=3600.0 if where == "journal" else 0.2)
    first.push(
        seen(town, "08:00", town.AIRPORT, away),
        seen(town, "09:30", town.HOME, away),  # counts at 8 and at 9
        seen(town, "09:40", town.AIRPORT, home),  # stays: counts at 9, and while it lasts
        seen(town, "10:00", town.HOME, town.imsi(1), "power_on"),
        seen(town, "10:01", town.AIRPORT, town.imsi(2), "sms_sent"),
    )
    told = {(8, "460-01"): 1, (9, "460-00"): 1, (9, "460-01"): 1}
    first.counts(told)
    if where == "snapshot":
        first.snapshot()
        first.snapshot()  # this one was begun after the hours were closed
    ready = [(row["msisdn"], row["ready_at"]) for row in first.ask("/outbound/ready")]
    assert [msisdn for msisdn, _ in ready] == [town.msisdn(2), town.msisdn(1)]
    first.kill()
    assert (tmp_path / "state" / "snapshot-000000.npz").exists() == (where == "journal")

    second = child(11.05)
    # 10 o'clock has ended while it was dead: who was there before it was killed has stayed.
    told |= {(10, "460-00"): 1, (10, "001-01"): 1}
    second.counts(told)
    assert [(row["msisdn"], row["ready_at"]) for row in second.ask("/outbound/ready")] == ready
    second.push(
        seen(town, "11:02", town.HOME, home), seen(town, "11:03", town.HOME, town.imsi(3), "power_on")
    )
    assert len(second.ask("/outbound/ready")) == 3
    second.stop()
    # The file tells of the day too; each visitor counts in it once, whenever he came.
    whole_day = {("", "460-00"): "1", ("", "460-01"): "1", ("", "001-01"): "1"}
    rows = written(tmp_path, "statistics-visitors.csv")
    assert {(row["hour"], row["origin"]): row["visitors"] for row in rows if not row["hour"]} == whole_day
    assert len(written(tmp_path, "outbound-ready.csv")) == 3

    third = child(12.05)  # after an orderly end nothing is counted twice either
    told |= {(11, "460-00"): 1, (11, "001-01"): 1}
    assert len(third.counts(told)) == len(told)
    third.stop()
    rows = written(tmp_path, "statistics-visitors.csv")
    assert sum(row["hour"] == "" for row in rows) == 3


def test_a_campaign_that_was_changed_meanwhile_begins_anew(child, town, tmp_path):
    one = child(10.05)
    one.push(
        seen(town, "08:00", town.AIRPORT, 46001_0000000001),
        seen(town, "10:00", town.HOME, town.imsi(1), "power_on"),
    )
    one.stop()
    for values in (STATISTICS, LIST):
        changed = {**values, "title": "another"}
        (tmp_path / "watched" / f"{values['campaign']}.yaml").write_text(yaml.safe_dump(changed))
    again = child(11.05)
    assert again.ask("/statistics/visitors") == []
    assert again.ask("/outbound/ready") == []
    again.stop()


def test_a_file_that_a_kill_kept_from_appearing_counts_all_the_same(child, tmp_path):
    """Nobody can say of a reservation that nothing was sent for it; two a month are the cap."""
    one = child(10.05, end="killed before its file")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        one.select("first")
    assert one.process.wait(60) == -signal.SIGKILL
    assert not list((tmp_path / "records").glob("bulk-sms-*"))
    again = child(10.1)
    said = again.select("first")
    assert (said["lines"], said["suppressed"]) == (0, {"duplicate": 20})
    assert again.select("second")["lines"] == 20
    said = again.select("third")
    assert (said["lines"], said["suppressed"]) == (0, {"cap": 20})
    again.kill()
    after = child(10.15)
    said = after.select("third")
    assert (said["lines"], said["suppressed"]) == (0, {"cap": 20})
    after.stop()
