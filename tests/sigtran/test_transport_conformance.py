"""What every transport promises, run over each that this machine has.

The same file runs inside the UML guest for kernel SCTP (tests/integration/uml); KAIROS_SCTP_KINDS names the
kinds.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sigtran import (
    Association,
    AssociationLost,
    ConnectError,
    Listener,
    ListenError,
    MessageBatch,
    TransportUnavailable,
    choose,
    connect,
    listen,
)

WANTED = os.environ.get("KAIROS_SCTP_KINDS", "memory usrsctp kernel").split()
HOST = "127.0.0.1"


def why_not(kind: str) -> str:
    try:
        choose(kind)
    except TransportUnavailable as error:
        return str(error)
    return ""


KINDS = [kind for kind in WANTED if not why_not(kind)]
# `memory` joins two ends of one process: there is no other to kill.
BETWEEN_PROCESSES = [kind for kind in KINDS if kind != "memory"]


@pytest.mark.parametrize("wanted", WANTED)
def test_this_kind_is_here(wanted: str) -> None:
    if reason := why_not(wanted):
        pytest.skip(f"{wanted} is not tested: {reason}")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def listener(kind: str) -> Iterator[Listener]:
    with listen(kind, HOST, 0, encap_port=0) as made:
        yield made


def join(listener: Listener, streams: int = 16) -> tuple[Association, Association]:
    one = connect(listener.kind, HOST, listener.port, encap_port=listener.encap_port, streams=streams)
    other = listener.accept(5)
    assert other is not None
    return one, other


@pytest.fixture
def pair(listener: Listener) -> Iterator[tuple[Association, Association]]:
    one, other = join(listener)
    yield one, other
    one.abort()
    other.abort()


def collect(association: Association, n: int, timeout_s: float = 20) -> MessageBatch:
    batches = []
    count = 0
    deadline = time.monotonic() + timeout_s
    while count < n and time.monotonic() < deadline:
        association.wait(0.2)
        batch = association.receive()
        if batch is not None:
            batches.append(batch)
            count += batch.n
        elif association.state != "up":
            break
    return MessageBatch.concatenate(batches)


def until_over(association: Association, timeout_s: float) -> float:
    start = time.monotonic()
    while association.state == "up" and time.monotonic() - start < timeout_s:
        association.wait(0.05)
        association.receive()
    return time.monotonic() - start


def numbered(n: int, length: int = 120, streams: int = 15) -> MessageBatch:
    """Messages that say which they are, on streams 1.."""
    numbers = np.arange(n, dtype=np.uint32)
    data = np.zeros((n, length), dtype=np.uint8)
    data[:, :4] = numbers.view(np.uint8).reshape(n, 4)
    data[:, 4:] = (numbers % 251)[:, None]
    offsets = np.arange(n + 1, dtype=np.int64) * length
    return MessageBatch(data.tobytes(), offsets, (1 + numbers % streams).astype(np.uint16))


@contextmanager
def peer(kind: str, mode: str) -> Iterator[SimpleNamespace]:
    """A process that listens, and an association with it."""
    program = Path(__file__).with_name("peer_program.py")
    process = subprocess.Popen(
        [sys.executable, str(program), kind, mode], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        ports = json.loads(line)
        association = connect(kind, HOST, ports["port"], encap_port=ports["encap_port"])
        yield SimpleNamespace(process=process, association=association)
        association.abort()
    finally:
        process.kill()
        process.communicate()


def test_an_association_comes_up(kind: str, listener: Listener) -> None:
    one, other = join(listener)
    assert (one.kind, other.kind, listener.kind) == (kind,) * 3
    assert (one.state, other.state) == ("up", "up")
    assert (one.streams, other.streams) == (16, 16)
    assert (one.reason, other.reason) == ("", "")
    one.abort()
    other.abort()


def test_the_smaller_number_of_streams_wins(listener: Listener) -> None:
    one, other = join(listener, streams=5)
    assert one.streams == other.streams == 5
    with pytest.raises(ValueError, match="stream 5 of an association with 5"):
        one.send(MessageBatch.from_messages([b"x"], 5))
    one.abort()
    other.abort()


def test_batches_arrive_whole_both_ways(pair: tuple[Association, Association]) -> None:
    for one, other in (pair, pair[::-1]):
        sent = MessageBatch.from_messages([b"a", b"bc", b"def" * 1000], [1, 2, 3])
        one.send(sent)
        got = collect(other, 3)
        assert sorted(zip(got.streams.tolist(), got, strict=True)) == sorted(
            zip(sent.streams.tolist(), sent, strict=True)
        )


def test_nothing_is_none_and_not_readable(pair: tuple[Association, Association]) -> None:
    one, other = pair
    assert one.receive() is None
    assert one.wait(0) is False
    other.send(MessageBatch.from_messages([b"x"], 1))
    assert one.wait(5) is True
    assert select.select([one.fileno()], [], [], 0)[0]
    assert list(one.receive() or ()) == [b"x"]
    assert one.wait(0) is False
    one.send(MessageBatch.from_messages([]))
    assert other.wait(0.05) is False


def test_a_message_longer_than_any_packet(pair: tuple[Association, Association]) -> None:
    one, other = pair
    message = bytes(range(256)) * 240
    one.send(MessageBatch.from_messages([b"before", message, b"behind"], 1))
    assert list(collect(other, 3)) == [b"before", message, b"behind"]
    if one.kind != "memory":
        with pytest.raises(ValueError, match="a message of more than"):
            one.send(MessageBatch.from_messages([bytes(1 << 20)], 1))


def test_order_within_each_stream_of_50_000_messages(pair: tuple[Association, Association]) -> None:
    one, other = pair
    sent = numbered(50_000)

    def sender() -> None:
        for start in range(0, sent.n, 700):
            one.send(sent.slice(start, min(start + 700, sent.n)))

    thread = threading.Thread(target=sender)
    thread.start()
    got = collect(other, sent.n, 60)
    thread.join()
    assert got.n == sent.n
    octets = np.frombuffer(got.data, dtype=np.uint8).reshape(-1, 120)
    numbers = octets[:, :4].copy().view(np.uint32).ravel()
    assert (octets[:, 4:] == (numbers % 251)[:, None]).all()
    assert (np.sort(numbers) == np.arange(sent.n)).all()
    assert (got.streams == 1 + numbers % 15).all()
    for stream in range(1, 16):
        assert (np.diff(numbers[got.streams == stream].astype(np.int64)) > 0).all()
    assert one.flush(5)


def test_both_directions_at_once(pair: tuple[Association, Association]) -> None:
    sent = numbered(20_000)
    threads = [
        threading.Thread(
            target=lambda end=end: [end.send(sent.slice(at, at + 500)) for at in range(0, sent.n, 500)]
        )
        for end in pair
    ]
    for thread in threads:
        thread.start()
    got = [0, 0]
    deadline = time.monotonic() + 30
    while min(got) < sent.n and time.monotonic() < deadline:
        for i, end in enumerate(pair):
            end.wait(0.01)
            batch = end.receive()
            got[i] += batch.n if batch else 0
    for thread in threads:
        thread.join()
    assert got == [sent.n, sent.n]


def test_close_delivers_what_was_sent_first(pair: tuple[Association, Association]) -> None:
    one, other = pair
    one.send(numbered(400))
    one.close(10)
    assert (one.state, one.reason) == ("closed", "closed here")
    with pytest.raises(AssociationLost, match="closed here"):
        one.send(MessageBatch.from_messages([b"late"], 1))
    assert collect(other, 401, 5).n == 400
    assert (other.state, other.reason) == ("closed", "the peer closed the association")
    with pytest.raises(AssociationLost, match="the peer closed"):
        other.send(MessageBatch.from_messages([b"late"], 1))
    one.close()  # again does nothing
    one.abort()
    assert one.reason == "closed here"


def test_abort_is_seen_at_once(pair: tuple[Association, Association]) -> None:
    one, other = pair
    one.abort()
    assert (one.state, one.reason) == ("closed", "aborted here")
    assert until_over(other, 3) < 1
    assert (other.state, other.reason) == ("lost", "the peer aborted the association")
    with pytest.raises(AssociationLost, match="aborted"):
        other.send(MessageBatch.from_messages([b"x"], 1))


def test_a_receiver_that_does_not_drain_stops_the_sender_and_nothing_else(
    pair: tuple[Association, Association],
) -> None:
    one, other = pair
    batch = numbered(1_000)
    sent = 0
    stop = threading.Event()

    def sender() -> None:
        nonlocal sent
        while not stop.is_set():
            one.send(batch)
            sent += batch.n

    thread = threading.Thread(target=sender)
    thread.start()
    # Longer than four retransmissions take: a window that is closed is no dead peer.
    still_s, before = (0.3 if one.kind == "memory" else 4), -1
    deadline = time.monotonic() + 60
    while sent != before and time.monotonic() < deadline:
        before = sent
        time.sleep(still_s)
    assert sent == before
    assert (one.state, other.state) == ("up", "up")
    assert sent * 120 < 24 << 20
    stop.set()
    received = 0
    deadline = time.monotonic() + 20
    while (thread.is_alive() or received < sent) and time.monotonic() < deadline:
        other.wait(0.1)
        got = other.receive()
        received += got.n if got else 0
    thread.join()
    assert received == sent


def test_several_associations_on_one_listener(listener: Listener) -> None:
    pairs = [join(listener) for _ in range(5)]
    for i, (one, _) in enumerate(pairs):
        one.send(MessageBatch.from_messages([b"from %d" % i], 1))
    for i, (_, other) in enumerate(pairs):
        assert list(collect(other, 1)) == [b"from %d" % i]
    pairs[0][0].abort()
    assert until_over(pairs[0][1], 20) < 10
    assert [other.state for _, other in pairs[1:]] == ["up"] * 4
    for one, other in pairs:
        one.abort()
        other.abort()


def test_an_association_outlives_its_listener(kind: str) -> None:
    listener = listen(kind, HOST, 0, encap_port=0)
    one, other = join(listener)
    listener.close()
    one.send(MessageBatch.from_messages([b"still here"], 1))
    assert list(collect(other, 1)) == [b"still here"]
    one.abort()
    other.abort()


def test_accept_returns_none_when_nobody_comes(listener: Listener) -> None:
    start = time.monotonic()
    assert listener.accept(0.05) is None
    assert time.monotonic() - start < 10
    assert select.select([listener.fileno()], [], [], 0)[0] == []


def test_a_port_in_use_is_named(kind: str, listener: Listener) -> None:
    with pytest.raises(ListenError, match=str(listener.encap_port or listener.port)):
        listen(kind, HOST, listener.port, encap_port=listener.encap_port)
    if kind == "usrsctp":
        with pytest.raises(ListenError, match=f"SCTP port {listener.port} is in use"):
            listen(kind, HOST, listener.port, encap_port=0)


def test_connecting_to_nobody_says_so(kind: str) -> None:
    with listen(kind, HOST, 0, encap_port=0) as gone:
        port, encap_port = gone.port, gone.encap_port
    start = time.monotonic()
    with pytest.raises(ConnectError, match=str(port)):
        connect(kind, HOST, port, encap_port=encap_port, timeout_s=30)
    assert time.monotonic() - start < 20  # refused, and not given up at the end of the time


def test_connecting_to_a_wrong_sctp_port_says_so(kind: str, listener: Listener) -> None:
    with pytest.raises(ConnectError, match="nobody"):
        connect(kind, HOST, listener.port ^ 1, encap_port=listener.encap_port, timeout_s=3)


@pytest.mark.parametrize("kind", BETWEEN_PROCESSES)
def test_a_killed_peer_is_noticed(kind: str) -> None:
    with peer(kind, "echo") as met:
        met.association.send(numbered(10))
        assert collect(met.association, 10).n == 10
        met.process.send_signal(signal.SIGKILL)
        met.process.wait()
        took = until_over(met.association, 60)
        assert met.association.state in ("lost", "closed")
        assert met.association.reason
        assert took < 10
        with pytest.raises(AssociationLost):
            met.association.send(numbered(1))


@pytest.mark.parametrize("kind", BETWEEN_PROCESSES)
def test_a_killed_peer_frees_a_sender_that_waits(kind: str) -> None:
    with peer(kind, "sleep") as met:
        ended = []

        def sender() -> None:
            try:
                while True:
                    met.association.send(numbered(1_000))
            except AssociationLost as error:
                ended.append(str(error))

        thread = threading.Thread(target=sender)
        thread.start()
        time.sleep(0.5)
        met.process.kill()
        thread.join(60)
        assert ended
        assert ended[0]


@pytest.mark.skipif("usrsctp" not in KINDS, reason="the kernel answers for a program that is stopped")
def test_a_silent_peer_is_noticed_by_retransmissions() -> None:
    with peer("usrsctp", "count") as met:
        met.process.send_signal(signal.SIGSTOP)
        met.association.send(numbered(10))
        took = until_over(met.association, 60)
        assert met.association.state == "lost"
        assert "does not acknowledge: 4 retransmissions" in met.association.reason
        assert took < 40


FORKS = """
import os
from sigtran import MessageBatch, TransportError, connect, listen
listener = listen("usrsctp", "127.0.0.1", 0, encap_port=0)
association = connect("usrsctp", "127.0.0.1", listener.port, encap_port=listener.encap_port)
child = os.fork()
try:
    association.send(MessageBatch.from_messages([b"x"], 1))
    if child == 0:
        raise SystemExit("the child sends on the parent's association")
except TransportError as error:
    print(error)
if child == 0:
    try:
        listen("usrsctp", "127.0.0.1", 0, encap_port=0)
    except TransportError as error:
        print(error)
    raise SystemExit(0)
_, status = os.waitpid(child, 0)
print(status, association.flush(5))
"""


@pytest.mark.skipif("usrsctp" not in KINDS, reason="the other kinds have no thread that a fork would lose")
def test_after_a_fork_the_child_is_told_and_the_parent_goes_on() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert "belongs to the process" in first
    assert "start processes with the method spawn" in second
    assert third == "0 True"


@pytest.mark.parametrize("kind", BETWEEN_PROCESSES)
def test_acknowledgements_do_not_wait_for_python(kind: str) -> None:
    with peer(kind, "stuck") as met:
        start = time.monotonic()
        met.association.send(numbered(1_000))
        assert met.association.flush(20)
        assert time.monotonic() - start < 4  # the peer's Python does nothing for five seconds
        met.association.close(5)
        assert json.loads(met.process.communicate(timeout=60)[0])["received"] == 1_000


@pytest.mark.parametrize("kind", BETWEEN_PROCESSES)
def test_a_program_that_ends_leaves_nothing_behind(kind: str) -> None:
    with peer(kind, "leave") as met:
        met.association.send(numbered(1))
        assert met.process.wait(60) == 0
        assert met.process.stderr is not None
        assert met.process.stderr.read() == ""
        assert until_over(met.association, 20) < 10
        assert met.association.state in ("lost", "closed")
