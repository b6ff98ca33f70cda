"""A platform that dies breaks several talks, in any order; its death is what the run names first."""

import json
import time

import pytest

from experiments import hosts
from experiments.child import PlatformChild
from experiments.hosts import blamed, ended
from experiments.link import SignallingLink
from experiments.lockstep import Lockstep
from experiments.problems import PlatformEnded, RunInvalid
from sigtran.memory import memory_pair
from sim.backoffice.smsc_door import SmscDoor
from sim.network.messages import Deliver

TICK = 5_000_000

# Stands in for the package `marketing` in a process of its own: binds, says that it is ready, and at the
# first deliver_sm does what the test has asked for. Its end comes well after what broke.
STAND_IN = """
import json, os, pathlib, signal, socket, sys, time
from smpp import pdu

told = json.loads(pathlib.Path(sys.argv[1]).read_text())
if told["do"] == "die at once":
    os.kill(os.getpid(), signal.SIGKILL)
smsc = socket.create_connection(("127.0.0.1", told["port"]))
smsc.sendall(pdu.encode(pdu.BindTransceiver("kairos", "secret"), 1))
smsc.recv(4096)
print(json.dumps({"ready": True}), flush=True)
if told["do"] == "stay silent":
    time.sleep(60)
smsc.recv(4096)
if told["do"] == "reset":
    # SO_LINGER 0: the connection ends as that of a killed process with something unread does.
    smsc.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
smsc.close()
if told["do"] == "live on":
    time.sleep(60)
time.sleep(0.8)
if told["do"] == "exit":
    print("the disk is full", file=sys.stderr)
    sys.exit(4)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Quiet:
    """A world that has one receipt to deliver in each tick and no signalling."""

    t_us = 0

    def step(self):
        self.t_us += TICK
        return self.t_us

    def drain(self):
        return []

    def outgoing(self):
        return [Deliver(self.t_us, "r", "receipt", "8613800000001", "10658000", message_id="m.1")]

    def inject(self, submits, cancels, t_us):
        raise AssertionError("nothing was submitted")


@pytest.fixture
def door():
    with SmscDoor("127.0.0.1", 0, "kairos", "secret", time.monotonic_ns) as one:
        yield one


@pytest.fixture
def platform(door, tmp_path, monkeypatch):
    """Makes the platform's process of a stand-in told what to do."""
    (tmp_path / "stand_in").mkdir()
    (tmp_path / "stand_in" / "marketing.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path / "stand_in"))
    made = []

    def make(do):
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"port": door.port, "do": do}))
        made.append(PlatformChild(config, tmp_path / "platform.log"))
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)


def drive(door, child, association=None):
    near, _ = memory_pair(16)
    link = SignallingLink(association or near, tick_us=TICK, on_wait=child.check)
    assert door.wait_bound(30)
    Lockstep(Quiet(), link, door, 10 * TICK, barrier_s=20.0).run()


@pytest.mark.parametrize(
    ("do", "end"),
    [("close", "was killed by signal 9"), ("reset", "was killed by signal 9"), ("exit", "with exit code 4")],
)
def test_its_end_comes_before_the_smpp_session_that_broke_first(door, platform, do, end):
    child = platform(do)
    child.wait_ready(60)
    with pytest.raises(PlatformEnded) as raised, blamed(child):
        drive(door, child)
    said = str(raised.value)
    assert said.startswith("the platform ")
    assert end in said.split(",")[0]
    assert "seen first as: 1 deliver_sm to the platform: " in said
    assert ("the disk is full" in said) == (do == "exit")


def test_its_end_comes_before_the_association_that_broke_first(door, platform):
    child = platform("stay silent")
    child.wait_ready(60)
    near, far = memory_pair(16)
    link = SignallingLink(near, tick_us=TICK, on_wait=child.check)
    far.abort()

    def broken():
        try:
            link.barrier(TICK, 10.0)
        finally:  # the association is known to have broken; the process ends only now
            child.process.kill()

    with pytest.raises(PlatformEnded, match="signal 9 in mid-run, seen first as: the assoc"), blamed(child):
        broken()


def test_what_broke_is_the_reason_where_the_platform_lives_on(door, platform, monkeypatch):
    monkeypatch.setattr(hosts, "LAST_WORDS_S", 0.3)
    child = platform("live on")
    child.wait_ready(60)
    with pytest.raises(RunInvalid, match=r"^1 deliver_sm to the platform: ") as raised, blamed(child):
        drive(door, child)
    assert not isinstance(raised.value, PlatformEnded)
    assert child.process.poll() is None


def test_a_death_while_starting_says_its_signal(platform):
    child = platform("die at once")
    with pytest.raises(PlatformEnded, match="was killed by signal 9 while starting"), blamed(child):
        child.wait_ready(60)


def test_a_death_between_the_last_tick_and_the_order_to_stop_is_no_end_in_order(door, platform):
    child = platform("stay silent")
    child.wait_ready(60)
    child.process.kill()
    with pytest.raises(PlatformEnded, match="was killed by signal 9"):
        ended(child, broken=True)


def test_an_order_to_stop_that_is_not_followed_in_order_is_said(door, platform):
    child = platform("stay silent")  # SIGTERM, which it does not handle, kills it
    child.wait_ready(60)
    with pytest.raises(PlatformEnded, match="was killed by signal 15 when it was to stop"):
        ended(child)
