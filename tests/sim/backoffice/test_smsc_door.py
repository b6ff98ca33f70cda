"""The SMSC's door as the simulator uses it: synchronously, with an ESME on a loop of its own."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sim.backoffice.smsc_door import DoorError, SmscDoor
from sim.network.messages import Cancel, Deliver, Submit
from smpp import pdu, receipt, tlv
from smpp.aio import BindRefused, EsmeClient, Refused
from smpp.status import CommandStatus, MessageState
from smpp.text import split
from smpp.times import encode_absolute, encode_relative

EPOCH = 1_164_211_200_000_000  # 2006-11-22 16:00 UTC: midnight of the 23rd in China
HOUR = 3_600_000_000


class Esme:
    """A platform's SMPP side, on its own thread."""

    def __init__(self, door: SmscDoor, *, memory: bool = False, bind: pdu.Bind | None = None) -> None:
        self.got: list[pdu.DeliverSm | pdu.DataSm] = []
        self.status: int = CommandStatus.ESME_ROK
        self.mute = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        where = {"sock": door.socket()} if memory else {"host": "127.0.0.1", "port": door.port}
        bind = bind or pdu.BindTransceiver("kairos", "secret")
        try:
            self.client = self.run(self.make(bind, where))
        except BindRefused:
            self.end()
            raise

    async def make(self, bind: pdu.Bind, where: dict) -> EsmeClient:
        client = EsmeClient(bind, on_deliver=self.take, **where)
        await client.start(5)
        return client

    async def take(self, body: pdu.DeliverSm | pdu.DataSm) -> int:
        self.got.append(body)
        while self.mute:
            await asyncio.sleep(0.01)
        return self.status

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def submit(self, text: str = "hello", contact_id: str | None = "c1", **values: object) -> list[str]:
        tlvs = (tlv.make("contact_id", contact_id),) if contact_id is not None else ()
        ids = []
        for part in split(text, reference=7):
            body = pdu.SubmitSm(
                **(
                    {
                        "source_addr": "1008601",
                        "destination_addr": "8613900012345",
                        "esm_class": part.esm_class,
                        "data_coding": part.data_coding,
                        "short_message": part.short_message,
                        "tlvs": tlvs,
                    }
                    | values
                )
            )
            ids.append(self.run(self.client.submit(body)).message_id)
        return ids

    def close(self) -> None:
        self.mute = False
        self.run(self.client.close())
        self.end()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


@pytest.fixture
def ticks() -> Callable[[], int]:
    return iter(range(1000, 10**9)).__next__


@pytest.fixture
def door(ticks: Callable[[], int]) -> Iterator[SmscDoor]:
    with SmscDoor(
        "127.0.0.1",
        0,
        "kairos",
        "secret",
        ticks,
        epoch_unix_us=EPOCH,
        utc_offset_quarters=32,
        world_us=lambda: HOUR,
    ) as door:
        yield door


@pytest.fixture
def esme(door: SmscDoor) -> Iterator[Esme]:
    esme = Esme(door)
    yield esme
    esme.close()


def test_submits_come_in_with_all_that_matters(door: SmscDoor, esme: Esme) -> None:
    assert door.wait_bound(5)
    until = encode_absolute(EPOCH + 9 * HOUR, 32)
    assert esme.submit("您好", validity_period=until, registered_delivery=1) == ["c1.1"]
    (submit,) = door.take_submits()
    assert submit == Submit(
        message_id="c1.1",
        contact_id="c1",
        part=1,
        parts=1,
        source="1008601",
        destination="8613900012345",
        data="您好".encode("utf-16-be"),
        data_coding=8,
        esm_class=0,
        validity_until_us=9 * HOUR,
        arrived_ns=submit.arrived_ns,
        receipt=True,
    )
    assert submit.arrived_ns >= 1000
    assert door.take_submits() == []


def test_message_ids_come_from_the_contact_and_the_part(door: SmscDoor, esme: Esme) -> None:
    assert esme.submit("您" * 150, "c9") == ["c9.1", "c9.2", "c9.3"]
    assert [(one.part, one.parts, one.receipt) for one in door.take_submits()] == [
        (1, 3, False),
        (2, 3, False),
        (3, 3, False),
    ]


def test_ids_without_a_contact_id_come_from_the_content(door: SmscDoor, esme: Esme) -> None:
    (first,) = esme.submit("one", None)
    (second,) = esme.submit("two", None)
    (again,) = esme.submit("one", None)
    assert len({first, second}) == 2
    assert again == f"{first}~2"
    with SmscDoor(None, 0, "kairos", "secret", time.monotonic_ns) as other:
        elsewhere = Esme(other, memory=True)
        assert elsewhere.submit("two", None) + elsewhere.submit("one", None) == [second, first]
        elsewhere.close()


def test_a_repeat_is_a_second_message_and_shows_it(door: SmscDoor, esme: Esme) -> None:
    assert esme.submit() + esme.submit() == ["c1.1", "c1.1~2"]
    assert [one.message_id for one in door.take_submits()] == ["c1.1", "c1.1~2"]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"destination_addr": ""}, "ESME_RINVDSTADR"),
        ({"destination_addr": "+8613900012345"}, "ESME_RINVDSTADR"),
        ({"source_addr": ""}, "ESME_RINVSRCADR"),
        ({"short_message": b"x" * 161}, "ESME_RINVMSGLEN"),
        ({"short_message": b"x" * 142, "data_coding": 8}, "ESME_RINVMSGLEN"),
        ({"short_message": b"\x20x", "esm_class": 0x40}, "ESME_RINVMSGLEN"),
        ({"validity_period": "soon"}, "ESME_RINVEXPIRY"),
        ({"schedule_delivery_time": encode_relative(60)}, "ESME_RINVSCHED"),
        ({"tlvs": (tlv.make("contact_id", "c" * 64),)}, "ESME_RINVOPTPARAMVAL"),
    ],
)
def test_what_an_smsc_refuses(door: SmscDoor, esme: Esme, values: dict, status: str) -> None:
    with pytest.raises(Refused, match=status):
        esme.submit(**values)
    assert door.take_submits() == []


def test_relative_validity_counts_from_the_worlds_now(door: SmscDoor, esme: Esme) -> None:
    esme.submit(validity_period=encode_relative(60))
    assert door.take_submits()[0].validity_until_us == HOUR + 60_000_000
    with SmscDoor(None, 0, "kairos", "secret", time.monotonic_ns) as clockless:
        other = Esme(clockless, memory=True)
        with pytest.raises(Refused, match="ESME_RINVEXPIRY"):
            other.submit(validity_period=encode_relative(60))
        other.close()


@pytest.mark.parametrize("memory", [False, True])
def test_deliver_sends_in_order_and_waits_for_the_answers(ticks: Callable[[], int], memory: bool) -> None:
    with SmscDoor(
        None if memory else "127.0.0.1",
        0,
        "kairos",
        "secret",
        ticks,
        epoch_unix_us=EPOCH,
        utc_offset_quarters=32,
    ) as door:
        esme = Esme(door, memory=memory)
        esme.submit(registered_delivery=1)
        many = [
            Deliver(HOUR + i, f"r{i}", "reply", "8613900012345", "1008601", data=f"{i}".encode())
            for i in range(300)
        ]
        door.deliver(
            [
                Deliver(
                    HOUR,
                    "d1",
                    "receipt",
                    "8613900012345",
                    "1008601",
                    message_id="c1.1",
                    state="expired",
                    error=27,
                    submitted_us=0,
                ),
                *many,
            ]
        )
        first, *rest = esme.got
        assert isinstance(first, pdu.DeliverSm)
        assert receipt.is_receipt(first)
        found = receipt.from_deliver(first)
        assert (found.message_id, found.state, found.error) == ("c1.1", MessageState.EXPIRED, "027")
        assert (found.submit_date, found.done_date) == ("0611230000", "0611230100")
        assert tlv.get_int(first.tlvs, "event_time") == EPOCH + HOUR
        assert (first.source_addr, first.destination_addr) == ("8613900012345", "1008601")
        assert [one.short_message for one in rest if isinstance(one, pdu.DeliverSm)] == [
            one.data for one in many
        ]
        door.deliver([])
        esme.close()


def test_deliver_says_what_is_wrong(door: SmscDoor) -> None:
    message = Deliver(0, "r", "reply", "8613900012345", "1008601", data=b"1")
    assert not door.wait_bound(0)
    with pytest.raises(DoorError, match="1 deliver_sm to send and no ESME bound"):
        door.deliver([message])
    esme = Esme(door)
    esme.mute = True
    with pytest.raises(DoorError, match=r"1 of 1 deliver_sm not answered by kairos within 0.2 s"):
        door.deliver([message], timeout=0.2)
    esme.mute = False
    esme.status = CommandStatus.ESME_RX_P_APPN
    with pytest.raises(DoorError, match=r"1 of 1 deliver_sm failed at kairos: ESME_RX_P_APPN"):
        door.deliver([message])
    esme.close()
    sender = Esme(door, bind=pdu.BindTransmitter("kairos", "secret"))
    assert not door.wait_bound(0)
    with pytest.raises(DoorError, match="no ESME bound to receive"):
        door.deliver([message])
    sender.close()


def test_cancel_and_query(door: SmscDoor, esme: Esme) -> None:
    esme.submit("您" * 80)

    def cancel(message_id: str) -> object:
        return esme.run(
            esme.client.cancel_sm(
                pdu.CancelSm(message_id=message_id, source_addr="1008601", destination_addr="8613900012345")
            )
        )

    cancel("c1.2")
    (taken,) = door.take_cancels()
    assert taken == Cancel("c1.2", "1008601", "8613900012345", taken.arrived_ns)
    assert door.take_cancels() == []
    with pytest.raises(Refused, match="ESME_RINVMSGID"):
        cancel("unheard-of")
    query = pdu.QuerySm(message_id="c1.1")
    assert esme.run(esme.client.query_sm(query)).message_state == MessageState.ENROUTE
    door.deliver([Deliver(HOUR, "d", "receipt", "8613900012345", "1008601", message_id="c1.1")])
    answer = esme.run(esme.client.query_sm(query))
    assert (answer.message_state, answer.final_date) == (MessageState.DELIVERED, "061123010000032+")
    with pytest.raises(Refused, match="ESME_RCANCELFAIL"):
        cancel("c1.1")


def test_operations_that_are_not_offered(door: SmscDoor, esme: Esme) -> None:
    with pytest.raises(Refused, match="ESME_RINVCMDID"):
        esme.run(_send(esme.client, pdu.ReplaceSm(message_id="c1.1")))


async def _send(client: EsmeClient, body: pdu.Body) -> pdu.Body:
    return await client.send(body)


@pytest.mark.parametrize(
    ("bind", "status"), [(("kairos", "wrong"), "ESME_RINVPASWD"), (("nobody", "secret"), "ESME_RINVSYSID")]
)
def test_who_is_not_let_in(door: SmscDoor, bind: tuple[str, str], status: str) -> None:
    with pytest.raises(BindRefused, match=status):
        Esme(door, bind=pdu.BindTransceiver(*bind))


def test_on_submit_runs_at_arrival_and_may_not_wait_for_the_door() -> None:
    seen: list[Submit] = []
    with SmscDoor(None, 0, "kairos", "secret", time.monotonic_ns, on_submit=seen.append) as door:
        esme = Esme(door, memory=True)
        before = time.monotonic_ns()
        esme.submit()
        assert before <= seen[0].arrived_ns <= time.monotonic_ns()
        esme.close()

    def wait(submit: Submit) -> None:
        door.deliver([Deliver(0, "r", "reply", "1", "2")])

    with SmscDoor(None, 0, "kairos", "secret", time.monotonic_ns, on_submit=wait) as door:
        esme = Esme(door, memory=True)
        with pytest.raises(Refused, match="ESME_RSYSERR"):
            esme.submit()
        assert "wait for itself" in door.last_error
        esme.close()


def test_a_taken_port_and_a_closed_door() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DoorError, match=f"cannot listen on 127.0.0.1:{port}"):
            SmscDoor("127.0.0.1", port, "a", "b", time.monotonic_ns)
    door = SmscDoor("127.0.0.1", 0, "a", "b", time.monotonic_ns)
    port = door.port
    door.close()
    door.close()
    with pytest.raises(DoorError, match="closed"):
        door.socket()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    assert not [one for one in threading.enumerate() if one.name == "smsc-door"]
