"""Imports by HTTP, over a real socket: who may, how much, what is refused; nothing leaves the folder."""

import io
import socket
import threading
import time
from hashlib import sha256

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.api import HttpDoor, make_app
from marketing.api.guard import Keeper
from marketing.api.tokens import Token, Tokens
from marketing.config import HttpConfig
from marketing.profiles import Profiles
from marketing.profiles.store import Store, told_at_start

TOKEN = "a-token-of-some-length"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
LARGEST = 200_000
NUMBERS = b"msisdn\n8613900000001\n8613900000002\n"


class Door:
    def __init__(self, folder):
        from marketing.api.uploads import Uploads

        self.store = Store(folder, "Asia/Shanghai", wait_s=0.2)
        self.imports = 0
        uploads = Uploads(self.store, LARGEST, self._count)
        keeper = Keeper(Tokens((Token("operator", sha256(TOKEN.encode()).digest()),)))
        self.door = HttpDoor(HttpConfig(host="127.0.0.1", port=0))
        self.door.start(lambda: make_app(keeper, dict, bytes, uploads))
        self.door.wait_loaded(20)
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.door.port}", timeout=20, trust_env=False, headers=AUTH
        )

    def _count(self):
        self.imports += 1

    def close(self):
        self.client.close()
        self.door.stop()

    def files(self):
        return sorted(p.name for p in self.store.folder.iterdir() if p.name != "lock")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    door = Door(tmp_path_factory.mktemp("store"))
    yield door
    door.close()


def told(door):
    extract = Profiles.of({"imsi": ["001010000000001"], "msisdn": ["8613900000001"]})
    return door.store.load(told_at_start(extract, {}))


def test_extract_list_and_do_not_disturb(door):
    table = pa.table({"imsi": ["001010000000001"], "msisdn": ["8613900000001"], "age": [30]})
    file = io.BytesIO()
    pq.write_table(table, file)
    before = door.imports
    answer = door.client.put("/imports/profiles", content=file.getvalue())
    assert answer.status_code == 200, answer.text
    assert answer.json() | {"generation": 0} == {
        "kind": "profiles", "name": "", "generation": 0, "rows": 1, "bad_rows": 0, "in_force": 1,
        "repeated": 0, "remarks": [], "summary": [], "errors": [],
    }  # fmt: skip
    assert door.client.put("/imports/lists/vip", content=NUMBERS).status_code == 200
    assert door.client.put("/imports/do-not-disturb", content=NUMBERS).json()["in_force"] == 2
    assert (
        door.client.put("/imports/do-not-disturb", content=b"msisdn\n8613900000003\n").json()["in_force"] == 3
    )
    replaced = door.client.put("/imports/do-not-disturb?mode=replace", content=NUMBERS)
    assert replaced.json()["in_force"] == 2
    now = told(door)
    assert now.profiles.column("age").value(0) == 30
    assert now.profiles.on_list("vip").tolist() == [True]
    assert door.client.get("/imports").json() == now.manifest.to_json()
    assert door.client.delete("/imports/lists/vip").json() == {"removed": "vip"}
    assert door.client.delete("/imports/lists/vip").status_code == 404
    assert door.imports == before + 6
    assert not [name for name in door.files() if name.startswith(".")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "lists/vip"), ("GET", ""), ("DELETE", "lists/vip"), ("PUT", "profiles")]
)
def test_nobody_without_the_token(door, headers, method, path):
    before = door.files()
    answer = door.client.request(method, f"/imports/{path}".rstrip("/"), headers=headers, content=NUMBERS)
    assert answer.status_code == 401
    assert TOKEN not in answer.text
    assert door.files() == before


def test_too_much_is_refused_whether_or_not_it_is_announced(door):
    before = door.files()
    big = b"msisdn\n" + b"8613900000001\n" * 20_000
    assert door.client.put("/imports/lists/vip", content=big).status_code == 413

    def dribble():
        for start in range(0, len(big), 10_000):
            yield big[start : start + 10_000]

    assert door.client.put("/imports/lists/vip", content=dribble()).status_code == 413
    assert door.files() == before


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("lists/vip", b"number\n1\n", "expected the header msisdn"),
        ("lists/vip", b"", "empty"),
        ("lists/vip", b"msisdn\n12\n", "at most 1 % bad rows"),
        ("lists/vip", "msisdn\n1\n".encode("utf-16"), "UTF-16"),
        ("lists/Vip!", NUMBERS, "list name"),
        ("lists/..%2f..%2fevil", NUMBERS, None),
        ("lists/%2e%2e", NUMBERS, "list name"),
        ("lists/a%00b", NUMBERS, "list name"),
        ("lists/vip?mode=sometimes", NUMBERS, "mode"),
        ("lists/vip?bad_share=nan", NUMBERS, "bad_share"),
        ("lists/vip?encoding=latin-1", NUMBERS, "encoding"),
        ("lists/vip?to=/etc", NUMBERS, "no option"),
    ],
)
def test_what_is_refused_changes_nothing(door, path, content, said):
    before = door.files()
    answer = door.client.put(f"/imports/{path}", content=content)
    assert answer.status_code == (404 if said is None else 422), answer.text
    assert said is None or said in answer.text
    assert door.files() == before


def test_bad_rows_are_listed_in_the_answer(door):
    rows = b"msisdn\n" + b"".join(b"%d\n" % i for i in range(500))
    answer = door.client.put("/imports/lists/vip", content=rows).json()["detail"]
    assert len(answer["errors"]) == 100
    assert answer["errors"][0] == {
        "row": 2, "column": "msisdn", "value": "0", "expected": "5 to 15 digits without a leading zero",
    }  # fmt: skip
    assert answer["summary"] == ["500 x msisdn: expected 5 to 15 digits without a leading zero"]
    assert (answer["bad_rows"], answer["rows"]) == (500, 500)


def test_a_sender_that_goes_away_leaves_nothing(door):
    before = door.files()
    with socket.create_connection(("127.0.0.1", door.door.port)) as line:
        head = (
            "PUT /imports/lists/vip HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {TOKEN}",
            "Content-Length: 100",
            "",
            "msisdn\n86139",
        )
        line.sendall("\r\n".join(head).encode())
        time.sleep(0.1)
    for _ in range(200):
        if door.files() == before:
            break
        time.sleep(0.02)
    assert door.files() == before


def test_one_import_at_a_time_and_few_uploads(door):
    import fcntl

    door.client.put("/imports/lists/vip", content=NUMBERS)
    with (door.store.folder / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = door.client.put("/imports/lists/vip", content=NUMBERS)
        assert (answer.status_code, answer.headers["retry-after"]) == (409, "5")
    gate = threading.Event()

    def slow():
        yield b"msisdn\n"
        gate.wait(30)

    senders = [
        threading.Thread(
            target=httpx.put,
            args=(f"http://127.0.0.1:{door.door.port}/imports/lists/slow",),
            kwargs={"content": slow(), "headers": AUTH, "timeout": 60, "trust_env": False},
        )
        for _ in range(2)
    ]
    for sender in senders:
        sender.start()
    try:
        for _ in range(1000):
            if sum(name.startswith(".upload-") for name in door.files()) == 2:
                break
            time.sleep(0.02)
        assert door.client.put("/imports/lists/vip", content=NUMBERS).status_code == 503
        assert door.client.get("/imports").status_code == 200  # the door itself is not blocked
    finally:
        gate.set()
        for sender in senders:
            sender.join()
    assert door.client.put("/imports/lists/vip", content=NUMBERS).status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["profiles", "lists/fuzz", "do-not-disturb"]),
    st.binary(max_size=300) | st.binary(max_size=200).map(lambda b: b"imsi,msisdn,since\n" + b),
)
def test_any_body_gets_a_plain_answer(door, path, body):
    answer = door.client.put(f"/imports/{path}?bad_share=0", content=body)
    assert answer.status_code in (200, 422), answer.text
