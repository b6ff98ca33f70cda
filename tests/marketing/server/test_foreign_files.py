"""Files and words of others: no name leads out of its folder, no bomb goes off, no value is structure."""

import csv
import io
import os
import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.campaigns import load
from marketing.campaigns.content import PLACEHOLDERS, template
from marketing.config import ConfigError
from marketing.outputs.interface_file import write_csv
from marketing.profiles import Profiles
from marketing.profiles.store import Refused, Store, StoreFull, told_at_start
from marketing.profiles.watch import Watch
from marketing.reloading import CampaignFolder, read_watched
from marketing.workers import LocalHost
from smpp.text import Reassembler, split

SECRET = "root:x:0:0:a line of a file that is none of yours"
CAMPAIGN = {
    "campaign": "group", "title": "t", "mode": "group", "offer": "o", "content": {"en": "now"},
    "group": {"at": "10:00", "targets": "list.csv"}, "originator": "10086077",
}  # fmt: skip
CALLER = {
    "campaign": "caller", "title": "t", "offer": "o", "content": {"en": "now"}, "originator": "10086077",
    "scene": {"begin": {"behaviour": "call_ended", "peer_list": "list.csv"}},
}  # fmt: skip


def naming(key, name):
    """A campaign that names a file under one of the three keys that do."""
    return {
        "group.targets": {**CAMPAIGN, "group": {"at": "10:00", "targets": name}},
        "scene.begin.peer_list": {
            **CALLER,
            "scene": {"begin": {**CALLER["scene"]["begin"], "peer_list": name}},
        },
        "targets": {**CALLER, "targets": name},
    }[key]


@pytest.fixture
def folder(tmp_path):
    """A watched folder beside a file with a secret."""
    (tmp_path / "secret.csv").write_text(f"msisdn\n{SECRET}\n")
    made = tmp_path / "watched"
    made.mkdir()
    (made / "list.csv").write_text("msisdn,day\n8613900000001,1\n")
    (made / "link.csv").symlink_to(tmp_path / "secret.csv")
    (made / "ring.csv").symlink_to(made / "ring.csv")
    (made / "up").symlink_to(tmp_path)
    os.mkfifo(made / "pipe.csv")
    return made


NAMES = [
    "../secret.csv", "./../secret.csv", "up/secret.csv", "link.csv", "ring.csv", "/etc/passwd", "pipe.csv",
    "{folder}/../secret.csv", "list.csv/../../secret.csv", "none.csv", "a\0b.csv", "x" * 5000 + ".csv",
    "..", "", "~/x.csv", "file:///etc/passwd.csv", "/dev/stdin", "/proc/self/environ",
]  # fmt: skip


@pytest.mark.parametrize("key", ["group.targets", "scene.begin.peer_list", "targets"])
@pytest.mark.parametrize("name", NAMES)
def test_a_watched_campaign_names_no_file_outside_its_folder(folder, name, key):
    values = naming(key, name.replace("{folder}", str(folder)))
    (folder / "group.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        read_watched(folder / "group.yaml", folder)
    assert SECRET not in str(caught.value)
    assert key in str(caught.value)


def test_a_watched_campaign_names_files_of_its_folder(folder, tmp_path):
    (folder / "group.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    (folder / "inside.yaml").symlink_to(folder / "group.yaml")
    for name in ("group.yaml", "inside.yaml"):
        assert read_watched(folder / name, folder)[0].group.targets == folder / "list.csv"
    # One that the configuration itself names may lie, and name files, anywhere.
    values = {**CAMPAIGN, "group": {"at": "10:00", "targets": "watched/list.csv"}}
    (tmp_path / "fixed.yaml").write_text(yaml.safe_dump(values))
    assert read_watched(tmp_path / "fixed.yaml", folder)[0] == load(tmp_path / "fixed.yaml")


def test_a_link_to_a_campaign_elsewhere_is_refused_and_not_told(folder, tmp_path, town):
    (tmp_path / "elsewhere.yaml").write_text(f"campaign: '{SECRET}'\n")
    (folder / "x.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    watch = CampaignFolder(LocalHost(town.engine_state(town.campaign())), (), folder, lambda prepared: None)
    assert watch.look(anyway=True) is None
    (problem,) = watch.problems
    assert "within the watched folder" in problem
    assert SECRET not in problem


# ------------------------------------------------------------------ the import store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", "UTC")


@pytest.fixture
def watch(store):
    extract = Profiles.of({"imsi": ["001010000000001"], "msisdn": ["8613900000001"]})
    return Watch(store, told_at_start(extract, {}), lambda told: None)


def test_incoming_links_pipes_and_folders_are_left_alone(store, watch, tmp_path):
    (tmp_path / "secret.csv").write_text(f"msisdn\n{SECRET}\n")
    incoming = store.folder / "incoming" / "lists"
    (incoming / "link.csv").symlink_to(tmp_path / "secret.csv")
    os.mkfifo(incoming / "pipe.csv")
    (incoming / "folder.csv").mkdir()
    before = sorted(store.folder.rglob("*"))
    for _ in range(3):
        watch.look()
    assert sorted(store.folder.rglob("*")) == before
    # Put in place of a file between the look and the reading, a link is not followed either.
    with pytest.raises(Refused) as caught:
        store.take("list", incoming / "link.csv", name="link", no_link=True)
    assert SECRET not in str(caught.value)
    with pytest.raises(Refused, match="a plain file"):
        store.take("list", incoming / "pipe.csv", name="pipe")


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "x" * 61, "A", "a\0", "a\n", "-a", "a--b", "ä"])
def test_no_list_has_such_a_name(store, tmp_path, name):
    (tmp_path / "list.csv").write_text("msisdn\n8613900000001\n")
    with pytest.raises(Refused, match="list name"):
        store.take("list", tmp_path / "list.csv", name=name)
    assert [p.name for p in tmp_path.rglob("*.parquet")] == []


def test_a_manifest_names_no_other_file(store):
    said = '{"generation": 1, "profiles": {"file": "../../etc/passwd", "rows": 1, "source": ""}, '
    (store.folder / "current.json").write_text(said + '"do_not_disturb": null, "lists": {}}')
    with pytest.raises(Exception, match="not as an import writes it"):
        store.manifest()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["profiles", "lists", "do-not-disturb"]), st.binary(max_size=400), st.booleans())
def test_whatever_comes_into_the_watched_folder_is_taken_or_put_away(watch, kind, octets, parquet):
    path = watch.store.folder / "incoming" / kind / ("x.parquet" if parquet else "x.csv")
    path.write_bytes((b"PAR1" if parquet else b"") + octets)
    watch.look()
    watch.look()
    assert not path.exists()
    assert list((watch.store.folder / "work").rglob("*.csv")) == []


def bomb(kind):
    """A hundred thousand rows of a word of a megabyte, in a few hundred kilobytes."""
    imsi = pa.array([f"{1010000000000 + i:015d}" for i in range(100_000)])
    number = pa.array([str(8613900000000 + i) for i in range(100_000)])
    word = pa.array(["x" * 1_000_000]) if kind != "short" else pa.array(["x" * 60_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), word)
    if kind == "list":
        column = pa.ListArray.from_arrays(pa.array(range(100_001), pa.int32()), column)
    file = io.BytesIO()
    table = pa.table({"imsi": imsi, "msisdn": number, "services" if kind == "list" else "brand": column})
    pq.write_table(table, file, compression="zstd", store_schema=kind == "stored")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["long", "short", "list", "stored"])
def test_a_word_repeated_without_end_is_not_unpacked(store, tmp_path, kind):
    (tmp_path / "bomb.parquet").write_bytes(bomb(kind))
    assert (tmp_path / "bomb.parquet").stat().st_size < 3_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Refused, match=r"words of at most|MiB in"):
        store.take("profiles", tmp_path / "bomb.parquet")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 700_000  # KiB; unpacked it would be 100 GB, or 6
    assert store.manifest().generation == 0


def test_words_and_lists_are_read_as_before(tmp_path):
    store = Store(tmp_path / "s", "UTC")
    table = pa.table({
        "imsi": ["001010000000001", "001010000000002", "001010000000003"],
        "msisdn": ["8613900000001", "8613900000002", "8613900000003"],
        "brand": pa.array(["gotone", None, "mzone"]).dictionary_encode(),
        "services": [["mms", "gprs"], None, []],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "p.parquet", row_group_size=2)
    store.take("profiles", tmp_path / "p.parquet")
    profiles = store.load(told_at_start(Profiles.of({"imsi": [], "msisdn": []}), {})).profiles
    assert [profiles.column("brand").value(row) for row in range(3)] == ["gotone", None, "mzone"]
    assert profiles.column("services").has("gprs").tolist() == [True, False, False]


def test_a_full_disk_is_no_crash(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFull):
        Store(tmp_path / "file" / "store", "UTC")


# ------------------------------------------------------------------ values in texts and files

values = st.text(max_size=80) | st.sampled_from(
    ["{offer}", "{place|x}", "}}", "{{", "%s{0}", "a\r\nBcc: x", "\x05\x00\x03\x01\x02\x01", "\x1b[31m",
     "\u202e txet", "\ud800", "=cmd|' /C calc'!A0", "TD", "\0"]
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(sorted(PLACEHOLDERS)), values), values.filter(lambda v: "\ud800" not in v)
)
def test_no_value_changes_the_structure_of_a_text(filled, around):
    """Between the plain pieces stand the values, on one line, cut, and never read again."""
    plain = around.replace("{", "{{").replace("}", "}}")
    names = sorted(PLACEHOLDERS)
    text = plain + "|".join(f"{{{name}|-}}" for name in names) + "END"
    said = template(text).fill(filled)
    assert said.startswith(around)
    assert said.endswith("END")
    inside = said[len(around) : -3]
    assert inside.isprintable()
    assert len(inside) <= 61 * len(names)
    # On the air it is that text: no octet of a value becomes a header or a part of its own.
    parts, whole, got = split(said, reference=7), Reassembler(), None
    assert all(part.esm_class & 0x40 == 0 for part in parts) or len(parts) > 1
    for part in parts:
        got = whole.add("1", "2", part.esm_class, part.data_coding, part.short_message, 0.0)
    assert got == said


@given(st.lists(st.fixed_dictionaries({"brand": values, "text": values}), max_size=5))
def test_no_value_becomes_a_formula_a_row_or_a_column(tmp_path_factory, rows):
    rows = [{name: word.replace("\ud800", "") for name, word in row.items()} for row in rows]
    path = tmp_path_factory.mktemp("f") / "list.csv"
    assert write_csv(path, ("brand", "text"), rows) == len(rows)
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(rows)
    for row, was in zip(found, rows, strict=True):
        assert set(row) == {"brand", "text"}
        for cell in row.values():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert cell.replace("\n", " ").isprintable()
        # What is harmless is left as it is.
        if was["brand"].isprintable() and not was["brand"].lstrip().startswith(("=", "+", "-", "@")):
            assert row["brand"] == was["brand"]
