"""What comes after a contact: follow-ups, and the arm of an experiment in the records."""

import shutil

import pytest
import yaml

from marketing.campaigns import load

DAY = "2009-03-02"
AFTER_S = 7200


def write(folder, name, **more):
    values = {
        "campaign": name,
        "title": "t",
        "offer": "o",
        "content": {"en": name},
        "reply": {"order": ["1"], "stop": ["TD"]},
        **more,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def campaigns(folder):
    folder.mkdir(exist_ok=True)
    follows = [{"after_s": AFTER_S, "campaign": "reminder"}]
    text, call = ({"begin": {"behaviour": kind}} for kind in ("sms_sent", "call_ended"))
    write(folder, "first", scene=text, originator="10086071", follow_ups=follows)
    write(folder, "reminder", mode="follow_up", originator="10086072")
    write(folder, "other", scene=call, originator="10086073")
    return str(folder)


def said(one):
    """(subscriber, campaign) -> how it ended."""
    return {(int(t["imsi"][-2:]), t["campaign"]): (t["state"], t["reason"]) for t in one.records().triggers}


def replied(one, town, sub, originator, text, t):
    assert one.centre.reply(town.msisdn(sub), originator, text, town.at(f"{DAY} {t}")) == 0


def begun(one, *subs):
    one.tick(f"{DAY} 10:00")
    one.tick(
        f"{DAY} 10:01",
        *({"t": f"{DAY} 10:00:10", "sub": sub, "kind": "sms_sent"} for sub in subs),
        {"t": f"{DAY} 10:00:20", "sub": 5, "kind": "call_ended"},
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_follow_up_comes_where_nothing_was_answered(town, platform, tmp_path, workers):
    one = platform(workers=workers, campaigns=(), campaigns_dir=campaigns(tmp_path / "c"))
    begun(one, 1, 2, 3, 4, 5)
    replied(one, town, 2, "10086071", "1", "10:05")  # orders
    replied(one, town, 3, "10086071", "what is this", "10:06")  # answers, whatever it means
    replied(one, town, 4, "10086071", "TD", "10:07")  # ends all
    replied(one, town, 5, "10086073", "TD", "10:08")  # answers another campaign, and ends all
    one.tick(f"{DAY} 10:10")
    one.tick(f"{DAY} 12:00:09")
    assert len(one.centre.submits) == 6
    one.tick(f"{DAY} 12:00:11")
    one.tick(f"{DAY} 20:00")
    assert one.stop() == 0
    sent = ("sent", "")
    assert said(one) == {
        **{(sub, "first"): sent for sub in range(1, 6)},
        (5, "other"): sent,
        (1, "reminder"): sent,
        (5, "reminder"): ("suppressed", "do_not_disturb"),
    }
    assert [s.destination_addr for s in one.centre.submits[6:]] == [town.msisdn(1)]
    (reminder,) = [t for t in one.records().triggers if t["campaign"] == "reminder" and t["state"] == "sent"]
    (first,) = [t for t in one.records().triggers if t["contact_id"] and t["imsi"] == reminder["imsi"]][:1]
    assert reminder["t_us"] == first["decided_us"] + AFTER_S * 1_000_000
    assert reminder["timer"]


def test_nothing_follows_a_contact_that_never_left(town, platform, tmp_path):
    one = platform(campaigns=(), campaigns_dir=campaigns(tmp_path / "c"))
    one.centre.answer = lambda body: 0x45  # ESME_RSUBMITFAIL
    begun(one, 1)
    one.centre.answer = None
    one.tick(f"{DAY} 20:00")
    one.stop()
    assert {campaign for _, campaign in said(one)} == {"first", "other"}


def test_follow_ups_survive_a_restart(town, platform, tmp_path):
    keys = {
        "campaigns": (),
        "campaigns_dir": campaigns(tmp_path / "c"),
        "state": {"dir": str(tmp_path / "state")},
        "ledger": {"url": f"sqlite:///{tmp_path}/ledger.db"},
    }
    first = platform(**keys)
    begun(first, 1, 2)
    replied(first, town, 2, "10086071", "no", "10:05")
    first.tick(f"{DAY} 10:10")
    assert first.stop() == 0
    second = platform(**keys)
    second.tick(f"{DAY} 10:20")
    replied(second, town, 5, "10086073", "1", "10:21")
    second.tick(f"{DAY} 12:00:11")
    second.tick(f"{DAY} 20:00")
    assert second.stop() == 0
    assert said(second) == {(1, "reminder"): ("sent", "")}


@pytest.mark.parametrize("workers", [(1, 1), (2, 3)])
def test_follow_ups_survive_a_kill_between_two_snapshots(town, platform, tmp_path, workers):
    """What a killed process leaves: its files as they were, without a last snapshot."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    folder = campaigns(tmp_path / "c")

    def keys(where):
        return {
            "campaigns": (),
            "campaigns_dir": folder,
            "state": {"dir": str(where / "state")},
            "ledger": {"url": f"sqlite:///{where}/ledger.db"},
        }

    first = platform(**keys(before), workers=workers[0])
    begun(first, 1, 2, 3)
    replied(first, town, 2, "10086071", "no", "10:05")
    first.tick(f"{DAY} 10:10")
    shutil.copytree(before, after)
    first.stop()
    with next((after / "state").glob("told-*.jsonl")).open("ab") as told:
        told.write(b'["answered", "86139')  # cut off
    second = platform(**keys(after), workers=workers[1])
    assert second.server.resumed.not_sent == 0
    second.tick(f"{DAY} 10:20")
    replied(second, town, 3, "10086071", "1", "10:21")
    second.tick(f"{DAY} 20:00")
    assert second.stop() == 0
    assert {end for end in said(second).items() if end[0][1] == "reminder"} == {
        ((1, "reminder"), ("sent", ""))
    }
    assert len(second.centre.submits) == 1


def test_every_trigger_says_its_arm(town, platform, tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    keys = {"arms": {"warm": 0.4, "cool": 0.3, "control": 0.3}, "salt": "s", "hold_out": 0.2}
    text, call = ({"begin": {"behaviour": kind}} for kind in ("sms_sent", "call_ended"))
    dealt = load(write(folder, "dealt", scene=text, originator="10086071", experiment=keys))
    write(folder, "plain", scene=call, originator="10086072")
    one = platform(campaigns=(), campaigns_dir=str(folder))
    one.tick(f"{DAY} 10:00")
    rows = ({"t": f"{DAY} 10:00:10", "sub": sub, "kind": "sms_sent"} for sub in range(20))
    one.tick(f"{DAY} 10:01", *rows, {"t": f"{DAY} 10:00:20", "sub": 1, "kind": "call_ended"})
    one.stop()
    found = {(t["imsi"], t["campaign"]): t for t in one.records().triggers}
    arms = set()
    for (imsi, campaign), trigger in found.items():
        assert trigger["arm"] == (dealt.arm(imsi) if campaign == "dealt" else "")
        if campaign == "dealt":
            arms.add(trigger["arm"])
            kept = trigger["arm"] in ("control", "hold_out")
            assert (trigger["state"], trigger["reason"]) == (
                ("suppressed", "experiment") if kept else ("sent", "")
            )
    assert arms == {"warm", "cool", "control", "hold_out"}
    assert len(found) == 21
