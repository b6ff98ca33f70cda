"""Against Debian's kannel 1.4: its bearerbox as ESME of our SMSC, its WAP gateway as a maker of pushes."""

import asyncio
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from smpp import pdu
from smpp.aio import Answer, Peer, SmscServer
from smpp.events import Closed
from smpp.push import PUSH_PORTS, ServiceIndication, ServiceLoading, indication, read
from smpp.receipt import Receipt
from smpp.status import ESM_RECEIPT, CommandStatus, MessageState
from smpp.text import How, Reassembler, coding_of, split

pytestmark = pytest.mark.kannel

ESME = "8613900012345"
CODE = "1008601"
TEXTS = {
    "GSM 7-bit, extension characters": "@£ [x] {y} ^~\\| 5€ ÄÖñ à",
    "UCS2": "您好，漫游套餐",
    "UCS2, long, outside the basic plane": "尊敬的客户，您乘坐的航班可能延误，回复1办理。😀" * 5,
    "GSM 7-bit, long": "Roaming {package} at 9€ a day. " * 12 + "end",
}


TEXT_QUERY = "text=%b&coding=%c"
"""What kannel tells of a subscriber's message: its octets, in UTF-8 or as they came."""


def program(name: str) -> str | None:
    """Where it is; Debian has it in /usr/sbin, which not everybody looks through."""
    return shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


def free_ports(n: int) -> list[int]:
    """Ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Centre:
    """Our SMSC on a thread; what it takes is in `submits`, how it answers is in `answers`."""

    def __init__(self, port: int) -> None:
        self.submits: queue.Queue[pdu.SubmitSm] = queue.Queue()
        self.answers: list[int] = []  # statuses of the next submits; then all are accepted
        self.vanish = False
        self.binds: list[str] = []
        self.count = 0
        self.joiner = Reassembler()
        self.loop = asyncio.new_event_loop()
        self.server = SmscServer(self.take, authenticate=self.let_in)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.run(self.server.listen("127.0.0.1", port))

    def let_in(self, bind: pdu.Bind) -> int:
        self.binds.append(bind.command)
        right = (bind.system_id, bind.password) == ("kannel", "secret")
        return CommandStatus.ESME_ROK if right else CommandStatus.ESME_RINVPASWD

    def take(self, peer: Peer, body: pdu.Body) -> Answer:
        assert isinstance(body, pdu.SubmitSm)
        if self.vanish:
            self.vanish = False
            peer.abort()
            return pdu.SubmitSmResp(), CommandStatus.ESME_ROK
        if self.answers and (status := self.answers.pop(0)):
            return pdu.SubmitSmResp(), status
        self.count += 1
        self.submits.put(body)
        return pdu.SubmitSmResp(f"m{self.count}"), CommandStatus.ESME_ROK

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def whole(self) -> str:
        """The next text, its parts joined."""
        while True:
            one = self.submits.get(timeout=20)
            text = self.joiner.add(
                one.source_addr,
                one.destination_addr,
                one.esm_class,
                one.data_coding,
                one.short_message,
                0.0,
                one.tlvs,
            )
            if text is not None:
                return text

    def deliver(self, body: pdu.DeliverSm) -> Answer:
        async def send() -> Answer:
            peer = self.server.receiver("kannel")
            assert peer is not None
            return await peer.send(body)

        return self.run(send())

    def wait_for(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not what():
            assert time.monotonic() < end, f"in vain: {self.server.last_error}"
            time.sleep(0.05)

    def close(self) -> None:
        self.run(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


class Reports:
    """A web server that kannel tells delivery reports and subscribers' messages to."""

    def __init__(self) -> None:
        heard: queue.Queue[dict[str, list[str]]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.put(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, encoding="latin-1"))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.heard = heard
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def url(self, query: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/?{query}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


CONFIG = """
group = core
admin-port = {admin}
admin-password = pw
admin-allow-ip = 127.0.0.1
smsbox-port = {smsbox}
wapbox-port = {wapbox}
wdp-interface-name = "{address}"
box-allow-ip = 127.0.0.1
sms-resend-freq = 1
log-level = 1

{smsc}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}

group = sendsms-user
username = u
password = p
max-messages = 20
concatenation = true

group = sms-service
keyword = default
get-url = "{url}"
omit-empty = true

group = wapbox
bearerbox-host = 127.0.0.1

group = ppg
ppg-url = /wappush
ppg-port = {ppg}
trusted-pi = true
global-sender = {code}
"""


SMSC = """
group = smsc
smsc = smpp
smsc-id = ours
host = 127.0.0.1
{door}
smsc-username = kannel
smsc-password = {password}
system-type = "test"
interface-version = 34
enquire-link-interval = 1
reconnect-delay = 1
max-pending-submits = 20
source-addr-autodetect = yes
dest-addr-ton = 1
dest-addr-npi = 1
"""


class Kannel:
    """The three boxes."""

    def __init__(
        self, folder: Path, port: int, doors: Sequence[str], url: str, password: str = "secret"
    ) -> None:
        names = ("admin", "smsbox", "wapbox", "sendsms", "ppg")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.folder = folder
        # Its ports for datagrams cannot be chosen: an address of its own keeps two of them apart.
        address = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}.1"
        config = folder / "kannel.conf"
        smsc = "".join(SMSC.format(door=door.format(port), password=password) for door in doors)
        config.write_text(CONFIG.format(**self.ports, smsc=smsc, code=CODE, url=url, address=address))
        self.logs = []
        self.boxes: list[subprocess.Popen[bytes]] = []
        try:
            log = folder / "bearerbox.log"
            self.start("bearerbox", str(config))
            # Not by a connection to the boxes' port: that would count as a box, and be sent messages.
            self.wait_for("bearerbox", lambda: "Start-up done" in log.read_text(errors="replace"))
            self.start("smsbox", str(config))
            self.start("wapbox", str(config))
            self.wait_for("sendsms", lambda: self.listening("sendsms"))
            self.wait_for("ppg", lambda: self.listening("ppg"))
        except BaseException:
            self.close()
            raise

    def start(self, name: str, config: str) -> None:
        log = (self.folder / f"{name}.log").open("wb")
        self.logs.append(log)
        self.boxes.append(
            subprocess.Popen([program(name), "-v", "1", config], stdout=log, stderr=log, cwd=self.folder)
        )

    def listening(self, name: str) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports[name]), 1).close()
        except OSError:
            return False
        return True

    def wait_for(self, name: str, there: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not there():
            if time.monotonic() > end or any(box.poll() is not None for box in self.boxes):
                raise AssertionError(f"kannel's {name} does not start: {self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("*.log"))
        )

    def send(self, text: str, **more: str) -> None:
        """One message by the HTTP interface."""
        values = {
            "username": "u",
            "password": "p",
            "from": CODE,
            "to": ESME,
            "text": text,
            "charset": "UTF-8",
        }
        values["coding"] = "2" if coding_of(text) else "0"
        query = urllib.parse.urlencode({**values, **more})
        url = f"http://127.0.0.1:{self.ports['sendsms']}/cgi-bin/sendsms?{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 202, answer.read()

    def push(self, kind: str, document: str) -> None:
        """One push by the Push Access Protocol."""
        control = (
            '<?xml version="1.0"?><!DOCTYPE pap PUBLIC "-//WAPFORUM//DTD PAP 1.0//EN" '
            '"http://www.wapforum.org/DTD/pap_1.0.dtd"><pap><push-message push-id="1@kairos">'
            f'<address address-value="WAPPUSH=+{ESME}/TYPE=PLMN@kairos"></address>'
            '<quality-of-service delivery-method="unconfirmed" bearer="SMS" network="GSM">'
            "</quality-of-service></push-message></pap>"
        )
        parts = "".join(
            f"--cut\r\nContent-Type: {one}\r\n\r\n{what}\r\n"
            for one, what in (("application/xml", control), (kind, document))
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['ppg']}/wappush",
            (parts + "--cut--\r\n").encode(),
            {"Content-Type": 'multipart/related; boundary=cut; type="application/xml"'},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert b'code ="1001"' in answer.read()

    def close(self) -> None:
        for box in reversed(self.boxes):
            box.send_signal(signal.SIGTERM)
        for box in reversed(self.boxes):
            try:
                box.wait(10)
            except subprocess.TimeoutExpired:
                box.kill()
                box.wait(5)
        for log in self.logs:
            log.close()


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    missing = [name for name in ("bearerbox", "smsbox", "wapbox") if program(name) is None]
    if missing:
        pytest.skip(f"kannel is not installed (Debian: apt-get install kannel): {', '.join(missing)}")


@pytest.fixture(scope="module")
def reports() -> Iterator[Reports]:
    reports = Reports()
    yield reports
    reports.close()


TRANSCEIVER = "port = {}\ntransceiver-mode = true"
MODES = {
    "transceiver": ([TRANSCEIVER], ["bind_transceiver"]),
    "transmitter and receiver": (["port = {}", "receive-port = {}"], ["bind_receiver", "bind_transmitter"]),
}


@pytest.fixture(scope="module", params=MODES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, reports: Reports
) -> Iterator[tuple[Centre, Kannel]]:
    """Our SMSC and a kannel bound to it, each way to bind."""
    (port,) = free_ports(1)
    doors, binds = MODES[request.param]
    centre = Centre(port)
    try:
        kannel = Kannel(tmp_path_factory.mktemp("kannel"), port, doors, reports.url(TEXT_QUERY))
        try:
            centre.wait_for(lambda: len(centre.server.peers) == len(binds))
            assert sorted(centre.binds) == binds
            yield centre, kannel
        finally:
            kannel.close()
    finally:
        centre.close()


def reply(text: str, how: How = "header") -> list[pdu.DeliverSm]:
    """A subscriber's message, in parts."""
    return [
        pdu.DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=ESME,
            destination_addr=CODE,
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.short_message,
            tlvs=part.tlvs,
        )
        for part in split(text, reference=77, how=how)
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_kannel_are_read(pair: tuple[Centre, Kannel], name: str) -> None:
    centre, kannel = pair
    kannel.send(TEXTS[name])
    assert centre.whole() == TEXTS[name]


@pytest.mark.parametrize("how", ["header", "sar", "payload"])
@pytest.mark.parametrize("name", TEXTS)
def test_our_texts_are_read_by_kannel(
    pair: tuple[Centre, Kannel], reports: Reports, name: str, how: How
) -> None:
    centre, _ = pair
    for body in reply(TEXTS[name], how):
        assert centre.deliver(body) == (pdu.DeliverSmResp(), CommandStatus.ESME_ROK)
    heard = reports.heard.get(timeout=20)
    codec = "utf-16-be" if heard["coding"] == ["2"] else "utf-8"
    assert heard["text"][0].encode("latin-1").decode(codec) == TEXTS[name]


@pytest.mark.parametrize(
    ("state", "told"),
    [(MessageState.DELIVERED, "1"), (MessageState.UNDELIVERABLE, "2"), (MessageState.EXPIRED, "34")],
)
def test_receipts_reach_who_sent(
    pair: tuple[Centre, Kannel], reports: Reports, state: MessageState, told: str
) -> None:
    centre, kannel = pair
    kannel.send("a receipt, please", **{"dlr-mask": "31", "dlr-url": reports.url("state=%d")})
    body = centre.submits.get(timeout=20)
    assert body.registered_delivery & 0x03 == 1
    assert reports.heard.get(timeout=20)["state"] == ["8"]  # our submit_sm_resp
    found = Receipt(
        f"m{centre.count}", state, 1, int(state is MessageState.DELIVERED), "0611231630", "0611231631"
    )
    answer = centre.deliver(
        pdu.DeliverSm(
            source_addr=ESME,
            destination_addr=CODE,
            esm_class=ESM_RECEIPT,
            short_message=found.format().encode("ascii"),
            tlvs=found.tlvs(),
        )
    )
    assert answer == (pdu.DeliverSmResp(), CommandStatus.ESME_ROK)
    assert reports.heard.get(timeout=20)["state"] == [told]


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL])
def test_kannel_comes_again_when_told_to_slow_down(
    pair: tuple[Centre, Kannel], status: CommandStatus
) -> None:
    centre, kannel = pair
    centre.answers = [status, status]
    kannel.send("later")
    assert centre.whole() == "later"
    assert centre.answers == []
    assert centre.submits.empty()


def test_kannel_hears_a_refusal(pair: tuple[Centre, Kannel], reports: Reports) -> None:
    centre, kannel = pair
    centre.answers = [CommandStatus.ESME_RINVDSTADR]
    kannel.send("to nobody", **{"dlr-mask": "31", "dlr-url": reports.url("state=%d")})
    assert reports.heard.get(timeout=20)["state"] == ["16"]
    assert centre.submits.empty()


def test_an_idle_link_is_kept(pair: tuple[Centre, Kannel]) -> None:
    centre, _ = pair
    peers = centre.server.peers
    centre.wait_for(lambda: all(peer.session.counters.received.get("enquire_link", 0) >= 2 for peer in peers))
    assert centre.server.peers == peers


PUSHES = {
    "indication": ServiceIndication(
        "You have 4 new emails",
        "http://www.xyz.com/email/123/abc.wml",
        "id1",
        930324195,
        930700800,
        "signal-high",
    ),
    "Chinese": ServiceIndication("流量套餐九折", "https://a.net/b", action="signal-none"),
    "deleted": ServiceIndication("gone", si_id="id1", action="delete"),
    "long": ServiceIndication("Roaming at a price " * 9 + "end", "http://www.a.org/b", action="signal-low"),
    "loading": ServiceLoading("http://xyz.com/ppaid/123/abc.wml", "execute-high"),
}  # fmt: skip


def written(content: indication.Content) -> tuple[str, str]:
    """MIME type and XML of a push, as a push initiator writes them."""
    if isinstance(content, ServiceLoading):
        head = '<!DOCTYPE sl PUBLIC "-//WAPFORUM//DTD SL 1.0//EN" "http://www.wapforum.org/DTD/sl.dtd">'
        return (
            "text/vnd.wap.sl",
            f'<?xml version="1.0"?>{head}<sl href="{content.href}" action="{content.action}"/>',
        )
    values = {"href": content.href, "si-id": content.si_id}
    for name, moment_s in (("created", content.created_s), ("si-expires", content.si_expires_s)):
        values[name] = f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%dT%H:%M:%SZ}" if moment_s else ""
    values["action"] = content.action
    attributes = " ".join(f'{name}="{value}"' for name, value in values.items() if value)
    head = '<!DOCTYPE si PUBLIC "-//WAPFORUM//DTD SI 1.0//EN" "http://www.wapforum.org/DTD/si.dtd">'
    text = f"<si><indication {attributes}>{content.text}</indication></si>"
    return "text/vnd.wap.si", f'<?xml version="1.0" encoding="UTF-8"?>{head}{text}'


@pytest.mark.parametrize("name", PUSHES)
def test_pushes_of_kannel_are_read_and_are_the_octets_of_ours(pair: tuple[Centre, Kannel], name: str) -> None:
    centre, kannel = pair
    content = PUSHES[name]
    kannel.push(*written(content))
    whole = None
    while whole is None:
        body = centre.submits.get(timeout=20)
        assert body.destination_addr == ESME
        assert body.data_coding in (0x04, 0xF5)
        whole = centre.joiner.add_octets(
            body.source_addr, body.destination_addr, body.esm_class, body.data_coding, body.short_message, 0.0
        )
    assert whole.ports is not None
    assert whole.ports.destination == PUSH_PORTS.destination
    found = read(whole.data)
    assert found.content == content
    assert found.push.data == indication.encode(content)


def test_kannel_comes_back_when_we_vanish_before_the_response(pair: tuple[Centre, Kannel]) -> None:
    centre, kannel = pair
    before = len(centre.server.peers)
    binds = len(centre.binds)
    centre.vanish = True
    kannel.send("lost")
    centre.wait_for(lambda: len(centre.binds) > binds and len(centre.server.peers) == before)
    kannel.send("found")
    while centre.whole() != "found":  # it may send the lost one again: that is its own policy
        pass


def test_kannel_leaves_in_order_and_is_not_let_in_with_a_wrong_password(
    tmp_path: Path, reports: Reports
) -> None:
    (port,) = free_ports(1)
    centre = Centre(port)
    try:
        kannel = Kannel(tmp_path, port, [TRANSCEIVER], reports.url(TEXT_QUERY))
        centre.wait_for(lambda: centre.server.peers)
        (peer,) = centre.server.peers
        kannel.close()
        centre.wait_for(lambda: peer.closed)
        assert peer.closed == Closed("the peer unbound", clean=True)
        kannel = Kannel(tmp_path, port, [TRANSCEIVER], reports.url(TEXT_QUERY), "wrong")
        try:
            centre.wait_for(lambda: len(centre.binds) == 2)
            assert centre.server.peers == ()
        finally:
            kannel.close()
    finally:
        centre.close()
