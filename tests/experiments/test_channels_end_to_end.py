"""Campaigns by MMS and WAP push in a whole small study: what handsets have seen is what was meant."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    """One day of 800 people with two of the shipped campaigns.

    The new handset comes once in a long while, so its campaign has the moment of switching on here; that it
    is triggered when a handset is new stands in test_campaigns_of_j12.
    """
    folder = tmp_path_factory.mktemp("scenarios")
    shutil.copytree(SCENARIOS, folder, dirs_exist_ok=True)
    world = yaml.safe_load((folder / "worlds" / "town.yaml").read_text(encoding="utf-8"))
    world |= {"world": "hamlet", "subscribers": 800}
    world["habits"]["nightly_off_share"] = 0.9
    (folder / "worlds" / "hamlet.yaml").write_text(yaml.safe_dump(world), encoding="utf-8")
    path = folder / "campaigns" / "new-mms-handset.yaml"
    shipped = path.read_text(encoding="utf-8")
    assert "behaviour: imei_changed" in shipped
    path.write_text(shipped.replace("behaviour: imei_changed", "behaviour: power_on"), encoding="utf-8")
    study = yaml.safe_load((folder / "studies" / "demo.yaml").read_text(encoding="utf-8"))
    offers = [{"name": name, "logit": 1.5} for name in ("wap-pack", "mms-pack")]
    names = ("waiting-wap", "new-mms-handset")
    study |= {
        "study": "channels", "world": "../worlds/hamlet.yaml", "days": 1, "live": None, "tick_s": 30,
        "arms": ["precise"], "offers": offers,
        "campaigns": [f"../campaigns/{name}.yaml" for name in names],
    }  # fmt: skip
    study.pop("capture")
    path = folder / "studies" / "channels.yaml"
    path.write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "experiments.cli", "run", str(path), "--out", str(folder / "runs")]
    done = subprocess.run(
        [*command, "--transport", "memory"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "runs" / "channels").iterdir()
    assert json.loads((run / "summary.json").read_text())["valid"] is True
    return run / "arms" / "precise"


def rows(path):
    return pq.read_table(path).to_pylist()


def test_handsets_saw_pictures_and_links_by_their_own_channels(arm):
    parts = rows(arm / "parts.parquet")
    seen = Counter((part["source"], part["channel"]) for part in parts)
    assert seen["1008605", "wap"] > 5
    assert seen["1008607", "mms"] > 5
    assert set(seen) == {("1008605", "wap"), ("1008607", "mms")}
    links = {part["text"] for part in parts if part["channel"] == "wap" and part["text"]}
    assert all(text.endswith(" http://wap.kairos.example/news") for text in links)
    assert {part["parts"] for part in parts if part["channel"] == "mms"} == {1}
    said = ("新手机，新玩法 恭喜换了新手机", "Your new handset Your new handset sends pictures")
    assert all(part["text"].startswith(said) for part in parts if part["channel"] == "mms")
    assert all("-" in part["cell"] for part in parts)


def test_who_saw_them_has_a_handset_that_can_and_nobody_was_counted_twice(arm):
    contacts = rows(arm / "contacts.parquet")
    assert {contact["channel"] for contact in contacts} == {1, 2}
    assert Counter(c["offer"] for c in contacts).keys() == {"wap-pack", "mms-pack"}
    assert max(Counter((c["sub"], c["offer"]) for c in contacts).values()) == 1
    per_person = Counter(contact["sub"] for contact in contacts)
    assert max(per_person.values()) <= 2


def test_the_ledger_knows_channel_and_delivery_of_each(arm):
    ledger = rows(arm / "platform" / "ledger.parquet")
    received = Counter((part["msisdn"], part["source"]) for part in rows(arm / "contacts.parquet"))
    delivered = Counter((row["msisdn"], row["originator"]) for row in ledger if row["state"] == "delivered")
    assert delivered == received
    assert {row["channel"] for row in ledger} == {"wap", "mms"}
    triggers = [row for row in rows(arm / "platform" / "triggers.parquet") if row["state"] == "sent"]
    assert Counter(row["channel"] for row in triggers) == Counter(row["channel"] for row in ledger)


def test_replies_to_pictures_and_links_become_orders(arm):
    orders = rows(arm / "orders.parquet")
    assert {order["channel"] for order in orders} >= {"mms"}
    assert all(order["channel"] in ("mms", "wap", "organic") for order in orders)
