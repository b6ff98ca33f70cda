"""Short messages that people mean to send or that come in for them: single ones, evening bursts, festivals.

Multimedia messages show on the A interface as the text that tells of them (the message itself travels over
GPRS). Long texts in several parts are not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import U32, scale, threshold_q32
from sim.scenario import DAY_US
from sim.subscribers import usage_profiles as profiles
from sim.subscribers import usage_trains as trains
from sim.subscribers.habitat import Habitat
from sim.subscribers.population import SERVICES
from sim.subscribers.usage_arrivals import Arrivals, Rows, Span, at_most_one, poisson, rows_on
from sim.subscribers.usage_numbers import (
    MMS_LINE,
    RIVAL,
    Numbers,
    contact_numbers,
    friends,
    own_numbers,
)
from sim.subscribers.usage_trains import TRAIN_LONGEST_US, Said

I64 = NDArray[np.int64]

# Kinds of texts.
TEXT_INSIDE, TEXT_OUT, TEXT_IN = 1, 2, 3
STREAMS: Final = 8
"""Ordinals of the processes of one table interleave: ordinal = 8 k + process."""
OWN, INCOMING, CHAT, MMS, FESTIVE, ANSWERS, CHAT_ANSWERS = 0, 1, 2, 3, 4, 6, 7
"""The processes; a festival's is 4 or 5 by its day, as it may reach into the next one's."""

EVERYDAY: Final = (
    "到了吗？", "今晚一起吃饭", "好的", "生日快乐！", "我在开会，等会儿打给你", "明天几点？", "收到",
    "路上堵车，晚到十分钟", "OK", "Where are you?", "Happy birthday!", "See you at 8", "周末去爬山吧",
    "妈，我到家了", "作业写完了吗", "票买好了，两张", "帮我带一份早饭，谢谢", "Call me back",
    "老地方见", "火车晚点了，大概九点半才能到站，你先吃饭吧，不用等我",
    "Meeting moved to Room 305, 3 pm. Bring the contract and two copies of the price list, please.",
    "On m'a dit que tu es déjà à la gare?", "Σε πέντε λεπτά", "Буду через час",
    "明早七点半在学校东门集合，带上学生证和水，迟到的自己坐公交车去，车费回来找班长报销，别忘了通知三班的同学",
)  # fmt: skip
"""Texts of every day, in the default alphabet (Latin and Greek letters) and in UCS2."""
SHORT_ONES: Final = (
    "在干嘛", "没事", "呵呵", "真的？", "嗯", "不会吧", "早点睡", "晚安", "在看电视", "无聊死了", "想你了",
    "haha", "ok la", "88", "Good night", "等下再说", "谁告诉你的", "笑死我了", "你猜", "我也是",
)  # fmt: skip
"""What goes to and fro in the evening."""
GREETINGS: Final = (
    "新年快乐，万事如意！", "祝您和家人身体健康，阖家欢乐！", "恭喜发财，红包拿来！", "给您拜年了！",
    "爆竹声声辞旧岁，瑞雪纷纷迎新春。祝您在新的一年里事业顺利，财源广进，全家平安，笑口常开！",
    "Happy New Year!", "Best wishes to you and your family for a happy and prosperous new year.",
    "月圆人圆事事圆，祝节日快乐！", "过节好！", "同乐同乐！",
)  # fmt: skip
"""What is sent at festivals."""
MMS_NOTICES: Final = ("您收到一条彩信，请登录网站查看。", "You have got a multimedia message.")
"""How a text tells of a multimedia message."""
TEXTS: Final = EVERYDAY + SHORT_ONES + GREETINGS + MMS_NOTICES
"""All wordings; `Texts.text_id` is an index into it."""

_CHATS: Final = len(EVERYDAY)
_WISHES: Final = _CHATS + len(SHORT_ONES)
_NOTICES: Final = _WISHES + len(GREETINGS)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Text intents, sorted by (t_us, sub, ordinal); `sub` is the sender, in TEXT_IN the receiver."""

    t_us: I64
    """When it is sent (for TEXT_IN: when it reaches the message centre), microseconds since the epoch."""
    sub: I64
    ordinal: NDArray[np.int32]
    """Unique per subscriber and day."""
    kind: NDArray[np.uint8]
    peer_sub: NDArray[np.int32]
    """Receiver of TEXT_INSIDE, else -1."""
    peer_number: Numbers
    """Destination; for TEXT_IN the originator; S20."""
    text_id: NDArray[np.uint8]
    """Index into TEXTS."""


def own_said(world: Habitat, rows: Rows, span: Span) -> tuple[Said, Said]:
    """Texts of trains other than chats: those sent, and answers that come in; rows as in `own_texts`."""
    early = (span[0] - TRAIN_LONGEST_US, span[1])
    segment, like, rate = _rates(world, rows)
    curve, rate = profiles.TEXTS, trains.single_rate(rate, segment)
    lines = profiles.rows_of(segment, like, curve)
    begun = poisson(world.draws, "text_own", rows, rate, curve, lines, early)
    sent, received = trains.spoken(world, begun, trains.SINGLE, span[0])
    return sent.within(*span), received.within(*span)


def own_texts(world: Habitat, rows: Rows, span: Span) -> Texts:
    """Texts to friends and to the competitor's network, and the answers to them.

    `rows` begin with the day of TRAIN_LONGEST_US before the span. Answers within a family are texts of
    whoever answers: to have all texts of somebody, give the rows of the whole family.
    """
    sent, received = own_said(world, rows, span)
    return _both(world, sent, received, (OWN, ANSWERS), (EVERYDAY, 0))


def incoming_texts(world: Habitat, rows: Rows, span: Span) -> Texts:
    """Texts from other networks that answer nothing."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    rate = world.population.text_in_rate_q16[rows.sub].astype(np.int64)
    rate = rate * profiles.TEXT_WEEK[segment, like] >> 16
    answers = [trains.answers(world.scenario, segment) for segment in range(len(profiles.LEANINGS))]
    left = [1.0 - chats - others for _, chats, others in answers]
    rate = rate * np.array([int(share * 65536.0 + 0.5) for share in left], dtype=np.int64)[segment] >> 16
    curve = profiles.TEXTS
    found = poisson(world.draws, "text_in", rows, rate, curve, profiles.rows_of(segment, like, curve), span)
    u = found.details(world.draws, "text_in_detail", 1, stride=1)
    number = contact_numbers(
        world, found.sub, np.full(len(found), RIVAL, dtype=np.int64), u[1], dialled=False
    )
    return _received(found, STREAMS * found.k + INCOMING, number, _one_of(EVERYDAY, 0, u[2]))


def festive_arrivals(world: Habitat, who: I64, span: Span) -> list[tuple[Arrivals, int]]:
    """Greetings on top of the ordinary at each busy time, and the process that they are of."""
    tables = []
    for busy in profiles.busy_times(world.scenario, *span):
        if not busy.text_q16:
            continue
        rows = rows_on(world, who, range(busy.day, busy.day + 1))
        rate = world.population.text_rate_q16[rows.sub].astype(np.int64) * busy.text_q16 >> 16
        nothing = np.zeros(len(rows), dtype=np.int64)
        start_us = busy.start_us - busy.day * DAY_US
        found = poisson(world.draws, "text_festive", rows, rate, busy.curve, nothing, span, start_us)
        tables.append((found, FESTIVE + (busy.day & 1)))
    return tables


def festive_texts(world: Habitat, who: I64, span: Span) -> list[Texts]:
    """Greetings; one table a busy time."""
    tables = []
    for found, process in festive_arrivals(world, who, span):
        u = found.details(world.draws, "text_festive_detail", 1, stride=1)
        share = world.scenario.usage.inside_share if world.population.n > 1 else 0.0
        mine, peer = np.flatnonzero(u[0] < threshold_q32(share)), np.full(len(found), -1, dtype=np.int64)
        peer[mine] = friends(world, found.sub[mine], u[1, mine])
        wording = _one_of(GREETINGS, _WISHES, u[2])
        tables.append(_sent(world, found, STREAMS * found.k + process, peer, u[1], wording))
    return tables


def chat_said(world: Habitat, rows: Rows, span: Span) -> tuple[Said, Said]:
    """Texts of chats, likewise."""
    early = (span[0] - TRAIN_LONGEST_US, span[1])
    segment, like, rate = _rates(world, rows)
    curve, rate = profiles.CHAT, trains.chat_rate(rate, segment)
    lines = profiles.rows_of(segment, like, curve)
    begun = poisson(world.draws, "text_chat", rows, rate, curve, lines, early)
    sent, received = trains.spoken(world, begun, trains.CHAT, span[0])
    return sent.within(*span), received.within(*span)


def chat_texts(world: Habitat, rows: Rows, span: Span) -> Texts:
    """Chats of an idle evening: texts with one person, a minute or so apart. Rows as in `own_texts`."""
    sent, received = chat_said(world, rows, span)
    return _both(world, sent, received, (CHAT, CHAT_ANSWERS), (SHORT_ONES, _CHATS))


def mms_notices(world: Habitat, rows: Rows, span: Span) -> Texts:
    """What tells of multimedia messages received."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    curve = profiles.TEXTS
    found = at_most_one(
        world.draws, "text_mms", rows, mms_chance(world, rows), curve,
        profiles.rows_of(segment, like, curve), span,
    )  # fmt: skip
    wording = _NOTICES + world.population.language[found.sub].astype(np.int64)
    return _received(found, STREAMS * found.k + MMS, np.full(len(found), MMS_LINE, dtype="S20"), wording)


def mms_chance(world: Habitat, rows: Rows) -> NDArray[np.float64]:
    """Chance of a multimedia message on a day; holders only, by segment."""
    factors = np.array(profiles.by_segment(world.scenario, lambda leaning: leaning.data, calls=False))
    holds = world.population.services[rows.sub] >> SERVICES.index("mms") & 1
    return holds * (factors * world.scenario.usage.mms_per_day)[world.population.segment[rows.sub]]


def _rates(world: Habitat, rows: Rows) -> tuple[I64, I64, I64]:
    """Segment, weekday, and texts sent on the day, 1/65536."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    rate = world.population.text_rate_q16[rows.sub].astype(np.int64)
    return segment, like, rate * profiles.TEXT_WEEK[segment, like] >> 16


def _one_of(wordings: tuple[str, ...], first: int, u: U32) -> I64:
    return first + scale(u, len(wordings))


def _both(
    world: Habitat, sent: Said, received: Said, processes: tuple[int, int], words: tuple[tuple[str, ...], int]
) -> Texts:
    """The texts of trains, those sent and those come in."""
    wordings, first = words
    out = _sent(
        world, sent.found, STREAMS * sent.number + processes[0], sent.peer, sent.whom,
        _one_of(wordings, first, sent.wording),
    )  # fmt: skip
    if not len(received.number):
        return out
    sub = received.found.sub
    number = contact_numbers(
        world, sub, np.full(len(sub), RIVAL, dtype=np.int64), received.whom, dialled=False
    )
    ordinal = STREAMS * received.number + processes[1]
    back = _received(received.found, ordinal, number, _one_of(wordings, first, received.wording))
    columns = {
        field.name: np.append(getattr(out, field.name), getattr(back, field.name)) for field in fields(out)
    }
    return Texts(**columns)


def _sent(world: Habitat, found: Arrivals, ordinal: I64, peer: I64, whom: U32, wording: I64) -> Texts:
    """Texts to friends inside, or outside where there is no such peer."""
    mine, other = np.flatnonzero(peer >= 0), np.flatnonzero(peer < 0)
    number = np.zeros(len(found), dtype="S20")
    number[mine] = own_numbers(world, peer[mine])
    number[other] = contact_numbers(
        world, found.sub[other], np.full(len(other), RIVAL, dtype=np.int64), whom[other], dialled=True
    )
    return _texts(found, ordinal, np.where(peer >= 0, TEXT_INSIDE, TEXT_OUT), peer, number, wording)


def _received(found: Arrivals, ordinal: I64, number: Numbers, wording: I64) -> Texts:
    nobody = np.full(len(found), -1, dtype=np.int64)
    return _texts(found, ordinal, np.full(len(found), TEXT_IN), nobody, number, wording)


def _texts(found: Arrivals, ordinal: I64, kind: I64, peer: I64, number: Numbers, wording: I64) -> Texts:
    return Texts(
        t_us=found.t_us,
        sub=found.sub,
        ordinal=ordinal.astype(np.int32),
        kind=kind.astype(np.uint8),
        peer_sub=peer.astype(np.int32),
        peer_number=number,
        text_id=wording.astype(np.uint8),
    )
