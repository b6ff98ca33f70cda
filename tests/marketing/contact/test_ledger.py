"""The ledger: what it grants, what follows what, what a crash leaves behind."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import textwrap

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from marketing.contact.ledger import (
    Ledger,
    LedgerError,
    MessageDone,
    OptOut,
    OrderDone,
    OrderWanted,
    Reservation,
    Settled,
)
from marketing.contact.schema import TRANSITIONS, contact, last_contact, message, opt_out, order
from marketing.contact.writer import LedgerWriter

CAP = 2


def reservation(number, imsi=1, period=200903, at=1000, campaign="alert", ordinal=0):
    return Reservation(
        f"{number:016x}",
        f"t{number}",
        campaign,
        "1008601",
        "o",
        imsi,
        86139,
        period,
        733000,
        ordinal,
        at,
        at + 60,
    )


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(f"sqlite:///{tmp_path}/l.db", cap=CAP)
    yield made
    made.close()


def states(ledger):
    return {row["contact_id"][-1]: (row["state"], row["counted"]) for row in ledger.rows(contact)}


def test_durability_is_asked_for(ledger):
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2)):
        with ledger._connection.begin():
            assert ledger._connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_grants_up_to_the_cap_within_one_group(ledger):
    wanted = [reservation(i) for i in range(4)] + [reservation(4, period=200904), reservation(5, imsi=2)]
    assert ledger.apply(wanted) == ["", "", "cap", "cap", "", ""]
    assert ledger.apply([reservation(6)]) == ["cap"]


def test_a_contact_id_is_granted_once(ledger):
    assert ledger.apply([reservation(1), reservation(1)]) == ["", "duplicate"]
    assert ledger.apply([reservation(1)]) == ["duplicate"]


def test_only_what_is_proven_unsent_gives_its_slot_back(ledger):
    ledger.apply([reservation(1), reservation(2)])
    ledger.apply(
        [
            Settled(reservation(1).contact_id, "failed", 5, counted=False),
            Settled(reservation(2).contact_id, "unknown", 5),
        ]
    )
    assert ledger.apply([reservation(3), reservation(4)]) == ["", "cap"]
    assert states(ledger) == {"1": ("failed", False), "2": ("unknown", True), "3": ("reserved", True)}


def bring(ledger, state):
    ledger.apply([reservation(1)])
    if state in ("submitted", "delivered", "expired"):
        ledger.apply([Settled(reservation(1).contact_id, "submitted", 5)])
    if state != "reserved":
        ledger.apply([Settled(reservation(1).contact_id, state, 6)])
    assert states(ledger)["1"][0] == state


@pytest.mark.parametrize("old", TRANSITIONS)
@pytest.mark.parametrize("new", TRANSITIONS)
def test_transitions_are_those_of_the_table(ledger, old, new):
    bring(ledger, old)
    (moved,) = ledger.apply([Settled(reservation(1).contact_id, new, 9)])
    assert moved is (new in TRANSITIONS[old])
    assert states(ledger)["1"][0] == (new if moved else old)


RECEIPTS = [
    (["delivered", None], "submitted"),
    (["delivered", "delivered"], "delivered"),
    (["delivered", "expired"], "expired"),
    (["failed", None], "failed"),
    ([None, "expired"], "expired"),
]


@pytest.mark.parametrize(("parts", "expected"), RECEIPTS)
def test_a_long_message_is_as_good_as_its_parts(ledger, parts, expected):
    ledger.apply([reservation(1)])
    ledger.apply([Settled(reservation(1).contact_id, "submitted", 5, message_ids=("m1", "m2"))])
    for name, state in zip(("m1", "m2"), parts, strict=True):
        if state:
            ledger.apply([MessageDone(name, state, 9)])
    assert states(ledger)["1"] == (expected, True)


def test_receipts_repeated_contradicted_or_strange(ledger):
    ledger.apply([reservation(1), Settled(reservation(1).contact_id, "submitted", 5, message_ids=("m",))])
    results = ledger.apply(
        [MessageDone("m", "delivered", 9), MessageDone("m", "expired", 10), MessageDone("x", "failed", 9)]
    )
    assert results == [(reservation(1).contact_id, "delivered")] * 2 + [None]
    assert ledger.apply([MessageDone("m", "failed", 11)]) == [(reservation(1).contact_id, "delivered")]


def test_the_last_contact_is_one_row_whatever_the_order(ledger):
    ledger.apply([reservation(1, at=100), reservation(2, at=50, period=200902)])
    assert list(ledger.rows(last_contact)) == [
        {"imsi": 1, "contact_id": reservation(1).contact_id, "campaign": "alert", "at_us": 100}
    ]


def test_opt_outs_keep_the_earliest_date(ledger):
    ledger.apply([OptOut(1, 50, "a"), OptOut(1, 40, "b"), OptOut(1, 60, "c")])
    assert [row["since_us"] for row in ledger.rows(opt_out)] == [40]


def test_an_order_is_wanted_once_and_ends_once(ledger):
    wanted = OrderWanted("c1", 86139, "o", "sms", 7)
    assert ledger.apply([wanted, wanted]) == [True, False]
    ledger.apply([OrderDone("c1", "done", "x" * 500), OrderDone("c1", "refused")])
    (row,) = ledger.rows(order)
    assert (row["state"], len(row["answer"])) == ("done", 200)


def test_a_failed_group_leaves_nothing(ledger):
    with pytest.raises(LedgerError):
        ledger.apply([reservation(1), Reservation("x", None, "x", "x", "x", *[1] * 7)])
    assert states(ledger) == {}


def test_restart_makes_the_unsettled_unknown(tmp_path):
    url = f"sqlite:///{tmp_path}/l.db"
    first = Ledger(url, cap=CAP)
    first.apply(
        [
            reservation(1),
            reservation(2),
            Settled(reservation(2).contact_id, "submitted", 5, message_ids=("m",)),
        ]
    )
    first.close()
    second = Ledger(url, cap=CAP)
    assert second.recover() == 1
    assert states(second) == {"1": ("unknown", True), "2": ("submitted", True)}
    assert second.apply([reservation(3), reservation(1)]) == ["cap", "duplicate"]
    assert second.apply([MessageDone("m", "delivered", 9)]) == [(reservation(2).contact_id, "delivered")]
    second.close()


CHILD = """
    import sys
    from marketing.contact.ledger import Ledger, Reservation
    ledger = Ledger(sys.argv[1], cap=1000000)
    n = 0
    while True:
        ids = range(n, n + 7)
        ledger.apply([Reservation(f"{i:016x}", "t", "a", "1", "o", i, 1, 200903, 1, 0, 1, 2) for i in ids])
        n += 7
        print(n, flush=True)
"""


@pytest.mark.parametrize("after", [1, 9])
def test_a_kill_between_reserve_and_submit_loses_no_reservation(tmp_path, after):
    """What was granted before a SIGKILL is in the ledger after it, and counts."""
    url = f"sqlite:///{tmp_path}/l.db"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), url],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert child.stdout is not None
    with child.stdout:
        for _ in range(after):
            granted = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    child.wait()
    granted = int(rest[-1]) if rest else granted
    ledger = Ledger(url, cap=1)
    unknown = ledger.recover()
    assert unknown >= granted
    assert unknown % 7 == 0, "groups are whole"
    assert all(row["counted"] for row in ledger.rows(contact))
    assert set(ledger.apply([reservation(10**6 + i, imsi=i) for i in range(granted)])) == {"cap"}
    ledger.close()


def test_the_writer_groups_what_waits(tmp_path):
    async def scene():
        writer = LedgerWriter(Ledger(f"sqlite:///{tmp_path}/l.db", cap=CAP))
        results = await asyncio.gather(*(writer.apply([reservation(i, imsi=i)]) for i in range(50)))
        assert results == [[""]] * 50
        assert writer.commits <= 3
        lazy = asyncio.create_task(
            writer.apply([Settled(reservation(1).contact_id, "submitted", 5)], urgent=False)
        )
        await asyncio.sleep(0)
        assert await writer.apply([]) == []
        assert await lazy == [True]
        with pytest.raises(LedgerError):
            await writer.apply([Reservation("x", None, "x", "x", "x", *[1] * 7)])
        assert await writer.apply([reservation(99)]) == [""]
        writer.close()

    asyncio.run(scene())


def test_an_unopenable_ledger_says_so(tmp_path):
    with pytest.raises(LedgerError, match="cannot open the ledger"):
        Ledger(f"sqlite:///{tmp_path}/no/such/folder/l.db", cap=1)


OUTCOMES = [("submitted", True), ("unknown", True), ("failed", True), ("failed", False)]


class LedgerHistory(RuleBasedStateMachine):
    """Reservations, outcomes, receipts and restarts in any order."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.folder.name}/l.db"
        self.ledger = Ledger(self.url, cap=CAP)
        self.number = 0
        self.may_have_left: dict[tuple[int, int], set[str]] = {}
        self.granted: list[tuple[str, tuple[int, int]]] = []

    @rule(period=st.sampled_from([1, 1, 2]), n=st.integers(1, 3))
    def reserve(self, period, n, imsi=1):
        wanted = [reservation(self.number + i, imsi=imsi, period=period) for i in range(n)]
        self.number += n
        for w, refusal in zip(wanted, self.ledger.apply(wanted), strict=True):
            if not refusal:
                self.may_have_left.setdefault((imsi, period), set()).add(w.contact_id)
                self.granted.append((w.contact_id, (imsi, period)))

    @rule(which=st.integers(0, 3), outcome=st.sampled_from(OUTCOMES))
    def settle(self, which, outcome):
        if self.granted:
            contact_id, key = self.granted[-1 - which % len(self.granted)]
            state, counted = outcome
            ids = (f"{contact_id}.1", f"{contact_id}.2") if state == "submitted" else ()
            was = self._state(contact_id)
            (moved,) = self.ledger.apply([Settled(contact_id, state, 5, counted, "", ids)])
            if moved and not counted and was == "reserved":
                self.may_have_left[key].discard(contact_id)

    @rule(
        which=st.integers(0, 3),
        part=st.integers(1, 3),
        state=st.sampled_from(["delivered", "expired", "failed"]),
    )
    def receipt(self, which, part, state):
        if self.granted:
            contact_id, _ = self.granted[-1 - which % len(self.granted)]
            self.ledger.apply([MessageDone(f"{contact_id}.{part}", state, 6)])

    @rule()
    def restart(self):
        self.ledger.close()
        self.ledger = Ledger(self.url, cap=CAP)
        self.ledger.recover()

    @invariant()
    def cap_holds(self):
        for key, ids in getattr(self, "may_have_left", {}).items():
            assert len(ids) <= CAP, key

    def teardown(self):
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()

    def _state(self, contact_id):
        return next(row["state"] for row in self.ledger.rows(contact, contact.c.contact_id == contact_id))


LedgerHistory.TestCase.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedgerHistory = LedgerHistory.TestCase


def test_message_rows_name_their_contact(ledger):
    ledger.apply(
        [reservation(1), Settled(reservation(1).contact_id, "submitted", 5, message_ids=("m1", "m2"))]
    )
    assert [(r["message_id"], r["part"], r["state"]) for r in ledger.rows(message)] == [
        ("m1", 1, ""),
        ("m2", 2, ""),
    ]
