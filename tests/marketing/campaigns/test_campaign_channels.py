"""Channels that campaigns may name: what is refused, and what each of them says."""

import pytest

from marketing.campaigns import CHANNEL_CODES, CHANNELS, describe, load
from marketing.config import ConfigError
from marketing.contact.rules_file import CHANNELS as RULES_CHANNELS

HEAD = """\
campaign: alert
title: Alert
offer: alert
content: {zh: 你好, en: "Hello {place|there}"}
originator: "1008601"
"""
SCENE = "scene: {begin: {behaviour: call_ended}}\n"
WAP = "wap: {url: 'http://wap.example.com/n'}\n"
MMS = "mms: {subject: {zh: 你好}, files: [a.jpg]}\n"


def loaded(tmp_path, rest):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + bytes(100))
    (tmp_path / "large.gif").write_bytes(bytes(100_001))
    (tmp_path / "a.exe").write_bytes(b"MZ")
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + rest, encoding="utf-8")
    return load(path)


WRONG = [
    (SCENE + "channels: [wap]\n", "wap", "this key is needed"),
    (SCENE + "channels: [mms, sms]\n", "mms", "this key is needed"),
    (SCENE + WAP, "wap", "channels does not name it"),
    (SCENE + MMS, "mms", "channels does not name it"),
    (SCENE + "channels: [sms, sms]\n", "channels", "named twice"),
    (SCENE + "channels: []\n", "channels", "at least 1"),
    (SCENE + "channels: [wpa]\n" + WAP, "channels[0]", "Did you mean 'wap'"),
    (
        SCENE + "channels: [wap]\nwap: {url: 'javascript:alert(1)'}\n",
        "wap.url",
        "begins with http:// or https://, ASCII",
    ),
    (
        SCENE + "channels: [wap]\nwap: {url: 'http://a b'}\n",
        "wap.url",
        "begins with http:// or https://, ASCII",
    ),
    (SCENE + "channels: [mms]\nmms: {subject: {zh: x}, files: [a.exe]}\n", "mms.files", "expected a picture"),
    (SCENE + "channels: [mms]\nmms: {subject: {zh: x}, files: [large.gif]}\n", "mms.files", "at most 100000"),
    (SCENE + "channels: [mms]\nmms: {subject: {zh: x}, files: [b.gif]}\n", "mms.files[0]", "there is no"),
    (SCENE + "channels: [hall]\n", "channels", "needs mode desk"),
    ("mode: desk\n", "channels", "hall, hotline and web only"),
    ("mode: desk\nchannels: [hall]\n" + SCENE, "mode", "neither the key scene nor the key group"),
]


@pytest.mark.parametrize(("rest", "key", "said"), WRONG, ids=[f"{w[1]} {w[2]}" for w in WRONG])
def test_mistakes_are_said_with_their_key(tmp_path, rest, key, said):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, rest)
    (found,) = error.value.problems
    assert found.key == key
    assert said in str(found)


def test_a_long_content_needs_a_title_for_the_link(tmp_path):
    content = HEAD.replace("你好", "好" * 121)
    path = tmp_path / "c.yaml"
    path.write_text(content + SCENE + "channels: [wap]\n" + WAP, encoding="utf-8")
    with pytest.raises(ConfigError, match="needs a title"):
        load(path)


def test_each_channel_says_its_own_and_else_the_content(tmp_path):
    rest = (
        "channels: [mms, wap, sms]\nwap: {url: 'http://x.example/', title: {zh: 标题, en: 'Read {offer}'}}\n"
    )
    campaign = loaded(tmp_path, SCENE + rest + MMS)
    assert campaign.render("en", {"place": "mall"}) == "Hello mall"
    assert campaign.render("en", None, "wap") == "Read alert"
    assert campaign.render("zh", None, "wap") == "标题"
    assert campaign.render("zh", None, "mms") == "你好"
    assert campaign.placeholders == {"place", "offer"}
    said = "\n".join(line for _, lines in describe(campaign) for line in lines)
    assert "mms: multimedia message: subject, text, pictures; where terminal.mms is true" in said
    assert "wap: a link to http://x.example/" in said
    assert "then the pictures a.jpg" in said


def test_a_campaign_of_desks_is_described_as_what_it_is(tmp_path):
    campaign = loaded(tmp_path, "mode: desk\nchannels: [hall, hotline]\n")
    said = "\n".join(line for _, lines in describe(campaign) for line in lines)
    assert "when the customer comes by itself to hall or hotline" in said
    assert "an offer of alert is on the screen of hall or hotline" in said


def test_confirmations_are_filled_in_the_subscribers_language(tmp_path):
    campaign = loaded(
        tmp_path, SCENE + "reply: {order: ['1'], confirmation: {zh: '已开通{offer}', en: Done}}\n"
    )
    assert campaign.confirm("zh") == "已开通alert"
    assert campaign.confirm("en") == "Done"
    assert campaign.confirm("") == "已开通alert"
    assert loaded(tmp_path, SCENE).confirm("zh") == ""


def test_names_fit_the_ledgers_column_and_codes_never_change():
    assert all(len(name) <= 12 for name in CHANNELS)
    assert tuple(CHANNELS) == RULES_CHANNELS  # whose places are bits in the ledger
    assert CHANNEL_CODES == {
        "sms": 0, "wap": 1, "mms": 2, "outbound": 3, "bulk-sms": 4,
        "email": 5, "direct-mail": 6, "hall": 7, "hotline": 8, "web": 9,
    }  # fmt: skip
