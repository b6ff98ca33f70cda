"""Bad input at every door of a running platform: a clear answer, and the running campaigns undisturbed."""

import contextlib
import json
import threading
import time

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp import pdu
from smpp.errors import EncodeError
from smpp.tlv import Tlv

DAY = "2009-03-02"
GOOD = {
    "campaign": "fresh",
    "title": "t",
    "scene": {"begin": {"behaviour": "handover"}},
    "offer": "o",
    "content": {"en": "fresh"},
    "originator": "10086077",
}


def changed(**keys):
    return yaml.safe_dump({**GOOD, **keys})


DEEP = "!(" * 300 + "profile.age > 1" + ")" * 300
WIDE = f"profile.age in [{', '.join(map(str, range(400)))}]"
LONG = " && ".join(f"profile.age != {n}" for n in range(2000))
ALIASES = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
THEN = {
    "begin": {"behaviour": "handover"},
    "then": [{"followed_by": {"behaviour": "sms_sent"}, "times": 10**9}],
}

CAMPAIGNS = {
    "no YAML": ("campaign: [", "not YAML"),
    "a wrong key": (changed(offfer="o"), "no such key"),
    "a wrong behaviour": (changed(scene={"begin": {"behaviour": "handovr"}}), "did you mean 'handover'"),
    "a name that another has": (changed(campaign="hang-up-sms"), "a name of its own"),
    "a sender that another has": (changed(originator="1008603"), "a sender of its own"),
    "a place that no cell has": (
        changed(scene={**GOOD["scene"], "where": {"places": ["airprt"]}}),
        "airport",
    ),
    "days that contradict": (
        changed(
            scene={**GOOD["scene"], "when": {"days": ["sun"]}},
            valid={"from": "2009-03-02", "until": "2009-03-04"},
        ),
        "no day of valid",
    ),
    "places that contradict": (
        changed(
            scene={"begin": {"behaviour": "handover", "place": "mall"}, "where": {"places": ["airport"]}}
        ),
        "can never be complete",
    ),
    "a condition that contradicts itself": (changed(audience="now.on && !now.on"), "can never hold"),
    "conditions that contradict": (
        changed(audience="now.hour > 12", scene={**GOOD["scene"], "when": {"hours": ["06:00-09:00"]}}),
        "can never hold",
    ),
    "an unknown feature": (changed(audience="profile.shoe_size > 40"), "shoe_size"),
    "an unknown feature of BOSS": (changed(boss="boss.shoe_size > 40"), "shoe_size"),
    "types that do not fit": (changed(audience='profile.age > "x"'), "audience"),
    "deep nesting": (changed(audience=DEEP), "more than 40 deep"),
    "a huge list": (changed(audience=WIDE), "more than 200 in one list"),
    "a huge text": (changed(audience=LONG), "2000"),
    "a huge count": (changed(scene=THEN), "expected at most"),
    "a bomb of aliases": (ALIASES, "more than"),
    "a huge file": ("# " + "x" * 3_000_000, "campaign"),
}

LISTS = {
    "no numbers": ("lists/vip", b"msisdn\n" + b"abc\n" * 5_000, "5000 of 5000 rows"),
    "no header": ("lists/vip", b"\x00\x01\x02", ""),
    "an extract without people": ("profiles", b"imsi,msisdn\n" + b"1,2\n" * 2_000, "2000 of 2000 rows"),
    "an extract without numbers": ("profiles", b"name\nAnn\n", "msisdn"),
    "a list of dates": ("do-not-disturb", b"msisdn,since\n8613900000001,yesterday\n", "1 of 1 rows"),
}


class Running:
    """A live platform and a subscriber who has not been contacted yet, again and again."""

    def __init__(self, platform, town, tmp_path):
        self.town, self.folder = town, tmp_path / "watched"
        self.folder.mkdir()
        self.one = platform(
            mode="live",
            clock={"mode": "live", "start_s": 36_000, "factor": 1.0},
            campaigns_dir=str(self.folder),
            imports={"dir": "imports", "poll_s": 0.05},
        )
        url, headers = self.one.door
        self.door = httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers)
        self.called = 0
        self.before = self.running()

    def running(self):
        state = self.one.server.engine.state
        return (
            [c.campaign for c in state.campaigns],
            len(state.profiles),
            sorted(state.profiles.lists.by_name),
        )

    def undisturbed(self):
        """A call to the hotline still becomes a contact, and all that was in force is."""
        one, count = self.one, len(self.one.centre.submits)
        one.push(
            {
                "t": f"{DAY} 10:00:{self.called:02d}",
                "sub": self.called,
                "kind": "call_ended",
                "role": 1,
                "peer": b"10086",
            }
        )
        self.called += 1
        one.until(lambda: len(one.centre.submits) == count + 1)
        assert self.running() == self.before
        assert self.door.get("/healthz").json()["healthy"]


@pytest.fixture
def running(platform, town, tmp_path):
    made = Running(platform, town, tmp_path)
    with made.door:
        yield made
    assert made.one.stop() == 0
    assert not made.one.server.reason


def test_wrong_campaigns_leave_the_others_running(running):
    path = running.folder / "fresh.yaml"
    for name, (text, said) in CAMPAIGNS.items():
        path.write_text(text)
        began = time.monotonic()
        answer = running.door.post("/campaigns/reload")
        assert answer.status_code == 422, name
        problems = json.dumps(answer.json())
        assert "fresh.yaml" in problems, name
        assert said in problems, (name, problems[:500])
        assert len(problems) < 20_000, name
        assert time.monotonic() - began < 30, name
        assert running.door.get("/healthz").json()["campaign_problems"], name
        running.called %= 20
        if running.called < 18:
            running.undisturbed()
    path.write_text(changed())
    assert running.door.post("/campaigns/reload").json()["added"] == ["fresh"]
    assert running.door.get("/healthz").json()["campaign_problems"] == []
    running.one.push({"t": f"{DAY} 10:01", "sub": 19, "kind": "handover"})
    running.one.until(lambda: any(s.source_addr == "10086077" for s in running.one.centre.submits))


def test_wrong_imports_leave_what_is_in_force(running):
    for name, (path, body, said) in LISTS.items():
        answer = running.door.put(f"/imports/{path}", content=body)
        assert answer.status_code == 422, (name, answer.text)
        assert said in answer.text, (name, answer.text[:500])
        running.undisturbed()
    # The same by the watched folder, where nobody waits for an answer.
    incoming = running.one.folder / "imports" / "incoming"
    for at, (path, body, _) in enumerate(LISTS.values()):
        folder = incoming / path.partition("/")[0]
        folder.mkdir(exist_ok=True)
        (folder / f"vip{at}.part").write_bytes(body)
        (folder / f"vip{at}.part").rename(folder / f"vip{at}.csv")
    running.one.until(lambda: not [p for p in incoming.rglob("*.csv") if "error" not in p.name])
    running.undisturbed()


def test_a_list_with_a_million_bad_rows_disturbs_nobody_while_it_is_read(running):
    """Contacts go on being made meanwhile."""
    body = b"msisdn\n" + b"abc\n" * 1_000_000
    answers = []
    upload = threading.Thread(
        target=lambda: answers.append(running.door.put("/imports/lists/vip", content=body))
    )
    upload.start()
    meanwhile = 0
    while upload.is_alive() and running.called < 18:
        running.undisturbed()
        meanwhile += 1
    upload.join()
    (answer,) = answers
    assert answer.status_code == 422
    assert "1000000 of 1000000 rows" in answer.text
    assert len(answer.content) < 100_000
    assert meanwhile
    running.undisturbed()


texts = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20)
deliveries = st.builds(
    pdu.DeliverSm,
    source_addr=texts,
    destination_addr=texts | st.just("1008603"),
    esm_class=st.integers(0, 255),
    protocol_id=st.integers(0, 255),
    data_coding=st.integers(0, 255),
    short_message=st.binary(max_size=140)
    | st.sampled_from([b"TD", b"id:1 stat:DELIVRD err:0", b"\x05\0\3\1\2\3x"]),
    tlvs=st.lists(
        st.builds(
            Tlv,
            st.sampled_from([0x001E, 0x0427, 0x0424, 0x020C, 0x020E, 0x020F]) | st.integers(0, 0xFFFF),
            st.binary(max_size=12),
        ),
        max_size=3,
    ).map(tuple),
)


def test_whatever_the_message_centre_delivers_is_answered(running):
    """Strange senders, codings, receipts and pieces; no stop code of a subscriber of ours is among them."""

    @settings(max_examples=100, deadline=None)
    @given(deliveries)
    def hold(body):
        with contextlib.suppress(EncodeError):  # what no centre can send
            assert running.one.centre.deliver(body) is not None

    hold()
    running.undisturbed()


SELECTIONS = {
    "no JSON": (b"{", "expected a JSON object"),
    "a list": (b"[]", "expected a JSON object"),
    "too deep for JSON": (b"[" * 16_000, "expected a JSON object"),
    "too long": (b" " * 2_000_000 + b"{}", "octets"),
    "an unknown key": (b'{"audiense": "now.on"}', "audien"),
    "an unknown feature": (b'{"audience": "profile.shoe_size > 1"}', "shoe_size"),
    "no expression": (b'{"audience": 5}', "audience"),
    "an expression bomb": (json.dumps({"audience": DEEP}).encode(), "more than 40 deep"),
    "no such delivery": (b'{"deliver": "pigeon"}', "deliver"),
    "another's file": (b'{"targets": "../../../etc/passwd"}', "no target list"),
}


def test_wrong_selections_select_nobody(running):
    for name, (body, said) in SELECTIONS.items():
        answer = running.door.post("/campaigns/hang-up-sms/trigger", content=body)
        assert answer.status_code in (413, 422), (name, answer.text)
        assert said in answer.text, (name, answer.text)
    assert running.door.post("/campaigns/nobody/trigger").status_code == 404
    assert running.one.centre.submits == []
    running.undisturbed()

    keys = st.sampled_from(["audience", "targets", "deliver", "x"])
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    )

    @settings(max_examples=80, deadline=None)
    @given(
        st.binary(min_size=1, max_size=60).map(b"!".__add__)
        | st.dictionaries(keys, values, min_size=1).map(encoded)
    )
    def hold(body):
        sent = len(running.one.centre.submits)
        # `x` is no key: whatever else stands there, nobody is to be selected.
        answer = running.door.post("/campaigns/hang-up-sms/trigger", content=body)
        assert answer.status_code == 422, answer.text
        assert len(running.one.centre.submits) == sent

    hold()


def encoded(keys):
    return json.dumps({**keys, "x": 1}).encode()
