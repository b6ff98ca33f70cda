"""`kairos serve --tap`: the platform as a process decides from a capture what it decides from SCTP."""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from experiments.arm import boss_of, memory_doors, smsc_door
from experiments.inputs import ListDraw, arm_files, world_files
from experiments.study import load_study
from marketing.config import load_config
from marketing.server import Server
from sigtran import MessageBatch, connect
from sigtran.association import AspActive, AspSide, BeatAck
from sigtran.capture import CaptureWriter, Framing, read_messages
from sigtran.m3ua import DataMessage, decode
from sim.backoffice.boss import BossDoor
from sim.run import build
from sim.scenario import load_world

ROOT = Path(__file__).parents[2]
WORLD = ROOT / "scenarios" / "worlds" / "town.yaml"
SEED, MINUTES, TICK_S = 7, 15, 60
SECOND = 1_000_000
#: Stage stamps: real time, and so never equal.
STAMPS = {"received_ns", "decoded_ns", "matched_ns", "decided_ns", "submitted_ns"}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A world, its capture, and what a platform is started with."""
    folder = tmp_path_factory.mktemp("taps")
    path = folder / "evening.pcapng"
    command = [sys.executable, "-m", "experiments.cli", "capture", str(WORLD), "--minutes", str(MINUTES)]
    subprocess.run(
        [*command, "--seed", str(SEED), "--out", path], check=True, capture_output=True, timeout=120
    )
    scenario = load_world(WORLD)
    world = build(scenario, SEED)
    extract = world_files(world, folder / "inputs")
    study = load_study(ROOT / "scenarios" / "studies" / "demo.yaml", []).keys
    # A scene that happens often in a quarter of an hour, beside those of the demo.
    often = yaml.safe_load((ROOT / "scenarios" / "campaigns" / "hang-up-sms.yaml").read_text())
    often["scene"]["begin"] = {"behaviour": "call_ended", "role": "caller"}
    often["campaign"], often["originator"] = "every-call", "10086099"
    (folder / "every-call.yaml").write_text(yaml.safe_dump(often, allow_unicode=True))
    study = study.model_copy(update={"campaigns": [*study.campaigns, folder / "every-call.yaml"]})
    nobody = np.zeros(world.n, dtype=bool)
    lists = ListDraw(nobody, nobody)
    batches = list(read_messages(path))
    messages = [
        (int(t_us), message)
        for batch in batches
        for t_us, message in zip(batch.t_unix_us, batch.messages, strict=True)
        if decode(message).name == "DATA"
    ]

    def files(name, centre, boss_url, collector, mode="lockstep"):
        made = arm_files(
            folder / name, folder / "inputs", study, scenario, lists, extract, study.campaigns,
            clock={"mode": mode, "tick_s": TICK_S}, collector=collector,
            smpp={"host": "127.0.0.1", "port": centre.port, "system_id": "kairos", "password": "kairos"},
            boss_url=boss_url,
        )  # fmt: skip
        if mode == "wall":
            values = yaml.safe_load(made.config.read_text())
            values["clock"] = {"mode": "wall"}
            made.config.write_text(yaml.safe_dump(values))
        return made

    return SimpleNamespace(folder=folder, path=path, scenario=scenario, files=files, messages=messages)


def records(folder):
    tables = {}
    for name in ("behaviours", "triggers", "ledger"):
        table = pq.read_table(folder / f"{name}.parquet")
        tables[name] = table.drop_columns([n for n in table.column_names if n in STAMPS]).to_pylist()
    return tables


class Simulator:
    """Plays the capture's messages over an association, each with a beat that tells its exact time."""

    def __init__(self, address):
        self.association = connect("memory", address["host"], address["port"], streams=16)
        self.side = AspSide(0)
        self.side.start(0)
        self.receive(AspActive)

    def receive(self, wanted, accept=lambda event: True):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if out := self.side.pending():
                self.association.send(MessageBatch.from_messages(out, 0))
            self.association.wait(0.05)
            batch = self.association.receive()
            events = [event for message in batch or () for event in self.side.receive(message, 0)]
            if any(isinstance(event, wanted) and accept(event) for event in events):
                return
        raise AssertionError(f"no {wanted.__name__}")

    def beat(self, world_us, sent, wait=False):
        data = struct.pack("!QQ", world_us, sent)
        octets = struct.pack("!BBBBIHH", 1, 0, 3, 3, 28, 9, 20) + data
        self.association.send(MessageBatch.from_messages([octets], 0))
        if wait:
            self.receive(BeatAck, lambda event: event.data == data)

    def play(self, messages, epoch_us):
        barrier_us, tick_us = 0, TICK_S * SECOND
        for sent, (t_us, message) in enumerate(messages):
            world_us = t_us - epoch_us
            if not barrier_us:
                barrier_us = (world_us // tick_us + 1) * tick_us
            while world_us >= barrier_us:
                self.beat(barrier_us, sent, wait=True)
                barrier_us += tick_us
            self.association.send(MessageBatch.from_messages([message], 1))
            self.beat(world_us, sent + 1)
        self.beat(barrier_us, len(messages), wait=True)


def customers(folder):
    """The extract, whose rows are all of customers."""
    table = pq.read_table(folder / "inputs" / "extract.parquet")
    return table.to_pydict() | {"customer": [True] * table.num_rows}


@pytest.fixture(scope="module")
def expected(town):
    """What the platform records of the same messages when they come over an association."""
    boss = boss_of(customers(town.folder))
    with smsc_door(town.scenario, True) as centre:
        files = town.files(
            "sctp",
            centre,
            "http://boss",
            {"transport": "memory", "host": "taps-sctp", "port": 0, "streams": 16},
        )
        server = Server(load_config(files.config), memory_doors(centre, boss))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert server.ready.wait(60)
        simulator = Simulator(server.addresses["collector"])
        simulator.play(town.messages, town.scenario.epoch_unix_us)
        server.stop()
        thread.join(60)
        assert not thread.is_alive()
        simulator.association.close()
    found = records(files.records)
    assert len(found["behaviours"]) > 200
    assert len(found["triggers"]) > 5
    return found


def serve(config, *arguments, **options):
    command = [sys.executable, "-m", "experiments.cli", "serve", str(config), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd="/", **options
    )


@contextlib.contextmanager
def surroundings(town, name, mode="lockstep"):
    """A message centre, BOSS, and a configuration that knows nothing of taps."""
    boss = boss_of(customers(town.folder))
    with smsc_door(town.scenario, False) as centre, BossDoor(boss, "127.0.0.1") as door:
        yield town.files(name, centre, door.url, {"port": 0, "encap_port": 0}, mode)


def test_a_capture_file_gives_what_sctp_gives(town, expected):
    with surroundings(town, "file") as files:
        child = serve(files.config, "--tap", town.path, "--exit-at-end")
        _, log = child.communicate(timeout=120)
    assert child.returncode == 0, log.decode()
    assert records(files.records) == expected
    collector = json.loads((files.records / "collector.json").read_text())
    assert collector["errors"] == {}
    assert collector["received"] == collector["decoded"] == len(town.messages)
    (tap,) = collector["taps"]
    assert (tap["state"], tap["source"]) == ("ended", str(town.path))
    assert b"tap 1 at its end" in log


def test_a_stream_on_standard_input_gives_what_sctp_gives(town, expected):
    """In pieces that respect no block, as `tcpdump -w - |` gives them."""
    with surroundings(town, "pipe") as files:
        child = serve(files.config, "--tap", "-", "--exit-at-end", stdin=subprocess.PIPE)
        octets = town.path.read_bytes()
        for at in range(0, len(octets), 7001):
            child.stdin.write(octets[at : at + 7001])
        _, log = child.communicate(timeout=120)
    assert child.returncode == 0, log.decode()
    assert records(files.records) == expected


def test_two_taps_are_merged_by_time(town, expected):
    """Each link of the MSC on a tap of its own; the subscribers wander between them."""
    bscs = sorted({code for _, m in town.messages for d in [DataMessage.from_message(decode(m))]
                   for code in (d.opc, d.dpc)} - {1})  # fmt: skip
    paths = []
    for bsc, framing in zip(bscs, (Framing(form="pcap", link="cooked2"), Framing(ip=6)), strict=True):
        own = [(t, m) for t, m in town.messages if bsc in _points(m)]
        paths.append(town.folder / f"link-{bsc}")
        with CaptureWriter(paths[-1], framing=framing) as writer:
            times = np.array([t for t, _ in own], dtype=np.int64)
            writer.write(times, MessageBatch.from_messages([m for _, m in own], 1))
    with surroundings(town, "two") as files:
        child = serve(files.config, "--tap", paths[0], "--tap", paths[1], "--exit-at-end")
        _, log = child.communicate(timeout=120)
    assert child.returncode == 0, log.decode()
    assert records(files.records) == expected


def _points(message):
    data = DataMessage.from_message(decode(message))
    return (data.opc, data.dpc)


def test_by_the_wall_clock_it_goes_on_after_the_end(town, expected):
    """Behaviours keep the capture's times; health and metrics answer; SIGTERM ends it cleanly."""
    damaged = town.folder / "damaged.pcapng"
    octets = town.path.read_bytes()
    damaged.write_bytes(octets[:-11])
    with surroundings(town, "wall", "wall") as files:
        child = serve(files.config, "--tap", damaged, stdin=subprocess.DEVNULL)
        try:
            ready = json.loads(child.stdout.readline())
            url = f"http://127.0.0.1:{ready['http']['port']}"
            end = time.monotonic() + 60
            while True:
                with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
                    health = json.load(answer)
                if health["association"] == "waiting" or time.monotonic() > end:
                    break
                time.sleep(0.05)
            headers = {"Authorization": f"Bearer {files.tokens['reader']}"}
            metrics_of = urllib.request.Request(f"{url}/metrics", headers=headers)
            with urllib.request.urlopen(metrics_of, timeout=10) as answer:
                metrics = answer.read().decode()
        finally:
            child.send_signal(signal.SIGTERM)
            _, log = child.communicate(timeout=60)
    assert child.returncode == 0, log.decode()
    assert health["association"] == "waiting"
    assert "kairos_taps_damaged 1.0" in metrics
    assert b"ERROR marketing.collect" in log
    assert b"the file ends within a block" in log
    assert b"Traceback" not in log
    found = records(files.records)["behaviours"]
    names = [name for name in found[0] if name != "id"]
    told = [
        sorted(tuple(row[name] for name in names) for row in rows) for rows in (found, expected["behaviours"])
    ]
    # The last frame is cut: what hangs on it may be missing.
    assert len(told[0]) >= len(told[1]) - 3
    assert set(told[0]) <= set(told[1])
    collector = json.loads((files.records / "collector.json").read_text())
    assert collector["errors"] == {"capture_damaged": 1}


def test_a_damaged_capture_fails_a_batch(town):
    damaged = town.folder / "cut.pcapng"
    damaged.write_bytes(town.path.read_bytes()[:50_001])
    with surroundings(town, "cut") as files:
        child = serve(files.config, "--tap", damaged, "--exit-at-end")
        _, log = child.communicate(timeout=60)
    assert child.returncode == 1, log.decode()
    assert b"(block " in log


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tap", "nothing.pcapng"], "expected a capture file or a pipe that exists"),
        (["--tap", "/"], "expected a capture file or a pipe that exists"),
        (["--exit-at-end"], "exit_at_end needs taps"),
        (["--tap", "-", "--tap", "-"], "standard input can be one tap only"),
    ],
)
def test_mistakes_are_said_in_a_line(town, arguments, said):
    with surroundings(town, "wrong") as files:
        child = serve(files.config, *arguments, stdin=subprocess.DEVNULL)
        out, log = child.communicate(timeout=60)
    assert (child.returncode, out) == (2, b"")
    assert said in log.decode()
    assert b"Traceback" not in log
