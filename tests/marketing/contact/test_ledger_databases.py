"""The ledger on SQLite and on PostgreSQL: the same grants, upgrades, and what a broken database leaves."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from marketing.contact.database import connect
from marketing.contact.guard import Guard
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
from marketing.contact.migrations import MIGRATIONS
from marketing.contact.schema import contact, last_contact, message, metadata, opt_out, order
from marketing.contact.writer import LedgerWriter

HERE = Path(__file__).parent
T = 1_238_464_800_000_000  # 2009-03-31 10:00 in Shanghai
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
CLASSES = {"credit": {"originators": ["1008605"]}, "data": {"originators": ["1008601"]}}


def wanted(number, imsi=1, at=T, originator="1008609", channels=1, valid_s=60, **more):
    day = 733_497 + (at - T + 10 * HOUR) // DAY
    values = {
        "contact_id": f"{number:016x}",
        "trigger_id": f"t{number}",
        "campaign": "alert",
        "originator": originator,
        "offer": "o",
        "imsi": imsi,
        "msisdn": 8613900000000 + imsi,
        "period": 200903 if day <= 733_497 else 200904,
        "day": day,
        "ordinal": 0,
        "decided_us": at,
        "valid_until_us": at + valid_s * SECOND,
        "latest_us": at + valid_s * SECOND,
        "channels": channels,
    }
    return Reservation(**values | more)


def states(ledger):
    return {row["contact_id"][-1]: (row["state"], row["counted"]) for row in ledger.rows(contact)}


def test_one_sql_path_for_both(ledger_url):
    """All that can be asked for once, with the same results."""
    ledger = Ledger(ledger_url, cap=2)
    asked = [wanted(n) for n in range(1, 5)] + [wanted(5, imsi=2)]
    assert ledger.apply(asked) == ["", "", "cap", "cap", ""]
    ids = [one.contact_id for one in asked]
    settled = [
        Settled(ids[0], "submitted", T + 5, message_ids=("m1", "m2")),
        Settled(ids[1], "failed", T + 5, counted=False, reason="refused"),
        Settled(ids[4], "unknown", T + 5),
    ]
    assert ledger.apply(settled) == [True] * 3
    done = [MessageDone("m1", "delivered", T + 9), MessageDone("m2", "delivered", T + 7)]
    assert ledger.apply([done[0]]) == [(ids[0], "submitted")]
    assert ledger.apply([done[1], MessageDone("m9", "failed", 1)]) == [(ids[0], "delivered"), None]
    assert ledger.apply([wanted(6), wanted(7), wanted(6)]) == ["", "cap", "duplicate"]
    ledger.apply([OptOut(1, 50, "a"), OptOut(1, 40, "b"), OrderWanted(ids[0], 1, "o", "sms", 7)])
    ledger.apply([OrderDone(ids[0], "done", "ok")])
    assert ledger.recover() == 1
    assert states(ledger) == {
        "1": ("delivered", True),
        "2": ("failed", False),
        "5": ("unknown", True),
        "6": ("unknown", True),
    }
    (first, *_) = ledger.rows(contact)
    assert (first["latest_us"], first["settled_us"], first["channels"]) == (T + 9, T + 9, 1)
    assert [row["since_us"] for row in ledger.rows(opt_out)] == [40]
    assert [row["state"] for row in ledger.rows(order)] == ["done"]
    assert [row["imsi"] for row in ledger.rows(last_contact)] == [1, 2], "one row a subscriber"
    assert [row["done_us"] for row in ledger.rows(message)] == [T + 9, T + 7]
    ledger.close()


# --------------------------------------------------------------------------- the last line of defence

DAILY = {"caps": {"per_calendar_month": 9, "rules": [{"most": 1, "per": "day"}]}}
WEEKLY = {"caps": {"per_calendar_month": 9, "rules": [{"most": 1, "per": "week"}]}}
ROLLING = {"caps": {"per_calendar_month": 9, "rules": [{"most": 1, "within_s": 3600}]}}
OF_DATA = {
    "classes": CLASSES,
    "caps": {"per_calendar_month": 9, "rules": [{"most": 1, "per": "month", "classes": ["data"]}]},
}
BY_MMS = {"caps": {"per_calendar_month": 9, "rules": [{"most": 1, "per": "month", "channels": ["mms"]}]}}
NEVER = {"classes": CLASSES, "not_after": [{"classes": ["credit"], "after": ["data"], "within_s": 600}]}
GAP = {"minimum_gap_s": 600}
MINUTE = 60 * SECOND
LAST = [
    # rules, first contact, the one asked for, what is said
    (DAILY, {}, {"at": T + 13 * HOUR}, "cap"),
    (DAILY, {}, {"at": T + 14 * HOUR}, ""),
    (WEEKLY, {}, {"at": T + 14 * HOUR}, "cap"),  # Wednesday after Tuesday
    (WEEKLY, {}, {"at": T + 6 * DAY - 10 * HOUR}, ""),
    (ROLLING, {}, {"at": T + MINUTE + HOUR - 1}, "cap"),
    (ROLLING, {}, {"at": T + MINUTE + HOUR}, ""),
    (GAP, {}, {"at": T + 11 * MINUTE - 1}, "gap"),
    (GAP, {}, {"at": T + 11 * MINUTE}, ""),
    (GAP, {"imsi": 2}, {"at": T}, ""),
    (OF_DATA, {"originator": "10086011"}, {"originator": "10086012"}, "cap"),
    (OF_DATA, {"originator": "10086011"}, {"originator": "10086051"}, ""),
    (BY_MMS, {"channels": 4}, {"channels": 5}, "cap"),
    (BY_MMS, {"channels": 4}, {"channels": 1}, ""),
    (NEVER, {"originator": "1008601"}, {"originator": "1008605", "at": T + 11 * MINUTE - 1}, "not_after"),
    (NEVER, {"originator": "1008601"}, {"originator": "1008605", "at": T + 11 * MINUTE}, ""),
    (NEVER, {"originator": "1008605"}, {"originator": "1008601", "at": T + MINUTE}, "not_after"),
    (NEVER, {"originator": "1008605"}, {"originator": "1008601", "at": T + MINUTE + 1}, ""),
]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("rules", "first", "then", "said"), LAST)
def test_the_ledger_refuses_by_itself(town, tmp_path, rules, first, then, said, together):
    """Without a look at what the policy has decided, in one group or in two."""
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db", cap=9, guard=Guard.of(town.policy_file(**rules)))
    one, other = wanted(1, **first), wanted(2, **then)
    found = ledger.apply([one, other]) if together else ledger.apply([one]) + ledger.apply([other])
    assert found == ["", said]
    ledger.close()


def test_the_ledger_refuses_alike_on_both(town, ledger_url):
    """Random contacts of a few people, in groups: what is granted never breaks a rule."""
    import numpy as np

    rules = {**ROLLING, "minimum_gap_s": 120, **{k: NEVER[k] for k in ("classes", "not_after")}}
    ledger = Ledger(ledger_url, cap=5, guard=Guard.of(town.policy_file(**rules)))
    rng, at, left = np.random.default_rng(4), T - 20 * DAY, []
    senders = ("1008609", "10086011", "10086051")
    for group in range(40):
        asked = []
        for n in range(6):
            at += int(rng.choice((0, 1, MINUTE, 10 * MINUTE, HOUR, 3 * HOUR)))
            one = wanted(group * 6 + n, int(rng.integers(2)), at, str(rng.choice(senders)), period=200903)
            asked.append(one)
        refusals = ledger.apply(asked)
        left += [one for one, refusal in zip(asked, refusals, strict=True) if not refusal]
        assert set(refusals) <= {"", "cap", "gap", "not_after"}
    assert len(left) > 3
    for imsi in (0, 1):
        mine = [one for one in left if one.imsi == imsi]
        assert len(mine) <= 5
        for before, after in pairwise(mine):
            assert after.decided_us - before.latest_us >= HOUR
    ledger.close()


def test_what_is_proven_unsent_or_received_early_frees_the_gap(town, tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db", cap=9, guard=Guard.of(town.policy_file(**GAP)))
    ledger.apply([wanted(1), Settled(wanted(1).contact_id, "failed", T, counted=False)])
    ledger.apply([wanted(2), Settled(wanted(2).contact_id, "submitted", T, message_ids=("a", "b"))])
    assert ledger.apply([wanted(3, at=T + 600 * SECOND)]) == ["gap"]
    ledger.apply([MessageDone("a", "failed", T)])  # the other part may still come
    assert ledger.apply([wanted(4, at=T + 600 * SECOND)]) == ["gap"]
    ledger.apply([MessageDone("b", "delivered", T)])
    assert ledger.apply([wanted(5, at=T + 600 * SECOND)]) == [""]
    ledger.close()


# --------------------------------------------------------------------------- versions


def old_database(path):
    """As the platform before versions left it, SIGKILLed: one contact reserved."""
    with sqlite3.connect(path) as made:
        made.executescript((HERE / "ledgers" / "version-1.sql").read_text())
    made.close()


def test_an_older_database_is_upgraded_and_loses_nothing(town, tmp_path):
    old_database(tmp_path / "l.db")
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db", cap=2, guard=Guard.of(town.policy_file(**GAP)))
    assert ledger.recover() == 1
    rows = {row["contact_id"][-1]: row for row in ledger.rows(contact)}
    assert {n: row["state"] for n, row in rows.items()} == {
        "1": "delivered",
        "2": "submitted",
        "3": "failed",
        "4": "unknown",
        "5": "expired",
        "6": "unknown",
    }
    latest = {n: row["latest_us"] - row["decided_us"] for n, row in rows.items()}
    undecided = 6 * HOUR + MINUTE
    assert latest["1"] == 12 * SECOND
    assert latest["5"] == 6 * HOUR
    assert {latest[n] for n in "246"} == {undecided}
    assert {row["channels"] for row in rows.values()} == {1}
    done = {row["message_id"]: max(row["done_us"] - T, 0) for row in ledger.rows(message)}
    assert done == {"m1": 12 * SECOND, "m2": 12 * SECOND, "m3": 0, "m5": 6 * HOUR}
    # What counted counts, and what was under way comes home.
    assert ledger.apply([wanted(7, imsi=1), wanted(8, imsi=2, at=T)]) == ["cap", ""]
    assert ledger.apply([wanted(9, imsi=3, at=T + undecided)]) == ["gap"]
    assert ledger.apply([MessageDone("m3", "delivered", T + 99 * SECOND)]) == [(f"{2:016x}", "delivered")]
    ledger.close()
    again = Ledger(f"sqlite:///{tmp_path}/l.db", cap=2)
    assert len(list(again.rows(contact))) == 7
    again.close()


def shape(engine):
    tables = sa.inspect(engine)
    columns = {
        name: [(c["name"], str(c["type"]), c["nullable"]) for c in tables.get_columns(name)]
        for name in tables.get_table_names()
    }
    keys = {name: tables.get_pk_constraint(name)["constrained_columns"] for name in columns}
    indexes = {
        name: sorted((i["name"], *i["column_names"]) for i in tables.get_indexes(name)) for name in columns
    }
    return columns, keys, indexes


def test_upgraded_and_fresh_databases_are_what_the_schema_says(tmp_path):
    old_database(tmp_path / "old.db")
    made = sa.create_engine(f"sqlite:///{tmp_path}/plain.db")
    metadata.create_all(made)
    expected = shape(made)
    made.dispose()
    for name in ("old.db", "fresh.db"):
        engine = connect(f"sqlite:///{tmp_path}/{name}")
        assert shape(engine) == expected
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SELECT version FROM schema_version").scalar_one()
        assert version == len(MIGRATIONS)
        engine.dispose()


def test_a_newer_database_is_left_alone(ledger_url):
    Ledger(ledger_url, cap=2).close()
    engine = connect(ledger_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    engine.dispose()
    with pytest.raises(LedgerError, match=r"version 99, written by a newer platform.*knows up to"):
        Ledger(ledger_url, cap=2)


def test_an_upgrade_that_fails_leaves_the_old_database(tmp_path, monkeypatch):
    old_database(tmp_path / "l.db")
    steps = (
        *MIGRATIONS,
        ("ALTER TABLE contact ADD COLUMN good INTEGER", "ALTER TABLE nowhere ADD COLUMN x INTEGER"),
    )
    monkeypatch.setattr("marketing.contact.migrations.MIGRATIONS", steps)
    with pytest.raises(LedgerError, match="nowhere"):
        Ledger(f"sqlite:///{tmp_path}/l.db", cap=2)
    with sqlite3.connect(tmp_path / "l.db") as found:
        names = [row[1] for row in found.execute("PRAGMA table_info(contact)")]
        assert not found.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchall()
    found.close()
    assert "latest_us" not in names
    assert "good" not in names


UNREACHABLE = [
    ("postgresql://kairos:secret@127.0.0.1:1/none", "refused|failed"),
    ("postgresql+nothing://kairos:secret@127.0.0.1:1/none", "nothing"),
]


@pytest.mark.parametrize(("url", "said"), UNREACHABLE)
def test_a_server_that_is_not_there_is_told_without_its_password(url, said):
    pytest.importorskip("psycopg")
    with pytest.raises(LedgerError, match=said) as error:
        Ledger(url, cap=1)
    assert "secret" not in str(error.value)


# --------------------------------------------------------------------------- what breaks


def test_a_full_database_grants_nothing_and_serves_again(tmp_path):
    """Nothing is granted that is not written; with room it goes on, and what counted counts."""
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db", cap=1)
    with ledger._connection.begin():
        pages = ledger._connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        ledger._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
    granted, refused = [], []
    for group in range(60):
        asked = [wanted(group * 20 + n, imsi=group * 20 + n) for n in range(20)]
        try:
            assert ledger.apply(asked) == [""] * 20
            granted += asked
        except LedgerError as error:
            refused.append(str(error))
    assert granted
    assert refused
    assert all("full" in said for said in refused)
    assert {row["contact_id"] for row in ledger.rows(contact)} == {one.contact_id for one in granted}
    with ledger._connection.begin():
        ledger._connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    more = [wanted(10_000 + n, imsi=one.imsi) for n, one in enumerate(granted)]
    assert set(ledger.apply(more)) == {"cap"}
    assert ledger.apply([wanted(20_000, imsi=20_000)]) == [""]
    ledger.close()


FULL = """
    import resource, sys
    from marketing.contact.ledger import Ledger, LedgerError, Reservation
    ledger = Ledger(sys.argv[1], cap=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    def group(n):
        ids = range(n, n + 50)
        return [Reservation(f"{i:016x}", "t", "a", "1", "o", i, 1, 200903, 1, 0, 1, 2) for i in ids]
    n = failed = 0
    while not failed:
        try:
            assert set(ledger.apply(group(n))) == {""}
            n += 50
        except LedgerError:
            failed = 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert set(ledger.apply(group(n))) == {""}, "service is back"
    print(n + 50, flush=True)
"""


def test_a_full_disk_grants_nothing_and_serves_again(tmp_path):
    """Writing fails within the write-ahead log itself."""
    url = f"sqlite:///{tmp_path}/l.db"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.returncode, done.stderr
    ledger = Ledger(url, cap=1)
    assert len(list(ledger.rows(contact))) == int(done.stdout)
    ledger.close()


def test_postgresql_restarted_between_two_groups_is_not_noticed(postgres):
    ledger = Ledger(postgres.database(), cap=2)
    assert ledger.apply([wanted(1)]) == [""]
    postgres.stop()
    postgres.start()
    assert ledger.apply([wanted(2), wanted(3)]) == ["", "cap"]
    ledger.close()


def test_postgresql_away_grants_nothing_and_serves_again(postgres):
    url = postgres.database()
    ledger = Ledger(url, cap=2)
    assert ledger.apply([wanted(1)]) == [""]
    postgres.stop()
    for n in (2, 3):
        with pytest.raises(LedgerError):
            ledger.apply([wanted(n)])
    postgres.start()
    assert ledger.apply([wanted(4), wanted(5)]) == ["", "cap"]
    assert {row["contact_id"][-1] for row in ledger.rows(contact)} == {"1", "4"}
    ledger.close()


def test_postgresql_gone_while_a_group_is_under_way(postgres):
    """Whether or not it was committed: what is told to be granted is there, and the cap holds."""
    url, told, number = postgres.database(), {}, 0
    ledger = Ledger(url, cap=3)
    for stop_after in (1, 2, 3, 4):
        calls = 0

        def cut(*_arguments, stop_after=stop_after):
            nonlocal calls
            calls += 1
            if calls == stop_after:
                postgres.stop()

        sa.event.listen(ledger._engine, "before_cursor_execute", cut)
        sa.event.listen(ledger._engine, "commit", cut)
        asked = [wanted(number + n, imsi=n % 3) for n in range(6)]
        number += 6
        try:
            results = ledger.apply(asked)
            told |= {w.contact_id: w for w, refusal in zip(asked, results, strict=True) if not refusal}
        except LedgerError:
            pass
        sa.event.remove(ledger._engine, "before_cursor_execute", cut)
        sa.event.remove(ledger._engine, "commit", cut)
        if calls >= stop_after:
            postgres.start()
    there = {row["contact_id"]: row["imsi"] for row in ledger.rows(contact)}
    assert set(told) <= set(there)
    counts = [sum(imsi == n for imsi in there.values()) for n in range(3)]
    assert max(counts) <= 3
    assert ledger.apply([wanted(900, imsi=77)]) == [""], "service is back"
    ledger.close()


def test_the_writer_goes_on_after_the_database_was_away(postgres):
    async def scene():
        writer = LedgerWriter(Ledger(postgres.database(), cap=2))
        assert await writer.apply([wanted(1)]) == [""]
        postgres.stop()
        both = await asyncio.gather(
            writer.apply([wanted(2)]), writer.apply([wanted(3)]), return_exceptions=True
        )
        assert [type(one) for one in both] == [LedgerError, LedgerError]
        postgres.start()
        assert await writer.apply([wanted(4)]) == [""]
        writer.close()

    asyncio.run(scene())
