"""The import store: what is in force is whole, whatever fails; reports, turns, a full disk, kills."""

import fcntl
import io
import json
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.config import ConfigError
from marketing.profiles import Profiles
from marketing.profiles.lists import DatedList, read_dated
from marketing.profiles.loading import Limits, Loaded
from marketing.profiles.reading import Unusable
from marketing.profiles.store import Manifest, Refused, Store, StoreBusy, StoreFull, told_at_start

ZONE = "Asia/Shanghai"


def people(n: int, age: int = 30) -> str:
    rows = (f"{1010000000000 + i:015d},{8613900000000 + i},{age}" for i in range(n))
    return "\n".join(("imsi,msisdn,age", *rows)) + "\n"


def numbers(*which: int) -> str:
    return "msisdn\n" + "".join(f"{8613900000000 + i}\n" for i in which)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", ZONE, wait_s=0.2)


@pytest.fixture
def put(tmp_path, store):
    def one(kind, text, name="", **options):
        path = tmp_path / "file.csv"
        path.write_text(text, encoding="utf-8")
        return store.take(kind, path, name=name, **options)

    return one


def base() -> object:
    extract = Profiles.of({"imsi": ["001010000000005"], "msisdn": ["8613900000005"]})
    return told_at_start(extract, {})


def test_a_generation_is_read_whole_and_only_what_changed_is_read_again(store, put):
    told = base()
    assert store.load(told).profiles.imsi.tolist() == [1010000000005]  # nothing imported: what was configured
    put("profiles", people(10))
    put("list", numbers(1, 2, 99), "vip")
    put("do-not-disturb", "msisdn,since\n8613900000003,2009-03-02T08:00:00\n8613900000004,\n")
    told = store.load(told)
    assert (told.manifest.generation, len(told.profiles)) == (3, 10)
    assert np.flatnonzero(told.profiles.on_list("vip")).tolist() == [1, 2]
    assert list(told.do_not_disturb) == [(8613900000003, 1235952000 * 1_000_000), (8613900000004, 0)]
    put("list", numbers(3), "gold")
    after = store.load(told)
    assert after.profiles.imsi is told.profiles.imsi
    assert after.profiles.lists.by_name["vip"] is told.profiles.lists.by_name["vip"]
    assert np.flatnonzero(after.profiles.on_list("gold")).tolist() == [3]
    put("profiles", people(2, age=44))
    last = store.load(after)
    assert last.profiles.column("age").value(1) == 44
    assert np.flatnonzero(last.profiles.on_list("vip")).tolist() == [1]
    assert last.profiles.lists.by_name["gold"].unknown == 1
    assert store.remove_list("vip")
    assert not store.remove_list("vip")
    assert store.load(last).profiles.lists.names == ("gold",)
    files = {p.name for p in store.folder.iterdir()} - {"lock", "current.json"}
    assert files == store.manifest().files()


def test_a_list_in_the_configuration_stays_beside_imported_ones(tmp_path, store, put):
    (tmp_path / "vip.csv").write_text(numbers(5, 1))
    told = told_at_start(base().profiles, {"vip": tmp_path / "vip.csv"})
    put("profiles", people(10))
    put("list", numbers(2), "gold")
    told = store.load(told)
    assert np.flatnonzero(told.profiles.on_list("vip")).tolist() == [1, 5]
    assert told.profiles.lists.names == ("gold", "vip")
    (tmp_path / "vip.csv").write_text("msisdn\nx\n")
    with pytest.raises(ConfigError, match="5 to 15 digits"):
        told_at_start(base().profiles, {"vip": tmp_path / "vip.csv"})


def test_nobody_gets_off_the_do_not_disturb_list_by_being_left_out(store, put):
    put("do-not-disturb", numbers(1, 2))
    put("do-not-disturb", "msisdn,since\n8613900000002,2009-03-02\n8613900000003,2009-03-02\n")
    told = store.load(base())
    assert dict(told.do_not_disturb)[8613900000002] == 0  # the earlier date stays
    assert len(told.do_not_disturb) == 3
    put("do-not-disturb", numbers(3), replace_all=True)
    assert [number for number, _ in store.load(told).do_not_disturb] == [8613900000003]


REFUSED = [
    ("profiles", "imsi,msisdn\n", 1.0, None),
    ("profiles", people(100).replace("8613900000007,", "x,"), 0.009, "at most 0.9 % bad rows"),
    ("profiles", people(100).replace("8613900000007,", "x,"), 0.01, None),
    ("list", "msisdn\n" + "12\n" * 5, 0.5, "5 of 5 rows, 100 %"),
    ("list", "number\n1\n", 0.5, "expected the header msisdn"),
    ("list", "msisdn,msisdn\n1,1\n", 0.5, "every column once"),
    ("do-not-disturb", "msisdn,since\n8613900000001,yesterday\n", 0.0, "no bad row"),
    ("list", "", 1.0, "the file is empty"),
]


@pytest.mark.parametrize(("kind", "text", "share", "said"), REFUSED)
def test_a_file_is_taken_whole_or_refused_whole(store, put, kind, text, share, said):
    put("profiles", people(3))
    before = store.manifest()
    name = "vip" if kind == "list" else ""
    if said is None:
        assert put(kind, text, name, limits=Limits(share)).generation == 2
        return
    with pytest.raises(Refused, match=said):
        put(kind, text, name, limits=Limits(share))
    assert store.manifest() == before
    assert len(store.load(base()).profiles) == 3


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "vip.csv", "x" * 61, "-a", "a--b", "vip\n"])
def test_names_of_lists_cannot_leave_the_folder(store, put, name):
    with pytest.raises(Refused, match="list name"):
        put("list", numbers(1), name)


def test_repeated_numbers_in_a_list_are_counted_and_harmless(put):
    found = put("list", numbers(1, 2, 1, 1), "vip", limits=Limits(0.0))
    assert (found.entries, found.loaded.repeated, found.loaded.errors.total) == (2, 2, 0)
    assert "2 numbers were there more than once" in found.said()


def test_a_million_bad_rows_are_counted_and_the_first_are_kept(tmp_path, store):
    path = tmp_path / "bad.csv"
    with path.open("w", encoding="ascii") as file:
        file.write("msisdn\n")
        for _ in range(10):
            file.write("".join(f"0{i}\n" for i in range(100_000)))
        file.write("8613900000001\n")
    with pytest.raises(Refused, match="1000000 of 1000001 rows") as caught:
        store.take("list", path, name="vip")
    errors = caught.value.imported.loaded.errors
    assert (errors.rows, errors.total, len(errors.first())) == (1_000_000, 1_000_000, 1000)
    assert [error.row for error in errors.first()] == list(range(2, 1002))
    errors.write(tmp_path / "bad.errors.csv")
    lines = (tmp_path / "bad.errors.csv").read_text().splitlines()
    assert lines[:2] == ["row,column,value,expected", "2,msisdn,00,5 to 15 digits without a leading zero"]
    assert lines[-1] == ",,,999000 more errors are not listed"
    assert len(lines) == 1002


def test_an_error_report_is_no_trap_for_a_spreadsheet(tmp_path):
    errors = Loaded().errors
    errors.add("city", "text", [2, 3], ["=1+1", "a\nb\x1b[0m" + "x" * 500])
    errors.write(tmp_path / "e.csv")
    lines = (tmp_path / "e.csv").read_text().splitlines()
    assert lines[1] == "2,city,'=1+1,text"
    assert lines[2].startswith("3,city,a\\nb\\x1b[0mxxx")
    assert len(lines[2]) < 100


def test_two_imports_at_once_take_turns(tmp_path, store):
    files = []
    for i in range(8):
        files.append(tmp_path / f"l{i}.csv")
        files[-1].write_text(numbers(i))
    patient = [Store(store.folder, ZONE, wait_s=30.0) for _ in files]
    threads = [
        threading.Thread(target=s.take, args=("list", f), kwargs={"name": f"l{i}"})
        for i, (s, f) in enumerate(zip(patient, files, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.manifest().generation == 8
    assert store.load(base()).profiles.lists.names == tuple(f"l{i}" for i in range(8))


def test_whoever_waits_too_long_is_told(store, put):
    put("list", numbers(1), "vip")
    with (store.folder / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy, match="another import is under way"):
            put("list", numbers(2), "vip")
    assert put("list", numbers(2), "vip").generation == 2


def run_limited(code: str, *arguments: str) -> str:
    """Runs Python in a process that may write 20 kB to a file: to it the disk is full."""
    head = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    text = textwrap.dedent(code).replace("FULL_DISK", limit.strip())
    run = subprocess.run(
        [sys.executable, "-c", head + text, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_disk_that_is_full_at_the_switch_over_leaves_the_old_in_force(tmp_path, store, put):
    put("profiles", people(3))
    put("list", numbers(1), "vip")
    before = {p.name: p.read_bytes() for p in store.folder.iterdir()}
    (tmp_path / "big.csv").write_text(people(30_000))
    said = run_limited(
        """
        from pathlib import Path
        from marketing.profiles.store import Store, StoreFull
        FULL_DISK
        try:
            Store(Path(sys.argv[1]), "Asia/Shanghai").take("profiles", Path(sys.argv[2]))
        except StoreFull as error:
            print(error)
        """,
        str(store.folder), str(tmp_path / "big.csv"),
    )  # fmt: skip
    assert "cannot be written" in said
    assert "what was in force stays" in said
    assert {p.name: p.read_bytes() for p in store.folder.iterdir()} == before
    assert len(store.load(base()).profiles) == 3


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_in_force(store, put, monkeypatch, step):
    put("profiles", people(3))
    before = store.manifest()
    for failing in range(1, 8):
        calls = 0
        real = os.fsync if step == "fsync" else os.replace

        def fails(*arguments, real=real, failing=failing):
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(28, "No space left on device")
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(f"marketing.profiles.saving.os.{step}", fails)
            try:
                put("profiles", people(4))
                break
            except StoreFull:
                pass
        now = store.manifest()
        # The last step may have put it in force before it failed; then it is the new one, whole.
        assert len(store.load(base()).profiles) == (3 if now == before else 4)
        before = now
    assert failing > 1


def test_what_a_killed_import_leaves_is_swept_away(store, put):
    put("profiles", people(3))
    (store.folder / ".profiles-000002.parquet.partial").write_bytes(b"half")
    (store.folder / "profiles-000002.parquet").write_bytes(b"half: written, never in force")
    assert len(store.load(base()).profiles) == 3
    put("list", numbers(1), "vip")
    assert {p.name for p in store.folder.iterdir()} == {"lock", "current.json", *store.manifest().files()}


def test_a_damaged_store_is_said_and_not_believed(store, put):
    put("profiles", people(3))
    file = store.folder / next(iter(store.manifest().files()))
    octets = file.read_bytes()
    file.write_bytes(octets[:-40])
    with pytest.raises(Unusable, match="Parquet"):
        store.load(base())
    file.unlink()
    with pytest.raises(Unusable, match="cannot be read"):
        store.load(base())
    for text in (
        "{",
        "[]",
        '{"generation": 1}',
        json.dumps(Manifest(1).to_json()).replace("null", '{"file": "/etc/passwd"}'),
    ):
        (store.folder / "current.json").write_text(text)
        with pytest.raises(Unusable, match="not as an import writes it"):
            store.manifest()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreFull, match="cannot be written"):
        Store(tmp_path / "file" / "store", ZONE)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"msisdn,since\n" + b))
def test_any_octets_are_a_list_or_refused(octets):
    loaded = Loaded()
    try:
        made = read_dated(io.BytesIO(octets), loaded, ZONE)
    except Unusable:
        return
    assert len(made) + loaded.repeated + loaded.errors.rows == loaded.rows


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9))),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9))),
)
def test_joined_lists_hold_whoever_is_on_either_from_the_earlier_date(one, other):
    def of(rows):
        return DatedList.of(
            np.array([n for n, _ in rows], np.uint64), np.array([t for _, t in rows], np.int64)
        )

    wanted: dict[int, int] = {}
    for number, since in one + other:
        wanted[number] = min(since, wanted.get(number, since))
    assert dict(of(one).joined(of(other))) == wanted
