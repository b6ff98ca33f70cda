"""`kairos import`: into a store, to a running platform; mistakes are explained, bad rows listed."""

from hashlib import sha256

import pytest
from click.testing import CliRunner

from experiments.cli import cli
from marketing.api import HttpDoor, make_app
from marketing.api.guard import Keeper
from marketing.api.tokens import Token, Tokens
from marketing.api.uploads import Uploads
from marketing.config import HttpConfig
from marketing.profiles.store import Store

PEOPLE = "imsi,msisdn,age,points:int\n" + "".join(
    f"{1010000000000 + i:015d},{8613900000000 + i},{20 + i},{i}\n" for i in range(50)
)


@pytest.fixture
def kairos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(PEOPLE)

    def run(*arguments, code=0):
        result = CliRunner().invoke(cli, [str(a) for a in arguments])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_into_a_store(kairos, tmp_path):
    said = kairos("import", "profiles", "people.csv", "--to", "store")
    assert "profiles: 50 rows, 0 bad, 50 in force" in said
    assert "points is not declared: kept as int" in said
    (tmp_path / "VIP.csv").write_text("msisdn\n8613900000001\n")
    kairos("import", "list", "VIP.csv", "--to", "store")
    (tmp_path / "dnd.csv").write_text("msisdn,since\n8613900000001,2009-03-02 08:00\n")
    kairos("import", "do-not-disturb", "dnd.csv", "--to", "store", "--zone", "Asia/Shanghai")
    manifest = Store(tmp_path / "store", "UTC").manifest()
    assert (manifest.generation, list(manifest.lists), manifest.profiles.rows) == (3, ["vip"], 50)


def test_bad_rows_are_listed_beside_the_file(kairos, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE.replace(",25,", ",old,"))
    said = kairos("import", "profiles", "people.csv", "--to", "store", code=2)
    assert "refused: expected at most 1 % bad rows, found 1 of 50 rows, 2 %" in said
    assert "1 x age: expected a whole number from 0 to 130" in said
    lines = (tmp_path / "people.csv.errors.csv").read_text().splitlines()
    assert lines == ["row,column,value,expected", "7,age,old,a whole number from 0 to 130"]
    said = kairos(
        "import", "profiles", "people.csv", "--to", "store", "--bad-share", "0.02", "--errors", "e.csv"
    )
    assert "50 rows, 1 bad, 50 in force" in said
    assert (tmp_path / "e.csv").read_text().splitlines() == lines


def test_check_changes_nothing(kairos, tmp_path):
    assert "50 rows, 0 bad" in kairos("import", "profiles", "people.csv", "--check")
    kairos("import", "profiles", "people.csv", "--check", "--to", "store")
    assert not (tmp_path / "store").exists()
    kairos("import", "list", "people.csv", "--check")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("profiles", "none.csv", "--to", "store"), "no such file"),
        (("profiles", "people.csv"), "--to is needed"),
        (("list", "people.csv", "--to", "store", "--name", "../x"), "list name"),
        (("profiles", "people.csv", "--to", "people.csv"), "expected a folder"),
        (("do-not-disturb", "people.csv", "--to", "store", "--zone", "Mars"), "IANA"),
        (("profiles", "people.csv", "--to", "none.yaml"), "no such file"),
        (("profiles", "people.csv", "--to", "http://127.0.0.1:9"), "--token-file"),
        (("profiles", "people.csv", "--to", "http://127.0.0.1:9", "--token-file", "t"), "cannot be read"),
        (
            ("profiles", "people.csv", "--to", "http://127.0.0.1:9", "--token-file", "people.csv", "--check"),
            "--check",
        ),
    ],
)
def test_mistakes_are_explained(kairos, arguments, said):
    assert said in kairos("import", *arguments, code=2)


def test_to_a_running_platform(kairos, tmp_path):
    store = Store(tmp_path / "served", "Asia/Shanghai")
    door = HttpDoor(HttpConfig(host="127.0.0.1", port=0))
    secret = Token("operator", sha256(b"secret-secret-secret").digest())
    keeper = Keeper(Tokens((secret,)))
    door.start(lambda: make_app(keeper, dict, bytes, Uploads(store, 10**7, lambda: None)))
    door.wait_loaded(20)
    url = f"http://127.0.0.1:{door.port}"
    (tmp_path / "token").write_text("secret-secret-secret\n")
    (tmp_path / "wrong").write_text("other")
    try:
        to = ("--to", url, "--token-file")
        assert "50 rows, 0 bad, 50 in force" in kairos("import", "profiles", "people.csv", *to, "token")
        assert "HTTP 401" in kairos("import", "profiles", "people.csv", *to, "wrong", code=2)
        assert "200 in force" in kairos("import", "list", _many(tmp_path), "--name", "vip", *to, "token")
        (tmp_path / "bad.csv").write_text("msisdn\n1\n")
        said = kairos("import", "list", "bad.csv", *to, "token", code=2)
        assert "1 of 1 rows, 100 %" in said
        assert (tmp_path / "bad.csv.errors.csv").exists()
    finally:
        door.stop()
    assert store.manifest().profiles.rows == 50
    assert "ConnectError" in kairos("import", "profiles", "people.csv", *to, "token", code=2)


def _many(folder):
    path = folder / "many.csv"
    path.write_text("msisdn\n" + "".join(f"{8613900000000 + i}\n" for i in range(200)))
    return path
