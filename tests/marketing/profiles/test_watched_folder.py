"""The watched folder: complete files are read, others never; put away with a report; a kill loses nothing."""

import os

import pytest

from marketing.profiles import Profiles
from marketing.profiles.store import Store, told_at_start
from marketing.profiles.watch import Watch

NUMBERS = "msisdn\n8613900000001\n"
PEOPLE = "imsi,msisdn,age\n001010000000001,8613900000001,30\n001010000000002,8613900000002,40\n"


@pytest.fixture
def watch(tmp_path):
    return made(tmp_path)


def made(tmp_path):
    extract = Profiles.of({"imsi": ["001010000000001"], "msisdn": ["8613900000001"]})
    store = Store(tmp_path / "store", "Asia/Shanghai", wait_s=0.1)
    changes = []
    watch = Watch(store, told_at_start(extract, {}), changes.append)
    watch.changes = changes
    return watch


def drop(watch, folder, name, text):
    """As a good sender does it."""
    part = watch.store.folder / "incoming" / folder / f"{name}.part"
    part.write_text(text, encoding="utf-8")
    part.rename(part.with_name(name))
    return part.with_name(name)


def put_away(watch, where, folder):
    return sorted(p.name for p in (watch.store.folder / where / folder).iterdir())


def test_files_are_taken_in_and_put_away_and_each_change_is_told_once(watch):
    drop(watch, "profiles", "monday.csv", PEOPLE)
    drop(watch, "lists", "vip.csv", NUMBERS)
    drop(watch, "do-not-disturb", "dnd.csv", NUMBERS)
    watch.look()
    assert not watch.changes  # seen once: it may still grow
    watch.look()
    (told,) = watch.changes
    assert len(told.profiles) == 2
    assert told.profiles.on_list("vip").tolist() == [True, False]
    assert len(told.do_not_disturb) == 1
    watch.look()
    assert len(watch.changes) == 1
    assert put_away(watch, "done", "profiles") == ["monday.csv", "monday.csv.report.txt"]
    assert put_away(watch, "incoming", "profiles") == []
    drop(watch, "lists", "vip.csv", NUMBERS)
    watch.look()
    watch.look()
    assert "vip.1.csv" in put_away(watch, "done", "lists")


@pytest.mark.parametrize("name", ["vip.csv.part", ".vip.csv", "vip.tmp", "vip"])
def test_a_file_without_its_final_name_is_never_read(watch, name):
    (watch.store.folder / "incoming" / "lists" / name).write_text(NUMBERS)
    for _ in range(3):
        watch.look()
    assert put_away(watch, "incoming", "lists") == [name]
    assert not watch.changes


def test_a_file_that_still_grows_is_left_alone(watch):
    path = watch.store.folder / "incoming" / "lists" / "vip.csv"
    for i in range(5):
        with path.open("a") as file:
            file.write(NUMBERS if not i else f"861390000000{i}\n")
        watch.look()
    assert not watch.changes
    watch.look()
    assert len(watch.changes) == 1
    assert len(watch.changes[0].profiles.lists.by_name["vip"].numbers) == 5 - 1


def test_a_bad_file_is_put_aside_with_its_errors_and_changes_nothing(watch):
    drop(watch, "lists", "vip.csv", "msisdn\n12\n8613900000001\n")
    drop(watch, "lists", "Not A Name.csv", NUMBERS)
    watch.look()
    watch.look()
    assert not watch.changes
    assert watch.refused == 2
    assert put_away(watch, "refused", "lists") == [
        "Not A Name.csv", "Not A Name.csv.report.txt", "vip.csv", "vip.csv.errors.csv", "vip.csv.report.txt",
    ]  # fmt: skip
    folder = watch.store.folder / "refused" / "lists"
    assert "50 %" in (folder / "vip.csv.report.txt").read_text()
    assert (folder / "vip.csv.errors.csv").read_text().splitlines()[1].startswith("2,msisdn,12,")


def test_links_and_folders_are_no_files(watch, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text(NUMBERS)
    incoming = watch.store.folder / "incoming" / "lists"
    (incoming / "vip.csv").symlink_to(secret)
    (incoming / "dir.csv").mkdir()
    os.mkfifo(incoming / "pipe.csv")
    for _ in range(3):
        watch.look()
    assert not watch.changes
    assert secret.exists()


def test_what_was_being_read_at_a_kill_is_read_after_the_restart(watch, tmp_path):
    path = drop(watch, "lists", "vip.csv", NUMBERS)
    path.rename(watch.store.folder / "work" / "lists" / "vip.csv")  # claimed, and then killed
    (watch.store.folder / ".upload-abc").write_text("half an upload")
    again = made(tmp_path)
    again.look()
    assert len(again.changes) == 1
    assert put_away(again, "work", "lists") == []
    assert not list(watch.store.folder.glob(".upload-*"))


def test_a_full_disk_leaves_the_file_to_be_tried_again(watch, monkeypatch):
    drop(watch, "lists", "vip.csv", NUMBERS)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("marketing.profiles.saving.os.fsync", full)
        watch.look()
        watch.look()
    assert not watch.changes
    assert put_away(watch, "work", "lists") == ["vip.csv"]
    watch.look()
    assert len(watch.changes) == 1


def test_an_import_by_another_process_is_noticed(watch, tmp_path):
    (tmp_path / "vip.csv").write_text(NUMBERS)
    Store(watch.store.folder, "Asia/Shanghai").take("list", tmp_path / "vip.csv", name="vip")
    watch.look()
    assert watch.changes[0].profiles.lists.names == ("vip",)


def test_a_damaged_store_is_said_once_and_what_was_in_force_stays(watch, tmp_path, caplog):
    (watch.store.folder / "current.json").write_text("{")
    watch.look()
    watch.look()
    assert not watch.changes
    assert caplog.text.count("what was in force stays") == 1


def test_the_thread_looks_by_itself(tmp_path):
    import threading

    extract = Profiles.of({"imsi": ["001010000000001"], "msisdn": ["8613900000001"]})
    store = Store(tmp_path / "store", "Asia/Shanghai")
    changed = threading.Event()
    watch = Watch(store, told_at_start(extract, {}), lambda told: changed.set(), every_s=0.02)
    watch.start()
    try:
        drop(watch, "lists", "vip.csv", NUMBERS)
        assert changed.wait(20)
    finally:
        watch.stop()
