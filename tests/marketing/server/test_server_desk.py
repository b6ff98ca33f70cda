"""Hall, hotline and web ask a whole platform for offers: one contact each, answers once and for all."""

import httpx
import pytest
import yaml

MORNING = 34_200.0  # half past nine
LIVE = {"clock": {"mode": "live", "epoch": "2009-03-02T00:00:00", "start_s": MORNING, "factor": 1.0}}


@pytest.fixture
def desk(town, tmp_path, platform):
    """A platform of three campaigns at desks; `get` and `say` by HTTP. Started again in its folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    offers = (
        ("newspaper", 5, ["hall", "hotline"], "{brand|您}，来一份手机报？"),
        ("roaming", 20, ["hall", "web"], "漫游套餐，每月10元。"),
        ("elders", 30, ["hall"], "孝心卡。"),
    )
    for number, (name, priority, channels, script) in enumerate(offers):
        values = {
            "campaign": name, "title": name, "mode": "desk", "channels": channels, "offer": f"{name}-pack",
            "content": {"zh": script}, "originator": f"100860{number + 1}", "priority": priority,
        }  # fmt: skip
        if name == "elders":
            values["audience"] = 'profile.brand == "silver"'
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    rules = yaml.safe_load((town.SCENARIOS / "policies" / "default.yaml").read_text(encoding="utf-8"))

    def make(desks=("hall", "hotline", "web"), campaigns=("newspaper", "roaming", "elders"), **policy):
        (folder / "policy.yaml").write_text(yaml.safe_dump(rules | policy), encoding="utf-8")
        one = platform(
            folder=folder, mode="live", campaigns=tuple(str(folder / name) for name in campaigns),
            policy="policy.yaml", channels={"desks": list(desks)}, **LIVE,
        )  # fmt: skip
        url, headers = one.door
        client = httpx.Client(base_url=url, headers=headers, trust_env=False)

        def get(sub=1, where="hall", **other):
            return client.get("/desk/offer", params={"msisdn": town.msisdn(sub), "desk": where, **other})

        def say(contact_id, answer):
            return client.post("/desk/answer", json={"contact_id": contact_id, "answer": answer})

        one.get, one.say, one.client = get, say, client
        return one

    return make


def test_the_worthiest_offer_that_fits_is_reserved_and_shown_with_its_script(desk, town):
    one = desk()
    answer = one.get()
    assert answer.status_code == 200, answer.text
    found = answer.json()
    contact_id = found.pop("contact_id")
    assert found == {
        "offer": "roaming-pack", "campaign": "roaming", "title": "roaming", "script": "漫游套餐，每月10元。",
        "again": False, "customer": {"brand": "gotone", "language": "zh"},
        "answers": ["accept", "refuse", "think"],
    }  # fmt: skip
    assert one.get(where="web").json()["contact_id"] == contact_id  # two screens, one contact
    assert one.get(sub=2, where="hotline").json()["script"] == "gotone，来一份手机报？"
    one.client.close()
    one.stop()
    ledger = {row["contact_id"]: row for row in one.records().ledger}
    assert len(ledger) == 2
    assert (ledger[contact_id]["channel"], ledger[contact_id]["state"]) == ("hall", "submitted")
    assert {row["channel"] for row in one.records().triggers} == {"hall", "hotline"}
    assert not one.centre.submits


def test_an_offer_accepted_is_ordered_at_boss_once(desk):
    one = desk()
    contact_id = one.get().json()["contact_id"]
    assert one.say(contact_id, "accept").json() == {
        "contact_id": contact_id,
        "answer": "accept",
        "already": False,
    }
    assert one.say(contact_id, "accept").json()["already"] is True
    refused = one.say(contact_id, "refuse")
    assert (refused.status_code, refused.json()["detail"]) == (409, "the answer was accept, and stays so")
    one.until(lambda: one.orders)
    assert [(o["order_id"], o["offer"], o["channel"]) for o in one.orders] == [
        (contact_id, "roaming-pack", "hall")
    ]
    # The next visit: another offer, since this one has been made lately.
    assert one.get().json()["campaign"] == "newspaper"
    one.client.close()
    one.stop()
    (row,) = [row for row in one.records().ledger if row["contact_id"] == contact_id]
    assert row["state"] == "delivered"


def test_who_thinks_about_it_is_offered_the_same_again_without_another_contact(desk):
    one = desk()
    contact_id = one.get().json()["contact_id"]
    assert one.say(contact_id, "think").status_code == 200
    one.client.close()
    one.stop()
    again = desk()  # at another day's visit, after a restart
    found = again.get(where="hotline").json()
    assert (found["contact_id"], found["again"]) == (contact_id, True)
    assert again.say(contact_id, "refuse").status_code == 200
    assert again.get().json()["contact_id"] != contact_id
    assert len(again.orders) == 0
    again.client.close()
    again.stop()
    assert len(again.records().ledger) == 2


def test_caps_and_hours_hold_at_desks_too(desk):
    one = desk(caps={"per_calendar_month": 1})
    contact_id = one.get().json()["contact_id"]
    one.say(contact_id, "refuse")
    assert one.get().json() == {"offer": None, "reason": "cap"}
    one.client.close()
    one.stop()
    at_night = desk(quiet_hours={"from": "09:00", "to": "18:00", "then": "drop"})
    assert at_night.get(sub=3).json() == {"offer": None, "reason": "quiet_hours"}
    at_night.client.close()
    at_night.stop()


def test_whoever_wants_no_marketing_is_offered_nothing_not_even_again(desk, town):
    one = desk()
    contact_id = one.get().json()["contact_id"]
    one.say(contact_id, "think")
    one.centre.reply(town.msisdn(1), "1008602", "TD", town.at("2009-03-02 09:30:00"))
    one.until(lambda: one.get().json()["offer"] is None)
    assert one.get().json()["reason"] == "do_not_disturb"
    one.client.close()
    one.stop()


WRONG = [
    (lambda one, town: one.get(sub=777), 404, "no customer"),
    (lambda one, town: one.get(where="web", msisdn="abc"), 422, "expected 5 to 15 digits"),
    (lambda one, town: one.get(where="cellar"), 422, "hall"),
    (lambda one, town: one.say("f" * 16, "accept"), 404, "no offer"),
    (lambda one, town: one.say("f" * 16, "perhaps"), 422, "accept"),
    (lambda one, town: one.say("x", "accept"), 422, "expected 16 of the digits"),
    (
        lambda one, town: httpx.get(one.door[0] + "/desk/offer", params={"msisdn": town.msisdn(1)}),
        401,
        "token",
    ),
]


def test_what_cannot_be_is_said_with_its_status(desk, town):
    one = desk()
    for ask, status, said in WRONG:
        answer = ask(one, town)
        assert answer.status_code == status, answer.text
        assert said in answer.text
    one.client.close()
    one.stop()
    other = desk(desks=("web",))
    answer = other.get(where="hall")
    assert (answer.status_code, answer.json()["detail"]) == (409, "desk 'hall' is not configured here: web")
    other.client.close()
    other.stop()
