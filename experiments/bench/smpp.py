"""`kairos bench smpp`: messages with receipts through one bind, against npm `smpp` and beside it.

In turns: npm's ESME against npm's SMSC, our ESME against npm's SMSC, npm's ESME against our SMSC. Each end is
a process of its own, each turn a transceiver bind with a window; it counts from the first submit_sm until the
last submit_sm_resp and the last receipt are in, by the wall clock. What counts on a shared machine is the
ratio within a turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from experiments.bench.stages import WrongResult
from experiments.problems import BadInput
from smpp import pdu
from smpp.aio import Answer, EsmeClient, Peer, SmscServer
from smpp.receipt import Receipt, from_deliver
from smpp.session import SessionConfig
from smpp.status import ESM_RECEIPT, CommandStatus, MessageState

__all__ = ["BAR_PER_S", "BAR_RATIO", "Measured", "measure", "node_environment"]

PACKAGE: Final = "smpp@0.5.1"
WINDOW: Final = 128
COUNT: Final = 10_000
"""Messages of a turn."""
LEAST_TURNS: Final = 3
BAR_PER_S: Final = 5_000
BAR_RATIO: Final = 0.8
"""Of npm against itself; one of the two bars is enough."""
_TURN_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Messages a second, turn by turn."""

    npm_alone: tuple[float, ...]
    """npm's ESME against npm's SMSC."""
    client: tuple[float, ...]
    """Our ESME against npm's SMSC."""
    server: tuple[float, ...]
    """npm's ESME against our SMSC."""
    client_processor: float
    """Our ESME's messages per second of its own processor time, best turn."""
    server_processor: float
    count: int
    window: int

    @property
    def octets(self) -> int:
        """Of a turn's submit_sm."""
        return self.count * len(pdu.encode(_message(1), 1))

    def ratio(self, ours: tuple[float, ...]) -> float:
        """Of ours to npm alone: the median over the turns."""
        return median(one / other for one, other in zip(ours, self.npm_alone, strict=True))

    def holds(self, ours: tuple[float, ...]) -> bool:
        """Whether one of the bars is met, by the median turn."""
        return median(ours) >= BAR_PER_S or self.ratio(ours) >= BAR_RATIO


def node_environment(folder: Path) -> dict[str, str]:
    """An environment in which node finds the package; installed into `folder` where it is not there yet.

    Raises BadInput with the reason where that cannot be.
    """
    if shutil.which("node") is None:
        raise BadInput("smpp: there is no node here (Debian: apt-get install nodejs npm)")
    places = [os.environ.get("NODE_PATH", ""), str(folder / "node_modules")]
    for place in places:
        environment = os.environ | {"NODE_PATH": place}
        found = subprocess.run(
            ["node", "-e", "require('smpp')"], env=environment, capture_output=True, check=False, timeout=60
        )
        if found.returncode == 0:
            return environment
    if shutil.which("npm") is None:
        raise BadInput("smpp: there is no npm here to install the peer with (Debian: apt-get install npm)")
    # Without a network this must fail within seconds, not after npm's own patience of minutes.
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0"]
    command += ["--fetch-timeout=20000", "--prefix", str(folder), PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise BadInput(f"smpp: npm install {PACKAGE} took over 60 s") from None
    if done.returncode:
        raise BadInput(f"smpp: npm install {PACKAGE} failed: {done.stderr.strip()[-200:]}")
    return os.environ | {"NODE_PATH": str(folder / "node_modules")}


class _Node:
    """A running peer and the lines it says."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        script = str(Path(__file__).with_name("smpp_peer.js"))
        self._process = subprocess.Popen(
            ["node", script, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hear(self, key: str) -> float:
        """The number that the next line gives for `key`."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _TURN_LIMIT_S)
        line = self._process.stdout.readline() if ready else ""
        try:
            return float(json.loads(line)[key])
        except (ValueError, KeyError):
            self._process.kill()
            said = self._process.communicate()[1].strip()[-300:]
            raise WrongResult(f"the npm peer said {line!r}, not its {key}; {said}") from None

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def _npm(environment: dict[str, str], *arguments: str) -> Iterator[_Node]:
    node = _Node(environment, *arguments)
    try:
        yield node
    finally:
        node.close()


def _message(number: int) -> pdu.SubmitSm:
    return pdu.SubmitSm(
        source_addr_ton=3,
        source_addr_npi=1,
        source_addr="1008601",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=str(8_613_900_000_000 + number),
        validity_period="061123163000032+",
        registered_delivery=1,
        data_coding=8,
        short_message=b"kairos" * 20,
    )


@dataclass(slots=True)
class _Receipts:
    """Counts delivery receipts until all are in."""

    wanted: int
    delivered: set[str] = field(default_factory=set)
    all_in: asyncio.Event = field(default_factory=asyncio.Event)

    def again(self) -> None:
        self.delivered.clear()
        self.all_in.clear()

    def take(self, body: pdu.DeliverSm | pdu.DataSm) -> int:
        assert isinstance(body, pdu.DeliverSm)
        told = from_deliver(body)
        if told.state is MessageState.DELIVERED:
            self.delivered.add(told.message_id)
        if len(self.delivered) == self.wanted:
            self.all_in.set()
        return CommandStatus.ESME_ROK


async def _our_client(port: int, count: int, window: int) -> tuple[float, float]:
    """Messages a second by the wall clock and by our processor time; twice, the second time counts."""
    rates = (0.0, 0.0)
    receipts = _Receipts(count)
    client = EsmeClient(
        pdu.BindTransceiver("kairos", "secret"),
        host="127.0.0.1",
        port=port,
        on_deliver=receipts.take,
        config=SessionConfig(window=window),
    )
    await client.start()
    try:
        for _ in range(2):
            receipts.again()
            began, processor = time.perf_counter(), time.process_time()
            answers = await asyncio.gather(*(client.send(_message(i)) for i in range(1, count + 1)))
            await asyncio.wait_for(receipts.all_in.wait(), _TURN_LIMIT_S)
            rates = (
                count / (time.perf_counter() - began),
                count / (time.process_time() - processor),
            )
            ids = {one.message_id for one in answers if isinstance(one, pdu.SubmitSmResp)}
            if ids != receipts.delivered:
                raise WrongResult(f"{len(ids)} messages accepted, {len(receipts.delivered)} delivered")
    except TimeoutError:
        raise WrongResult(f"{len(receipts.delivered)} receipts of {count}") from None
    finally:
        await client.close()
    return rates


class _Centre:
    """Our SMSC: accepts everything and sends the receipt at once."""

    def __init__(self) -> None:
        self.count = 0
        self.refused = 0

    def take(self, peer: Peer, body: pdu.Body) -> Answer:
        assert isinstance(body, pdu.SubmitSm)
        self.count += 1
        message_id = f"k{self.count}"
        told = Receipt(message_id, MessageState.DELIVERED, 1, 1, "0611231630", "0611231630")
        answer = peer.send(
            pdu.DeliverSm(
                source_addr_ton=1,
                source_addr_npi=1,
                source_addr=body.destination_addr,
                destination_addr=body.source_addr,
                esm_class=ESM_RECEIPT,
                short_message=told.format().encode("ascii"),
                tlvs=told.tlvs(),
            )
        )
        answer.add_done_callback(self._answered)
        return pdu.SubmitSmResp(message_id), CommandStatus.ESME_ROK

    def _answered(self, answer: asyncio.Future[Answer]) -> None:
        if answer.cancelled() or answer.exception() or answer.result()[1]:
            self.refused += 1


async def _our_server(environment: dict[str, str], count: int, window: int) -> tuple[float, float]:
    """Of npm's ESME against our SMSC, and messages per second of our processor time over both its turns."""
    centre = _Centre()
    server = SmscServer(centre.take, config=SessionConfig(window=window))
    await server.listen("127.0.0.1")
    try:
        with _npm(environment, "esme", str(server.port), str(count), str(window)) as node:
            processor = time.process_time()
            per_s = await asyncio.to_thread(node.hear, "per_s")
            processor = time.process_time() - processor
    finally:
        await server.close()
    if centre.count != 2 * count or centre.refused:
        raise WrongResult(f"{centre.count} messages of {2 * count}, {centre.refused} receipts refused")
    return per_s, centre.count / processor


def measure(
    seconds: float, *, count: int = COUNT, window: int = WINDOW, folder: Path | None = None
) -> Measured:
    """Turns for about `seconds`; npm's package is looked for, or put, in `folder`.

    Raises BadInput where there is no peer, WrongResult where messages are lost.
    """
    with tempfile.TemporaryDirectory(prefix="kairos-npm-") as temporary:
        environment = node_environment(folder or Path(temporary))
        return _turns(environment, seconds, count, window)


def _turns(environment: dict[str, str], seconds: float, count: int, window: int) -> Measured:
    alone: list[float] = []
    client: list[tuple[float, float]] = []
    server: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    while len(alone) < LEAST_TURNS or time.monotonic() < end:
        with _npm(environment, "smsc") as smsc:
            port = str(round(smsc.hear("port")))
            with _npm(environment, "esme", port, str(count), str(window)) as esme:
                alone.append(esme.hear("per_s"))
        with _npm(environment, "smsc") as smsc:
            client.append(asyncio.run(_our_client(round(smsc.hear("port")), count, window)))
        server.append(asyncio.run(_our_server(environment, count, window)))
    return Measured(
        tuple(alone),
        tuple(wall for wall, _ in client),
        tuple(wall for wall, _ in server),
        max(own for _, own in client),
        max(own for _, own in server),
        count,
        window,
    )
