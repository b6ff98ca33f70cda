"""The table of procedures names rules and messages that exist, and counts them."""

from experiments.procedures import PROCEDURES, message_names, procedure_table
from sigtran.m3ua import DataMessage, encode
from sim.bssap.procedures import LADDERS, Params, ladder
from sim.network.visible import RULES


def messages(kind, **options):
    return [encode(DataMessage(257, 1, 3, 2, 5, step.payload)) for step in ladder(kind, Params(**options))]


def test_every_rule_and_message_of_the_table_exists():
    rules = {rule.name for rule in RULES}
    names = {name for kind in LADDERS for octets in messages(kind) for name in message_names(octets)}
    names |= {
        name for octets in messages("mo_call_answered", handover=True) for name in message_names(octets)
    }
    names |= {name for octets in messages("lu_normal", ask_identity=True) for name in message_names(octets)}
    for procedure in PROCEDURES:
        assert set(procedure.rules) <= rules, procedure.name
        assert not procedure.message or procedure.message in names, procedure.name
        assert bool(procedure.rules) != bool(procedure.message)


def test_it_counts():
    table = procedure_table(
        [*messages("detach"), *messages("mo_sms")], ["detach", "submit_acknowledged", "other"]
    )
    counts = {row["name"]: row["n"] for row in table}
    assert counts["IMSI detach"] == 1
    assert counts["SMS sent"] == 1
    assert counts["channel release"] >= 1
    assert counts["call made: answered"] == 0


def test_rubbish_is_said_and_not_raised():
    assert message_names(b"\x01\x00\x01\x01\x00\x00\x00\x08")[0].startswith("not decoded")
