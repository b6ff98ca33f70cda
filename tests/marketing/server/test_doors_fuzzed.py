"""Every door of the platform, given anything: what is wrong is said in the door's way, and that is all.

| door | held by |
| --- | --- |
| campaign files, their lists, configuration, policy, dated lists | this file |
| segments, terminals, cells, origins of visitors | this file |
| campaigns dropped into the watched folder, `POST /campaigns/reload` | this file |
| `GET /statistics/NAME`, `GET /outbound/NAME` | this file |
| `POST /campaigns/NAME/trigger` of a running platform | `server/test_bad_input.py` |
| values in campaign files; texts | `campaigns/test_campaign_scenes.py` |
| expressions | `expressions/test_expression_errors.py`, over BOSS this file |
| extract (CSV, Parquet), lists | `profiles/test_typed_columns.py`, `profiles/test_import_store.py` |
| imports by HTTP | `api/test_uploads.py` |
| every route by its description (schemathesis) | `server/test_http_schema.py` |
| octets at the HTTP port | `server/test_hostile_signalling.py` |
| what a message centre sends and answers | `server/test_hostile_smsc.py` |
| files of others: names, links, bombs, the watched folder | `server/test_foreign_files.py` |
| what BOSS answers | `profiles/test_boss_query.py` |
| signalling at a running platform | `server/test_hostile_signalling.py` |
| what the message centre delivers, at a running platform | `server/test_bad_input.py` |
| SMPP octets and PDUs | `tests/smpp/test_smpp_session.py`, `test_smpp_pdu.py`, `test_smpp_text.py` |
| what an SCTP association delivers | `collect/test_collector_fuzzed.py` |
| M3UA in any order | `tests/sigtran/test_m3ua_association.py`, `test_m3ua_codec.py` |
| M3UA, SCCP and BSSAP octets | `decode/test_columns_fuzz.py`, `correlate/`, `tests/fuzz/` |
| captures | `tests/fuzz/`, `tests/sigtran/test_capture_reading.py` |
| state folder | `engine/test_engine_restart.py`, `server/test_outputs_restart.py` |
"""

import contextlib
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.api import HttpDoor, make_app
from marketing.api.campaigns import Reload
from marketing.api.guard import Keeper
from marketing.api.outputs import Answers
from marketing.api.tokens import Token, Tokens
from marketing.campaigns import load, load_all, read_numbers, read_targets
from marketing.config import ConfigError, HttpConfig, load_config
from marketing.contact import load_policy
from marketing.expressions import BOSS_CATALOGUE, ExpressionError, compile_expression
from marketing.outputs import load_origins
from marketing.profiles import load_cells, load_segments, load_terminals, read_dated_list
from marketing.reloading import CampaignFolder
from marketing.workers import LocalHost

SCENARIOS = Path(__file__).parents[3] / "scenarios"
CAMPAIGN = (SCENARIOS / "campaigns" / "airport-travel.yaml").read_bytes()
TERMINALS = b"""tac_from,tac_to,model,maker,gprs,edge,wap,mms,java,price_class,year
35000001,35000099,N70,Nokia,true,false,true,true,true,2,2005
35000100,35000199,C100,Samsung,false,,false,false,false,1,
"""
CONFIG = b"""subscribers: people.csv
cells: cells.csv
policy: policy.yaml
records: {dir: out}
boss: {url: "http://127.0.0.1:1", query: {timeout_s: 1.5}}
clock: {mode: live, epoch: 2009-03-02T00:00:00}
"""


def as_group(path):
    return read_targets(SimpleNamespace(targets=path, day=1))


DOORS = {
    "campaign": (CAMPAIGN, load),
    "campaigns together": (CAMPAIGN, lambda path: load_all([path], places=["airport"])),
    "target list": (b"msisdn\n8613900000001\n8613900000002\n", read_numbers),
    "group list": (b"msisdn,day\n8613900000001,2\n8613900000002,\n", as_group),
    "policy": ((SCENARIOS / "policies" / "default.yaml").read_bytes(), load_policy),
    "segments": (next((SCENARIOS / "audiences").glob("*.yaml")).read_bytes(), load_segments),
    "terminals": (TERMINALS, load_terminals),
    "dated list": (
        b"msisdn,since\n8613900000001,2009-03-02T10:00:00\n8613900000002,\n",
        lambda path: read_dated_list(path, "Asia/Shanghai"),
    ),
    "origins": (b"imsi_prefix,origin\n46000,home\n4600012345,next\n", load_origins),
    "cells": (b"lac,ci,place,kind\n4369,7,airport,macro\n8738,9,,micro\n", load_cells),
    "configuration": (CONFIG, load_config),
}
STRANGE = (b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"\n", b"\r", b",", b": ", b"- ", b"{", b"[", b"&a *a ")
STRANGE += (b"9" * 5000, b"x" * 140_000, b"!!python/object:os.system", b"\xe2\x80\xae", b"1e999", b"-1", b"#")


@st.composite
def damaged(draw, good):
    """A sound file with a few places cut out, repeated, or replaced by what is strange; or any octets."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    octets = good
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(octets)))
        end = min(len(octets), at + draw(st.integers(0, 12)))
        new = draw(st.sampled_from(STRANGE) | st.binary(max_size=4) | st.just(octets[at:end] * 2))
        octets = octets[:at] + new + octets[end:]
    return octets


EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("door", DOORS)
def test_the_sound_file_is_taken(door, tmp_path):
    good, read = DOORS[door]
    for name in ("people.csv", "cells.csv", "policy.yaml"):
        (tmp_path / name).write_text("")
    path = tmp_path / "file"
    path.write_bytes(good)
    assert read(path) is not None


def problems_of(read, path):
    """Empty where it is taken."""
    try:
        read(path)
    except ConfigError as error:
        return error.problems or [SimpleNamespace(expected="")]
    return ()


@pytest.mark.parametrize("door", DOORS)
def test_any_file_is_taken_or_explained(door, tmp_path):
    good, read = DOORS[door]
    path = tmp_path / "file"

    @EXAMPLES
    @given(damaged(good))
    def hold(octets):
        path.write_bytes(octets)
        assert all(problem.expected for problem in problems_of(read, path))

    hold()


def test_any_file_dropped_into_the_folder_leaves_the_campaigns_running(town, tmp_path):
    state = town.engine_state(town.campaign())
    watch = CampaignFolder(LocalHost(state), (), tmp_path, lambda prepared: None, ["100860"])

    @EXAMPLES
    @given(damaged(CAMPAIGN.replace(b"airport-travel", b"dropped")))
    def hold(octets):
        (tmp_path / "dropped.yaml").write_bytes(octets)
        prepared = watch.look(anyway=True)
        assert (prepared is None) == bool(watch.problems)
        assert [c.campaign for c in state.campaigns] == ["alert"]

    hold()


PIECES = [
    "boss.balance",
    "boss.services",
    "boss",
    ".",
    "(",
    ")",
    "[",
    "]",
    '"mms"',
    "in",
    "&&",
    "!",
    ">=",
    "50.0",
]
PIECES += ["size", "has(", "duration(", "9" * 40, "profile.age", "? :", "\x00", "--", "//", "\n"]


@EXAMPLES
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=20).map(" ".join))
def test_any_text_is_a_condition_for_boss_or_refused(text):
    with contextlib.suppress(ExpressionError):
        made = compile_expression(text, BOSS_CATALOGUE)
        assert all(name.startswith("boss.") for name in made.reads)


@pytest.fixture(scope="module")
def reload_door():
    """The HTTP door with a count of reloads."""
    asked = []

    def now():
        asked.append(1)
        return {"added": [], "changed": [], "removed": []}, []

    def select(name, keys):
        raise LookupError(name)

    door = HttpDoor(HttpConfig(host="127.0.0.1", port=0))
    keeper = Keeper(Tokens((Token("operator", sha256(b"the-token").digest()),)))
    door.start(lambda: make_app(keeper, dict, lambda: b"", None, Reload(now, select)))
    door.wait_loaded(20)
    with httpx.Client(base_url=f"http://127.0.0.1:{door.port}", timeout=20, trust_env=False) as client:
        yield client, asked
    door.stop()


@pytest.fixture(scope="module")
def answer_door():
    """The HTTP door with what two campaigns have made."""
    made = {"a": [{"n": 1}], "b-2": []}
    door = HttpDoor(HttpConfig(host="127.0.0.1", port=0))
    keeper = Keeper(Tokens((Token("operator", sha256(b"the-token").digest()),)))
    answers = Answers(made.get, made.get)
    door.start(lambda: make_app(keeper, dict, lambda: b"", None, None, answers))
    door.wait_loaded(20)
    with httpx.Client(base_url=f"http://127.0.0.1:{door.port}", timeout=20, trust_env=False) as client:
        yield client, made
    door.stop()


@settings(EXAMPLES, max_examples=80)
@given(
    st.sampled_from(["statistics", "outbound"]),
    st.sampled_from(["a", "b-2"]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["Bearer the-token"] * 4 + ["Bearer other", ""]),
)
def test_any_name_is_answered_or_not_there(answer_door, door, name, authorization):
    client, made = answer_door
    path = quote(name, safe="")
    answer = client.get(f"/{door}/{path}", headers={"authorization": authorization})
    if name in made and authorization == "Bearer the-token":
        assert (answer.status_code, answer.json()["rows"]) == (200, made[name])
    else:
        assert answer.status_code in (307, 401, 404), answer.text


header = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)


@settings(EXAMPLES, max_examples=50)
@given(
    st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    header | header.map("Bearer ".__add__) | st.just("bearer the-token") | st.just("Bearer the-token "),
    st.binary(max_size=2000),
    st.sampled_from(["", "/", "/..", "?a=1", "?" + "x" * 3000, "/%00", "%2f"]),
)
def test_any_request_reloads_only_with_the_token(reload_door, method, authorization, body, rest):
    client, asked = reload_door
    before = len(asked)
    headers = {"authorization": authorization.strip().encode("latin-1")}
    answer = client.request(method, f"/campaigns/reload{rest}", headers=headers, content=body)
    scheme, _, token = authorization.strip().partition(" ")
    may = (scheme.lower(), token.strip()) == ("bearer", "the-token")
    assert answer.status_code in ((200, 404, 405) if may else (401,)), answer.text
    assert len(asked) - before == (answer.status_code == 200)
    assert client.post("/campaigns/reload", headers={"authorization": "Bearer the-token"}).status_code == 200
