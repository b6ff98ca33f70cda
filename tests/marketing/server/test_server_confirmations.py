"""Orders confirmed by a whole platform: once, by a sender of their own, inside the law of the policy file."""

import pytest
import yaml

DAY = "2009-03-02"
CODES = {"codes": {"internal": "100860", "external": "10657", "confirmations": "10086"}}


@pytest.fixture
def begin(town, tmp_path, platform):
    """A platform whose hotline campaign confirms orders; started again in its folder with `again`."""
    folder = tmp_path / "confirming"
    folder.mkdir()
    shipped = yaml.safe_load((town.SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text(encoding="utf-8"))
    shipped["reply"]["confirmation"] = {"zh": "您已开通{offer}", "en": "{offer} is open"}
    (folder / "hang-up.yaml").write_text(yaml.safe_dump(shipped, allow_unicode=True), encoding="utf-8")

    def make(**policy):
        rules = yaml.safe_load((town.SCENARIOS / "policies" / "default.yaml").read_text(encoding="utf-8"))
        (folder / "policy.yaml").write_text(yaml.safe_dump(rules | policy), encoding="utf-8")
        keys = {"campaigns": (str(folder / "hang-up"),), "policy": "policy.yaml", "channels": CODES}
        return platform(folder=folder, **keys)

    return make


def contact(one, town, until="10:00:05", called="10:00:03", sub=1):
    one.tick(
        f"{DAY} {until}",
        {"t": f"{DAY} {called}", "sub": sub, "kind": "call_ended", "role": 1, "peer": b"10086"},
    )


def sent(one):
    return [(source, text) for _, source, text in one.centre.texts()]


def answer(one, town, at, text="1", number="1008603", sub=1):
    one.centre.reply(town.msisdn(sub), number, text, town.at(f"{DAY} {at}"))


def confirmations(one):
    from marketing.contact.ledger import Ledger
    from marketing.contact.schema import confirmation

    ledger = Ledger(one.config.ledger.url, cap=2)
    rows = {row["contact_id"]: row["state"] for row in ledger.rows(confirmation)}
    ledger.close()
    return rows


def test_an_order_is_confirmed_at_once_and_once_by_its_own_sender(town, begin):
    one = begin()
    contact(one, town)
    answer(one, town, "10:02:00")
    answer(one, town, "10:02:30")  # a second time
    one.tick(f"{DAY} 10:05:00")
    answer(one, town, "10:06:00", number="100860")  # and once more, to the bare code
    one.tick(f"{DAY} 10:10:00")
    assert [order["offer"] for order in one.orders] == ["e-bill"]
    texts = sent(one)
    assert [source for source, _ in texts] == ["1008603", "10086"]
    assert texts[1][1] == "您已开通e-bill"
    assert one.stop() == 0
    (entry,) = one.records().ledger  # a confirmation is no contact
    assert confirmations(one) == {entry["contact_id"]: "submitted"}


def test_what_boss_refuses_is_not_confirmed(town, begin):
    one = begin()
    one.boss_answers = [409]
    contact(one, town)
    answer(one, town, "10:02:00")
    one.tick(f"{DAY} 10:05:00")
    assert [source for source, _ in sent(one)] == ["1008603"]
    assert one.stop() == 0
    assert confirmations(one) == {}


def test_at_night_a_confirmation_comes_at_once_where_the_policy_lets_it(town, begin):
    one = begin(confirmations="always")
    contact(one, town)
    answer(one, town, "22:30:00")
    one.tick(f"{DAY} 22:31:00")
    assert [source for source, _ in sent(one)] == ["1008603", "10086"]
    one.stop()


def test_at_night_it_waits_for_the_morning_where_confirmations_are_as_contacts(town, begin):
    one = begin(confirmations="as_contacts")
    contact(one, town)
    answer(one, town, "22:30:00")
    one.tick(f"{DAY} 22:31:00")
    assert [order["offer"] for order in one.orders] == ["e-bill"]  # the order itself does not wait
    assert [source for source, _ in sent(one)] == ["1008603"]
    one.tick("2009-03-03 08:59:59")
    assert len(sent(one)) == 1
    one.tick("2009-03-03 09:00:01")
    assert [source for source, _ in sent(one)] == ["1008603", "10086"]
    one.tick("2009-03-03 09:10:00")
    assert len(sent(one)) == 2
    one.stop()
    assert list(confirmations(one).values()) == ["submitted"]


def test_a_restart_keeps_what_waits_and_says_nothing_twice(town, begin):
    one = begin(confirmations="as_contacts")
    contact(one, town)
    answer(one, town, "22:30:00")
    one.tick(f"{DAY} 22:31:00")
    assert one.stop() == 0
    said = []
    for _ in range(2):  # the second finds nothing to say any more
        again = begin(confirmations="as_contacts")
        again.tick("2009-03-03 09:00:01")
        again.tick("2009-03-03 09:10:00")
        said += [source for source, _ in sent(again)]
        again.stop()
    assert said == ["10086"]


def test_whoever_has_opted_out_meanwhile_hears_nothing_as_contacts(town, begin):
    one = begin(confirmations="as_contacts")
    contact(one, town)
    answer(one, town, "22:30:00")
    one.tick(f"{DAY} 22:31:00")
    answer(one, town, "22:40:00", "TD", "100860")
    one.tick("2009-03-03 09:00:01")
    assert [source for source, _ in sent(one)] == ["1008603"]
    one.stop()
    assert list(confirmations(one).values()) == ["suppressed"]


def test_metrics_count_them_apart(town, begin):
    one = begin()
    contact(one, town)
    answer(one, town, "10:02:00")
    one.tick(f"{DAY} 10:05:00")
    text = one.server.metrics.text().decode()
    assert 'kairos_confirmations_total{state="submitted"} 1.0' in text
    assert text.count("kairos_confirmations_total{") == 1
    one.stop()
