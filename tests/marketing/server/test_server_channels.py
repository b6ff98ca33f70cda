"""Contacts of a whole platform by channels other than short messages: links, files, and what comes back."""

import csv
import json

import pytest
import yaml

from smpp.push import read as read_push
from smpp.text import Reassembler

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}
TERMINALS = (
    "tac,model,maker,gprs,edge,wap,mms,java,price_class,year\n"
    "35000001,Smart,Baihe,true,false,true,true,false,high,2006\n"
    "35000002,Plain,Baihe,false,false,false,false,false,low,2003\n"
)


@pytest.fixture
def begin(town, tmp_path, platform):
    """A platform with the hotline campaign, its channels changed; half of the people have smart handsets."""
    folder = tmp_path / "channels"
    folder.mkdir()
    (folder / "terminals.csv").write_text(TERMINALS)
    people = ["imsi,msisdn,brand,language,terminal"]
    people += [
        f"{town.imsi(i):015d},{town.msisdn(i)},gotone,zh,Baihe {'Smart' if i % 2 else 'Plain'}"
        for i in range(20)
    ]

    def make(channels, keys=None, mode="lockstep", **campaign):
        shipped = yaml.safe_load(
            (town.SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text(encoding="utf-8")
        )
        shipped |= {"channels": channels, **campaign}
        (folder / "hang-up.yaml").write_text(yaml.safe_dump(shipped, allow_unicode=True), encoding="utf-8")
        (folder / "smart.csv").write_text("\n".join(people) + "\n")
        return platform(
            folder=folder, mode=mode, campaigns=(str(folder / "hang-up"),), subscribers="smart.csv",
            terminals="terminals.csv", channels=keys or {},
        )  # fmt: skip

    return make


def call(one, town, until, *subs):
    one.tick(f"{DAY} {until}", *({"t": f"{DAY} 10:00:03", "sub": sub, **CALL} for sub in subs))


def test_a_link_goes_to_handsets_that_show_it_and_words_to_the_others(town, begin):
    wap = {"url": "http://wap.kairos.example/bill", "title": {"zh": "手机账单"}}
    one = begin(["wap", "sms"], wap=wap)
    call(one, town, "10:00:05", 1, 2, 3)
    by_person = {s.destination_addr: s for s in one.centre.submits}
    pushed = {m for m, s in by_person.items() if s.data_coding == 4}
    assert pushed == {town.msisdn(1), town.msisdn(3)}
    whole = Reassembler().add_octets(
        "a", "b", by_person[town.msisdn(1)].esm_class, 4, by_person[town.msisdn(1)].short_message, 0.0
    )
    content = read_push(whole.data).content
    assert (content.text, content.href) == ("手机账单", "http://wap.kairos.example/bill")
    one.stop()
    assert {(row["msisdn"], row["channel"]) for row in one.records().ledger} == {
        (town.msisdn(1), "wap"), (town.msisdn(2), "sms"), (town.msisdn(3), "wap"),
    }  # fmt: skip


def test_where_no_channel_will_do_the_trigger_says_so(town, begin):
    one = begin(["wap"], wap={"url": "http://wap.kairos.example/", "title": {"zh": "看"}})
    call(one, town, "10:00:05", 1, 2)
    one.stop()
    assert sorted((r["state"], r["reason"], r["channel"]) for r in one.records().triggers) == [
        ("sent", "", "wap"), ("suppressed", "no_channel", ""),
    ]  # fmt: skip


def test_what_is_not_configured_is_passed_over(town, begin):
    one = begin(["outbound", "sms"])
    call(one, town, "10:00:05", 1)
    assert [s.data_coding for s in one.centre.submits] == [8]
    one.stop()
    (row,) = one.records().ledger
    assert row["channel"] == "sms"


def files_of(one):
    return one.folder / "desks" / "outbound"


def lines(one):
    found = []
    for path in sorted((files_of(one) / "out").glob("outbound-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    return found


def results(one, name, *rows):
    text = "contact_id,result,t\n" + "".join(f"{','.join(row)}\n" for row in rows)
    (files_of(one) / "in" / name).write_text(text, encoding="utf-8")


def test_contacts_in_a_file_are_reserved_and_settled_once_each_and_orders_placed(town, begin):
    one = begin(["outbound"], {"files": {"dir": "desks", "channels": ["outbound"]}})
    call(one, town, "10:00:05", 1, 2, 3)
    out = sorted(lines(one), key=lambda row: row["msisdn"])
    assert [row["msisdn"] for row in out] == [town.msisdn(n) for n in (1, 2, 3)]
    assert {row["offer"] for row in out} == {"e-bill"}
    assert not one.centre.submits
    first, second, third = (row["contact_id"] for row in out)
    results(
        one, "a.csv", (first, "accepted", f"{DAY}T10:02:00"), (second, "not_reached", f"{DAY}T10:03:00"),
        (first, "accepted", f"{DAY}T10:04:00"), ("0" * 16, "accepted", f"{DAY}T10:04:00"),
    )  # fmt: skip
    one.tick(f"{DAY} 10:05:00")
    results(one, "b.csv", (first, "accepted", f"{DAY}T10:06:00"), (third, "stop", f"{DAY}T10:06:00"))
    one.tick(f"{DAY} 10:10:00")
    assert [(o["order_id"], o["channel"]) for o in one.orders] == [(first, "outbound")]
    report = json.loads((files_of(one) / "done" / "a.report.json").read_text())
    assert (report["settled"], report["duplicates"], report["unknown"]) == (2, 1, ["0" * 16])
    # Who has said stop is left alone from then on.
    one.tick(f"{DAY} 10:11:00", {"t": f"{DAY} 10:10:30", "sub": 3, **CALL})
    assert len(lines(one)) == 3
    one.stop()
    states = {row["contact_id"]: row["state"] for row in one.records().ledger}
    assert states == {first: "delivered", second: "failed", third: "delivered"}
    assert {row["channel"] for row in one.records().ledger} == {"outbound"}
    assert one.records().triggers[-1]["reason"] == "do_not_disturb"


def test_results_that_come_after_a_restart_are_still_understood(town, begin):
    keys = {"files": {"dir": "desks", "channels": ["outbound"]}}
    one = begin(["outbound"], keys)
    call(one, town, "10:00:05", 1)
    (row,) = lines(one)
    one.stop()
    again = begin(["outbound"], keys)
    results(again, "late.csv", (row["contact_id"], "accepted", f"{DAY}T10:30:00"))
    again.tick(f"{DAY} 10:31:00")
    assert [o["order_id"] for o in again.orders] == [row["contact_id"]]
    again.stop()
    assert [row["state"] for row in again.records().ledger] == ["delivered"]
