"""Wireshark's verdict: names, complaints and fields of each message, against ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from experiments.judge import tshark as judge_tshark
from experiments.judge.connections import own_connection
from experiments.judge.excuses import EXCUSES, Excuse
from experiments.judge.fields import FIELDS, compare
from experiments.judge.kinds import kinds_of
from experiments.judge.verdict import Verdict
from experiments.problems import BadInput
from sim.m3ua_view import view_m3ua

__all__ = ["COLUMNS", "judge_row", "judge_wireshark"]

_INFO: Final = "_ws.col.Info"
_MALFORMED: Final = "_ws.malformed"
_EXPERT: Final = "_ws.expert.message"
COLUMNS: Final = (
    _INFO, _MALFORMED, _EXPERT, *dict.fromkeys(name for f in FIELDS for name in (f.name, f.also) if name),
)  # fmt: skip

#: Wireshark's spelling of names, where it is not the specification's.
_SPELLINGS: Final = {'SAPI "n" REJECT': "SAPI 'N' REJECT"}
#: The Info column of these ends with SCCP's name: the data is what was sent, returned to its sender.
_RETURNED: Final = ("UDTS", "XUDTS", "LUDTS")
#: Messages complained of that are read a second time; more of them are no matter of a reference or two.
_READ_AGAIN: Final = 20
_FORMER: Final = "reference of a former connection"
#: What Wireshark calls malformed by an expert message alone is judged by that message.
_BY_EXPERT: Final = "_ws.malformed"


def _names(shown: Mapping[str, Any]) -> list[str]:
    """The names that the Info column must hold."""
    if shown["m3ua"] != "DATA":
        return [shown["m3ua"].replace(" ", "_")]
    if shown.get("sccp") in _RETURNED:
        return [shown["sccp"]]
    found = [shown[key] for key in ("sccp", "bssmap", "dtap", "rp") if key in shown]
    return [_SPELLINGS.get(name, name) for name in found]


def judge_row(
    row: Mapping[str, Sequence[str]], shown: Mapping[str, Any]
) -> tuple[list[str], list[str], list[str]]:
    """(complaints, fields compared, excuses needed) of one message."""
    excuses = [excuse for excuse in EXCUSES if excuse.when(shown)]
    needed: dict[str, None] = {}
    complaints = []

    def excused(test: Any) -> bool:
        for excuse in excuses:
            if test(excuse):
                needed[excuse.name] = None
                return True
        return False

    experts = row.get(_EXPERT, ())
    malformed = [text for text in row.get(_MALFORMED, ()) if text != _BY_EXPERT]
    for text in malformed:
        if not excused(lambda excuse: excuse.malformed):
            complaints.append(f"{text} in {_title(shown)}")
    for text in experts:
        if text.startswith("Malformed Packet") and malformed:
            continue
        if not excused(lambda excuse, text=text: excuse.lets_pass(text)):
            complaints.append(f"{text} in {_title(shown)}")
    info = row.get(_INFO, ("",))[0].upper()
    hidden = any(excuse.malformed or excuse.fields("gsm_a.bssmap.msgtype") for excuse in excuses)
    for name in _names(shown):
        if name.upper() not in info and not hidden:
            complaints.append(f"named {info!r} in {_title(shown)}")
    compared, wrong = compare(row, shown)
    for disagreement in wrong:
        if not excused(lambda excuse, d=disagreement: _covers(excuse, d)):
            complaints.append(f"{disagreement.field} in {_title(shown)}\n{disagreement}")
    return complaints, compared, list(needed)


def _covers(excuse: Excuse, disagreement: Any) -> bool:
    """A padded USSD string is excused for the padding alone."""
    if excuse.fields(disagreement.field):
        return True
    padded = tuple(text.removesuffix("\\r") for text in disagreement.theirs if isinstance(text, str))
    return excuse.fields(f"{disagreement.field}+cr") and set(disagreement.ours) <= set(padded)


def _title(shown: Mapping[str, Any]) -> str:
    """The message by its names, so that the same complaints can be counted."""
    names = [f"{protocol}: {name}" for protocol, name in kinds_of(shown)]
    return " / ".join(name for name in names if name != "M3UA: DATA")


def judge_wireshark(messages: list[bytes]) -> Verdict:
    """What Wireshark says of M3UA messages; `BadInput` where it is not installed.

    What it complains of is read again with nothing before it but its own connection, and stands if it is
    complained of again (`experiments.judge.connections`).
    """
    if judge_tshark.available() is None:
        raise BadInput(
            "tshark is not installed: apt-get install tshark, or judge by another (--judge pycrate)"
        )
    verdict = Verdict("tshark", judge_tshark.version())
    again = 0
    for at, row in enumerate(judge_tshark.say(messages, COLUMNS)):
        octets = messages[at]
        shown = view_m3ua(octets)
        complaints, compared, needed = judge_row(row, shown)
        if complaints and again < _READ_AGAIN and len(own := own_connection(messages, at)) > 1:
            again += 1
            *_, row = judge_tshark.say(own, COLUMNS)
            second = judge_row(row, shown)
            if not second[0]:
                complaints, compared, needed = second[0], second[1], [*second[2], _FORMER]
        verdict.messages += 1
        verdict.compared.update(compared)
        verdict.excused.update(needed)
        verdict.complaints += [(what, octets.hex()) for what in complaints]
        blind = any(
            excuse.malformed or excuse.fields("gsm_a.bssmap.elem_id")
            for excuse in EXCUSES
            if excuse.name in needed
        )
        if not complaints and not blind:
            verdict.confirmed.update(f"{protocol}: {name}" for protocol, name in kinds_of(shown))
            _count_elements(verdict, shown)
    return verdict


def _count_elements(verdict: Verdict, shown: Mapping[str, Any]) -> None:
    if "bssmap" in shown:
        verdict.elements.update(f"{shown['bssmap']}: {name}" for name in shown.get("ies", {}))
    elif "dtap" in shown:
        verdict.elements.update(f"{shown['dtap']}: {name}" for name in shown.get("ies", {}))
