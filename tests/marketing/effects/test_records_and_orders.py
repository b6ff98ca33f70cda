"""Journals survive what kills the process; orders are opened once whatever the network does."""

import asyncio
import json
from dataclasses import replace

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from marketing.config import BossConfig
from marketing.contact.ledger import OrderWanted
from marketing.effects import Boss, BossError, Records, TriggerRecord, recover_records
from marketing.effects.replies import Conversations, SentContact

ORDER = OrderWanted("00c0ffee00c0ffee", 8613900000001, "e-bill", "sms", 7)


def record(name, state="sent", **values):
    base = TriggerRecord(name, "", "a", "001010000000001", "86139", 5, 0, False, state, "", 0, 5)
    return replace(base, **values)


def test_a_killed_process_leaves_its_journals(town, tmp_path):
    records = Records(tmp_path)
    rows = town.batch(
        {"t": 1, "kind": "power_on", "peer": b"10086", "corr": 4}, {"t": 2, "sub": 3, "kind": "sms_sent"}
    )
    records.behaviours(rows)
    records.trigger(record("t1", "pending"))
    records.trigger(record("t2", "held"))
    records.trigger(record("t2", "sent", t_us=4))
    records.flush()
    for name, cut in (("behaviours.rows", b"\x01\x02"), ("triggers.jsonl", b'{"trigger_id": "t')):
        with (tmp_path / name).open("ab") as file:
            file.write(cut)
    records.close()
    assert recover_records(tmp_path) == ["triggers.parquet", "behaviours.parquet"]
    triggers = pq.read_table(tmp_path / "triggers.parquet").to_pylist()
    assert [(t["trigger_id"], t["state"], t["reason"]) for t in triggers] == [
        ("t2", "sent", ""),
        ("t1", "failed", "unknown outcome"),
    ]
    behaviours = pq.read_table(tmp_path / "behaviours.parquet")
    assert behaviours.column_names == [
        "t_us",
        "imsi",
        "kind",
        "role",
        "lac",
        "ci",
        "peer",
        "cause",
        "duration_us",
        "detail",
        "corr",
    ]
    assert behaviours["peer"].to_pylist() == ["10086", ""]
    np.testing.assert_array_equal(behaviours["imsi"].to_numpy(), rows["imsi"])
    assert recover_records(tmp_path) == []


def test_a_new_run_sets_the_killed_ones_aside(tmp_path):
    for n in (1, 2):
        records = Records(tmp_path)
        records.trigger(record(f"t{n}"))
        records.trigger(record(f"t{n}", "failed"))
        assert records.counts() == {"failed": 1}
        records.close()
    last = Records(tmp_path)
    last.finish([], {})
    kept = [
        pq.read_table(tmp_path / f"killed-{n}" / "triggers.parquet")["trigger_id"].to_pylist() for n in (1, 2)
    ]
    assert kept == [["t1"], ["t2"]]
    assert pq.read_table(tmp_path / "triggers.parquet").num_rows == 0


def test_no_triggers_is_an_empty_table(tmp_path):
    records = Records(tmp_path)
    records.finish([], {"received": 0})
    assert [
        pq.read_table(tmp_path / f"{n}.parquet").num_rows for n in ("triggers", "behaviours", "ledger")
    ] == [0, 0, 0]


def place(answers, give_up_s=None):
    seen = []

    def boss(request):
        seen.append(request.content)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, said = answer if isinstance(answer, tuple) else (answer, json.loads(request.content))
        return httpx.Response(status, json=said)

    async def scene():
        desk = Boss(BossConfig(), httpx.MockTransport(boss))
        try:
            return await desk.place(ORDER, give_up_s)
        finally:
            await desk.close()

    return asyncio.run(scene()), seen


ANSWERS = [
    ([201], "done"),
    ([200], "done"),
    ([404], "refused"),
    ([409], "refused"),
    ([503, 429, 201], "done"),
    ([httpx.ConnectError("no"), httpx.ReadTimeout("slow"), 200], "done"),
    ([(200, "<html>"), (200, {"accounts": []}), 201], "done"),
    ([(200, {"msisdn": "8613900000009", "offer": "another's"}), 201], "done"),
]


@pytest.mark.parametrize(("answers", "state"), ANSWERS)
def test_an_order_is_repeated_word_for_word(answers, state):
    n = len(answers)
    done, seen = place(list(answers))
    assert (done.state, done.order_id) == (state, ORDER.order_id)
    assert ORDER.offer in done.answer
    assert len(seen) == n
    assert len(set(seen)) == 1


def test_patience_ends():
    with pytest.raises(BossError, match="HTTP 500"):
        place([500] * 50, give_up_s=0.3)


def test_conversations():
    talk = Conversations()
    one = SentContact("c1", "a", "o", "1008601", "86139")
    two = SentContact("c2", "b", "p", "1008602", "86139")
    talk.sent(one, ("c1.1", "c1.2"))
    talk.sent(two, ("c2.1",))
    assert talk.answered("86139", "1008601") is one
    assert talk.answered("86139", "1008609") is None
    assert [m for m, _ in talk.pending("86139")] == ["c1.1", "c1.2", "c2.1"]
    assert [talk.done("c1.1", 7), talk.done("c1.1"), talk.done("x")] == [one, None, None]
    assert (one.ended_us, one.open_messages) == (7, {"c1.2"})
    assert [m for m, _ in talk.pending("86139")] == ["c1.2", "c2.1"]
    assert talk.done("c1.2")
    assert talk.pending("other") == []
    assert talk.answered("86139", "1008601") is one, "still answered after all parts came"
