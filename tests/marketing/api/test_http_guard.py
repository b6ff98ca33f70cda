"""Who comes in by HTTP: roles, tokens, rates, sizes, TLS, and what a platform without any token does."""

import socket
import ssl
import stat
import subprocess
import threading
import time
from contextlib import closing
from hashlib import sha256

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli import cli
from marketing.api import HttpDoor, make_app
from marketing.api.buckets import Buckets, caller_of
from marketing.api.campaigns import Reload
from marketing.api.desk import Desks
from marketing.api.guard import Keeper
from marketing.api.opening import open_door
from marketing.api.outputs import Answers
from marketing.api.routes import ROUTES, find
from marketing.api.tokens import ROLES, Token, Tokens, make_token, open_tokens
from marketing.api.uploads import Uploads
from marketing.config import ConfigError, HttpConfig, PlatformConfig
from marketing.profiles.store import Store

CLEAR = {role: f"the-token-of-a-{role}" for role in ROLES}
TOKENS = Tokens(tuple(Token(role, sha256(clear.encode()).digest()) for role, clear in CLEAR.items()))
HEALTH = {
    "healthy": True, "clock": "wall", "now_us": 1, "association": "up", "links_silent": 0, "smpp": "bound",
    "behaviours": 7, "triggers": {}, "campaigns": ["secret-plans"], "campaign_problems": [],
}  # fmt: skip


def bearer(clear):
    return {"Authorization": f"Bearer {clear}"}


class Served:
    """The whole application behind a real socket; what it does is written down."""

    def __init__(self, folder, config=None, **keeping):
        self.done, self.refused = [], []
        self.store = Store(folder / "store", "UTC")
        self.keeper = Keeper(TOKENS, on_refused=self.refused.append, **keeping)
        reload = Reload(lambda: (self._do("reload", {}), []), lambda name, keys: self._do("select", keys))
        self.answers = Answers(lambda name: [], lambda name: [])
        self.door = HttpDoor(config or HttpConfig(port=0))
        self.door.start(
            lambda: make_app(
                self.keeper,
                lambda: HEALTH,
                lambda: b"kairos_x 1\n",
                Uploads(self.store, 10_000, lambda: self._do("import", None)),
                reload,
                self.answers,
            )
        )
        self.door.wait_loaded(20)
        self.url = f"http{'s' if config and config.key else ''}://127.0.0.1:{self.door.port}"

    def _do(self, what, value):
        self.done.append(what)
        return value

    def ask(self, method, path, **options):
        return httpx.request(method, f"{self.url}{path}", timeout=20, trust_env=False, **options)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("guard"))
    yield made
    made.door.stop()


def path_of(route):
    return route.path.replace("{campaign}", "vip").replace("{name}", "vip")


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_takes_its_least_role(served, route, role):
    """What is refused has not been done; what is not refused reaches the application."""
    before = list(served.done)
    headers = {} if role is None else bearer(CLEAR[role])
    answer = served.ask(route.method, path_of(route), headers=headers, content=b"")
    if route.least is None:
        assert answer.status_code == 200
    elif role is None:
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "Authorization: Bearer" in answer.json()["detail"]
    elif ROLES.index(role) < ROLES.index(route.least):
        assert answer.status_code == 403
        assert (
            answer.json()["detail"] == f"this takes a token of role {route.least}; the one given is of {role}"
        )
    else:
        assert answer.status_code in (200, 404, 422), (
            answer.text
        )  # an empty file, no list: no longer the guard
        return
    assert served.done == before
    assert answer.headers["cache-control"] == "no-store"


def test_the_table_has_the_routes_of_the_application_and_no_others(served):
    """A route without a row would be refused to all; a row without a route would promise what is not."""
    app = make_app(
        served.keeper,
        lambda: HEALTH,
        bytes,
        Uploads(served.store, 1, lambda: None),
        Reload(lambda: ({}, []), lambda name, keys: {}),
        served.answers,
        Desks(lambda desk, msisdn: {}, lambda contact_id, said: {}),
    )
    there = {(m.upper(), path) for path, one in app.openapi()["paths"].items() for m in one}
    assert there == {(r.method, r.path) for r in ROUTES} - {("GET", "/openapi.json")}


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/metrics/", "/imports/lists/a/b", "/../healthz"])
def test_what_is_not_in_the_table_is_refused(served, path):
    with closing(socket.create_connection(("127.0.0.1", served.door.port))) as line:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n%s\r\n"
        line.sendall((head % "").encode())
        assert b" 401 " in line.recv(4096).partition(b"\r\n")[0]
    assert served.ask("GET", path.replace("/..", "/x"), headers=bearer(CLEAR["operator"])).status_code == 404
    answer = served.ask("PATCH", "/metrics", headers=bearer(CLEAR["operator"]))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Basic the-token-of-a-operator",
        "Bearer the-token-of-a-operator x",
        "the-token-of-a-operator",
        "Bearer the-token-of-a-operato",
        "Bearer " + TOKENS.known[2].digest.hex(),
        b"Bearer \xff\xfe",
    ],
)
def test_wrong_tokens(served, given):
    before = list(served.done)
    assert served.ask("POST", "/campaigns/reload", headers={"Authorization": given}).status_code == 401
    two = [("Authorization", given), ("Authorization", f"Bearer {CLEAR['operator']}")]
    assert served.ask("POST", "/campaigns/reload", headers=two).status_code == 401
    assert served.done == before


def test_health_without_a_token_says_nothing_of_business(served):
    assert set(served.ask("GET", "/healthz").json()) == {
        "healthy", "clock", "now_us", "association", "links_silent", "smpp",
    }  # fmt: skip
    assert (
        served.ask("GET", "/healthz", headers=bearer("wrong-wrong-wrong-wrong")).json().get("campaigns")
        is None
    )
    assert served.ask("GET", "/healthz", headers=bearer(CLEAR["reader"])).json() == HEALTH


def test_a_body_is_bounded_whether_or_not_it_is_announced(served):
    big, before, headers = b" " * 20_000, list(served.done), bearer(CLEAR["operator"])

    def dribbled():
        yield from (big[:5000],) * 4

    for content in (big, dribbled()):
        answer = served.ask("POST", "/campaigns/x/trigger", headers=headers, content=content)
        assert answer.status_code == 413
    assert served.done == before
    assert served.ask("POST", "/campaigns/x/trigger", headers=headers, content=b"{}").json() == {}


def test_a_body_that_does_not_come(tmp_path, monkeypatch):
    monkeypatch.setattr("marketing.api.guard.BODY_S", 0.2)
    served = Served(tmp_path)
    try:
        with closing(socket.create_connection(("127.0.0.1", served.door.port), 10)) as line:
            head = (
                f"POST /campaigns/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CLEAR['operator']}\r\n"
            )
            line.sendall(f"{head}Content-Length: 10\r\n\r\n{{".encode())
            assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
    finally:
        served.door.stop()
    assert served.done == []


def test_rates_hold_for_each_token_and_for_each_address(tmp_path):
    now = [0.0]
    served = Served(tmp_path, per_s=10.0, burst=20.0, now_s=lambda: now[0])
    try:

        def statuses(n, **headers):
            return [served.ask("GET", "/metrics", headers=headers).status_code for _ in range(n)]

        reader, desk = bearer(CLEAR["reader"]), bearer(CLEAR["desk"])
        assert statuses(20, **reader) == [200] * 20
        answer = served.ask("GET", "/metrics", headers=reader)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert served.ask("GET", "/healthz").status_code == 429  # the address is at its end for everything
        now[0] += 1.0
        assert statuses(11, **desk) == [200] * 10 + [429]
        now[0] += 100.0
        # A wrong token costs as much as ten requests.
        assert statuses(4, **bearer("wrong-wrong-wrong-wrong"))[:3] == [401, 401, 429]
        now[0] += 100.0
        assert statuses(1, **desk) == [200]
    finally:
        served.door.stop()
    assert set(served.refused) == {401, 429}


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from("ab")), max_size=80),
)
def test_no_bucket_ever_gives_more_than_burst_and_rate(per_s, burst, steps):
    """Of any window of time: at most burst + rate x its length; and others' use takes nothing away."""
    buckets, now, given = Buckets(per_s, burst), 0.0, {"a": [], "b": []}
    for pause, who in steps:
        now += pause
        wait = buckets.take(who, now)
        assert wait >= 0
        if not wait:
            given[who].append(now)
    for times in given.values():
        for i in range(len(times)):
            for j in range(i, len(times)):
                assert j - i + 1 <= burst + per_s * (times[j] - times[i]) + 1e-6


def test_callers_are_bounded_and_a_host_is_one_caller():
    buckets = Buckets(1.0, 1.0, most=10)
    for i in range(1000):
        assert buckets.take(i, 0.0) == 0.0
    assert len(buckets._kept) == 10
    assert caller_of("2001:db8::1") == caller_of("2001:db8::ffff:1") != caller_of("2001:db8:0:1::1")
    assert caller_of("::ffff:10.0.0.1") == caller_of("10.0.0.1")
    assert caller_of("testclient") == "testclient"


# ------------------------------------------------------------------ tokens


def test_a_made_token_is_shown_once_and_its_line_lets_it_in(tmp_path):
    said = CliRunner().invoke(cli, ["token", "make", "desk", "--name", "hall-3"])
    clear, line = (row.partition(": ")[2].strip() for row in said.output.splitlines())
    assert clear not in line
    (tmp_path / "tokens").write_text(f"# halls\n\n{line}\n")
    tokens = open_tokens(HttpConfig(tokens_file=tmp_path / "tokens"), tmp_path, {})
    found = tokens.who([f"Bearer {clear}".encode()])
    assert (found.role, found.name, tokens.made) == ("desk", "hall-3", None)
    assert clear not in repr(tokens)
    again, _ = make_token("desk")
    assert again != clear
    assert tokens.who([f"Bearer {again}".encode()]) is None


def test_tokens_by_the_environment(tmp_path):
    made = {role: make_token(role) for role in ROLES}
    said = ";".join(token.line() for _, token in made.values())
    tokens = open_tokens(HttpConfig(tokens_env="MINE"), tmp_path, {"MINE": said})
    assert {role: tokens.who([b"bearer " + clear.encode()]).role for role, (clear, _) in made.items()} == {
        role: role for role in ROLES
    }
    assert not (tmp_path / "operator.token").exists()


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("token_file", "", "one word of 16"),
        ("token_file", "short", "one word of 16"),
        ("token_file", "two words of some length", "one word of 16"),
        ("token_file", "zukurznicht,aberünlesbar", "one word of 16"),
        ("tokens_file", "kairos_operator_abcdefghijklmnop", "ROLE sha256:HEX"),
        ("tokens_file", "king sha256:" + 64 * "0", "reader, desk, operator"),
        ("tokens_file", "desk sha256:" + 63 * "0", "ROLE sha256:HEX"),
        ("tokens_file", "desk sha256:" + 64 * "0" + " two words", "ROLE sha256:HEX"),
    ],
)
def test_tokens_that_are_none(tmp_path, key, text, said):
    (tmp_path / "file").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        open_tokens(HttpConfig(**{key: tmp_path / "file"}), tmp_path, {})
    assert said in str(caught.value)
    assert "abcdefghijklmnop" not in str(caught.value)  # it may be a token in clear


# ------------------------------------------------------------------ where nothing is said


def platform_of(folder, **http):
    return PlatformConfig.model_construct(
        http=HttpConfig(port=0, **http), state=None, records=type("R", (), {"dir": folder / "records"})
    )


def test_without_tokens_it_is_open_to_this_machine_only_and_says_where_one_is(tmp_path, caplog, monkeypatch):
    monkeypatch.delenv("KAIROS_HTTP_TOKENS", raising=False)
    caplog.set_level("INFO")
    keeper, door = open_door(platform_of(tmp_path, host="0.0.0.0"), lambda status: None)
    try:
        made = tmp_path / "records" / "operator.token"
        assert (door.host, keeper.tokens.made) == ("127.0.0.1", made)
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
        clear = made.read_text().strip()
        assert keeper.tokens.who([f"Bearer {clear}".encode()]).role == "operator"
        assert str(made) in caplog.text
        assert clear not in caplog.text
    finally:
        door._socket.close()
    # The next start goes on with it.
    again = open_tokens(HttpConfig(), tmp_path / "records", {})
    assert again.who([f"Bearer {clear}".encode()]) is not None
    made.chmod(0o644)
    with pytest.raises(ConfigError, match="nobody else may read"):
        open_tokens(HttpConfig(), tmp_path / "records", {})
    made.unlink()
    (tmp_path / "elsewhere").write_text("a" * 40)
    made.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="nobody else may read"):
        open_tokens(HttpConfig(), tmp_path / "records", {})


def test_with_tokens_it_listens_where_it_is_told(tmp_path, caplog):
    (tmp_path / "token").write_text("a" * 40)
    keeper, door = open_door(
        platform_of(tmp_path, host="0.0.0.0", token_file=tmp_path / "token"), lambda status: None
    )
    door._socket.close()
    assert (door.host, keeper.tokens.made) == ("0.0.0.0", None)
    assert "in clear" in caplog.text


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
    command += "-subj /CN=kairos -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    try:
        subprocess.run(
            command.split(), cwd=folder, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not installed: nobody here makes certificates")
    return folder / "cert.pem", folder / "key.pem"


def test_tls(tmp_path, certificate):
    cert, key = certificate
    served = Served(tmp_path, HttpConfig(port=0, certificate=cert, key=key))
    try:
        trusting = ssl.create_default_context(cafile=str(cert))
        answer = served.ask("GET", "/metrics", headers=bearer(CLEAR["reader"]), verify=trusting)
        assert answer.status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(served.url.replace("https", "http") + "/healthz", timeout=5, trust_env=False)
    finally:
        served.door.stop()


def test_wrong_certificates_are_told_at_the_start(tmp_path, certificate):
    cert, key = certificate
    with pytest.raises(ValueError, match="go together"):
        HttpConfig(certificate=cert)
    for pair in ((key, cert), (cert, tmp_path / "none")):
        (tmp_path / "none").write_text("nothing")
        with pytest.raises(ConfigError, match="certificate and its key in PEM"):
            open_door(platform_of(tmp_path, certificate=pair[0], key=pair[1]), lambda status: None)


# ------------------------------------------------------------------ many at once


def test_too_many_connections_are_turned_away_and_the_rest_is_served(tmp_path):
    served = Served(tmp_path, HttpConfig(port=0, connections=8))
    lines = []
    try:
        for _ in range(30):
            line = socket.create_connection(("127.0.0.1", served.door.port), 5)
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")  # and nothing more
            lines.append(line)
        deadline = time.monotonic() + 20
        while served.ask("GET", "/healthz").status_code != 503:
            assert time.monotonic() < deadline
        for line in lines:
            line.close()
        while served.ask("GET", "/healthz").status_code != 200:
            assert time.monotonic() < deadline
    finally:
        served.door.stop()
    assert threading.active_count() < 20


def test_the_most_demanding_row_counts():
    assert find("POST", "/campaigns/reload").least == "operator"
    assert find("GET", "/nowhere") is None
    assert find("get", "/healthz") is None
