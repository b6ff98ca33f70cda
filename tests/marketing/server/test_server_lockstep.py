"""The server in lockstep: ticks in, contacts out, the same every time."""

import time

import pytest

from smpp.status import CommandStatus, MessageState

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}


def test_a_call_to_the_hotline_becomes_a_contact_an_order_and_records(town, platform):
    one = platform()
    one.tick(
        f"{DAY} 10:00:05",
        {"t": f"{DAY} 10:00:03", "sub": 1, "corr": 42, **CALL},
        {"t": f"{DAY} 10:00:04", "imsi": 0, "kind": "power_on"},
    )
    (submit,) = one.centre.submits
    assert (submit.source_addr, submit.destination_addr, submit.data_coding) == ("1008603", town.msisdn(1), 8)
    assert submit.registered_delivery == 1
    assert submit.validity_period == "090302080003000+"  # 16:00:03 in Shanghai
    message_id = one.server.dispatcher.conversations.pending(town.msisdn(1))[0][0]
    assert one.centre.receipt(message_id, town.at(f"{DAY} 10:00:20")) == CommandStatus.ESME_ROK
    assert (
        one.centre.reply(town.msisdn(1), "1008603", " y ", town.at(f"{DAY} 10:03:00"))
        == CommandStatus.ESME_ROK
    )
    assert one.orders == []
    one.tick(f"{DAY} 10:05:00")
    assert [(o["msisdn"], o["offer"], o["t_us"]) for o in one.orders] == [
        (town.msisdn(1), "e-bill", town.at(f"{DAY} 10:03:00"))
    ]
    assert one.stop() == 0
    records = one.records()
    (trigger,) = records.triggers
    assert (trigger["state"], trigger["corr"], trigger["timer"], trigger["held_until_us"]) == (
        "sent",
        42,
        False,
        0,
    )
    assert trigger["t_received_ns"] == trigger["t_submitted_ns"] == 0, "stamps mean nothing in lockstep"
    (entry,) = records.ledger
    assert (entry["state"], entry["contact_id"], entry["imsi"]) == (
        "delivered",
        trigger["contact_id"],
        trigger["imsi"],
    )
    assert one.orders[0]["order_id"] == entry["contact_id"]
    assert len(records.behaviours) == 2
    assert records.collector["received"] == 2


def test_long_texts_go_in_parts(town, platform):
    one = platform()
    one.tick(
        f"{DAY} 10:00:05",
        {"t": f"{DAY} 10:00:00", "sub": 2, "kind": "location_update", "cell": town.AIRPORT, "corr": 5},
    )
    one.tick(f"{DAY} 10:45:00")
    assert len(one.centre.submits) == 2
    ((number, sender, text),) = one.centre.texts()
    assert (number, sender) == (town.msisdn(2), "1008602")
    assert text.startswith("出门在外")
    assert one.stop() == 0
    (trigger,) = one.records().triggers
    assert (trigger["timer"], trigger["corr"], trigger["t_us"]) == (True, 5, town.at(f"{DAY} 10:45:00"))


def test_inputs_of_a_tick_apply_in_the_order_of_time(town, platform):
    """TD at 10:00:02: the call that ended at 10:00:01 is answered, the one at 10:00:03 is not."""
    for when, expected in (("10:00:01", "sent"), ("10:00:03", "suppressed")):
        one = platform()
        one.centre.reply(town.msisdn(1), "1008603", "TD", town.at(f"{DAY} 10:00:02"))
        one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} {when}", "sub": 1, **CALL})
        one.stop()
        (trigger,) = one.records().triggers
        # Even the earlier one is stopped at the last look: the answer came before it left.
        assert trigger["state"] == "suppressed"
        assert trigger["reason"] == "do_not_disturb"
        (entry,) = one.records().ledger or [None]
        assert (entry is not None) is (expected == "sent")
        assert entry is None or (entry["state"], entry["counted"]) == ("failed", False)


def test_opt_out_cancels_what_is_on_its_way_and_lasts(town, platform):
    one = platform()
    one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} 10:00:03", "sub": 1, **CALL})
    one.centre.reply(town.msisdn(1), "1008603", "ｔｄ", town.at(f"{DAY} 10:01:00"))
    one.tick(f"{DAY} 10:01:05")
    assert len(one.centre.cancels) == 1
    one.tick(f"{DAY} 11:00:00", {"t": f"{DAY} 10:59:59", "sub": 1, "kind": "power_on"})
    assert one.stop() == 0
    again = platform(ledger={"url": one.config.ledger.url})
    again.tick(
        f"{DAY} 12:00:00",
        {"t": f"{DAY} 11:59:59", "sub": 1, "kind": "power_on"},
        {"t": f"{DAY} 11:59:59", "sub": 2, "kind": "power_on"},
    )
    again.stop()
    assert [t["reason"] for t in one.records().triggers] == ["", "do_not_disturb"]
    assert [t["reason"] for t in again.records().triggers] == ["do_not_disturb", ""]


def test_holds_are_released_at_nine_or_end_held(town, platform):
    one = platform()
    one.tick(
        f"{DAY} 22:00:00",
        {"t": f"{DAY} 21:59:59", "sub": 1, "kind": "power_on"},
        {"t": f"{DAY} 21:59:59", "sub": 2, **CALL},
    )
    one.tick("2009-03-03 08:59:55")
    assert one.centre.submits == []
    one.tick("2009-03-03 09:00:00")
    assert [s.destination_addr for s in one.centre.submits] == [town.msisdn(1)]
    one.tick("2009-03-03 22:00:00", {"t": "2009-03-03 21:59:59", "sub": 3, "kind": "power_on"})
    assert one.stop() == 0
    triggers = {
        (t["msisdn"][-1], t["state"], t["reason"], t["held_until_us"]) for t in one.records().triggers
    }
    assert triggers == {
        ("1", "sent", "", town.at("2009-03-03 09:00:00")),
        ("2", "suppressed", "quiet_hours", 0),
        ("3", "held", "quiet_hours", town.at("2009-03-04 09:00:00")),
    }


def test_group_sending(town, platform, tmp_path):
    (tmp_path / "targets.csv").write_text(f"msisdn,day\n{town.msisdn(4)},\n{town.msisdn(3)},2\n")
    (tmp_path / "blanket.yaml").write_text(
        "campaign: blanket\ntitle: b\nmode: group\noffer: o\ncontent: {en: hi}\noriginator: '1008609'\n"
        "group: {at: 10:00, day: 1, targets: targets.csv}\n"
    )
    one = platform(campaigns=[str(tmp_path / "blanket").removesuffix(".yaml")])
    one.tick(f"{DAY} 09:59:55")
    assert one.centre.submits == []
    one.tick(f"{DAY} 10:00:00")
    assert [s.destination_addr for s in one.centre.submits] == [town.msisdn(4)]
    one.tick("2009-03-03 10:00:00")
    assert [s.destination_addr for s in one.centre.submits] == [town.msisdn(4), town.msisdn(3)]


def test_submissions_go_by_decision_time_then_contact_id(town, platform):
    one = platform()
    rows = [{"t": f"{DAY} 10:00:0{4 - i % 3}", "sub": i, "kind": "power_on"} for i in range(12)]
    one.tick(f"{DAY} 10:00:05", *rows)
    one.stop()
    ids = [
        t["contact_id"]
        for t in sorted(one.records().triggers, key=lambda t: (t["decided_us"], t["contact_id"]))
    ]
    from smpp.tlv import get_text

    assert [get_text(s.tlvs, "contact_id") for s in one.centre.submits] == ids


def test_refused_submissions_fail_and_free_their_slot(town, platform):
    one = platform()
    one.centre.answer = lambda body: CommandStatus.ESME_RINVDSTADR
    one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} 10:00:03", "sub": 1, **CALL})
    one.centre.answer = None
    one.tick(f"{DAY} 11:00:05", {"t": f"{DAY} 11:00:03", "sub": 1, **CALL})
    assert one.stop() == 0
    records = one.records()
    assert [t["state"] for t in records.triggers] == ["failed", "sent"]
    assert "ESME_RINVDSTADR" in records.triggers[0]["reason"]
    assert sorted(e["counted"] for e in records.ledger) == [False, True]


def test_orders_are_repeated_until_known(town, platform):
    one = platform()
    one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} 10:00:03", "sub": 1, **CALL})
    one.boss_answers = [503, 500, 201]
    one.centre.reply(town.msisdn(1), "1008603", "1", town.at(f"{DAY} 10:01:00"))
    one.centre.reply(town.msisdn(1), "1008603", "1", town.at(f"{DAY} 10:01:01"))
    one.centre.reply(town.msisdn(9), "1008603", "1", town.at(f"{DAY} 10:01:02"))
    one.centre.reply(town.msisdn(1), "1008603", "what?", town.at(f"{DAY} 10:01:03"))
    one.tick(f"{DAY} 10:02:00")
    assert [o["status"] for o in one.orders] == [503, 500, 201]
    assert len({o["order_id"] for o in one.orders}) == 1
    text = one.server.metrics.text().decode()
    for line in (
        'meaning="order"} 2',
        'meaning="unasked"} 1',
        'meaning="other"} 1',
        'kairos_orders_total{state="done"} 1',
    ):
        assert line in text


def test_expired_stays_counted(town, platform):
    one = platform()
    one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} 10:00:03", "sub": 1, **CALL})
    message_id = one.server.dispatcher.conversations.pending(town.msisdn(1))[0][0]
    one.centre.receipt(message_id, town.at(f"{DAY} 16:00:05"), MessageState.EXPIRED)
    one.tick(f"{DAY} 16:00:10")
    one.stop()
    (entry,) = one.records().ledger
    assert (entry["state"], entry["counted"], entry["settled_us"]) == (
        "expired",
        True,
        town.at(f"{DAY} 16:00:05"),
    )


def test_the_same_inputs_give_the_same_bytes(town, platform):
    digests = []
    for _ in range(2):
        one = platform()
        one.tick(
            f"{DAY} 10:00:05",
            *({"t": f"{DAY} 10:00:0{i % 5}", "sub": i, "kind": "power_on", "corr": i + 1} for i in range(15)),
        )
        one.centre.reply(town.msisdn(3), "1008601", "TD", town.at(f"{DAY} 10:00:07"))
        one.centre.reply(town.msisdn(4), "1008601", "1", town.at(f"{DAY} 10:00:07"))
        one.tick(
            f"{DAY} 10:00:10", *({"t": f"{DAY} 10:00:0{5 + i % 5}", "sub": i, **CALL} for i in range(15))
        )
        one.stop()
        digests.append({p.name: p.read_bytes() for p in one.config.records.dir.glob("*.parquet")})
    assert digests[0].keys() == {"triggers.parquet", "behaviours.parquet", "ledger.parquet"}
    assert digests[0] == digests[1]


@pytest.mark.parametrize("door", ["signalling", "smpp"])
def test_a_lost_door_ends_the_run_as_invalid(town, platform, door):
    one = platform()
    one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} 10:00:03", "sub": 1, **CALL})
    if door == "signalling":
        one.signalling.lose()
    else:
        one.centre.run(one.centre.server.close())
    one.thread.join(40)
    assert one.code == 3
    assert "lost" in one.server.reason
    assert [t["state"] for t in one.records().triggers] == ["sent"]


def test_a_tick_without_triggers_is_cheap(town, platform):
    """Processor time of the whole process, the test included; wall time is the machine's affair."""
    one = platform()
    second = 0

    def ticks(n):
        nonlocal second
        began = time.process_time()
        for _ in range(n):
            second += 5
            late, early = (
                f"{second // 60:02d}:{second % 60:02d}",
                f"{(second - 1) // 60:02d}:{(second - 1) % 60:02d}",
            )
            one.tick(f"{DAY} 10:{late}", {"t": f"{DAY} 10:{early}", "sub": 3, "kind": "sms_sent"})
        return (time.process_time() - began) / n

    ticks(20)
    assert min(ticks(40) for _ in range(8)) < 0.0015
    assert one.server.metrics.registry.get_sample_value("kairos_tick_seconds_count") == second / 5
