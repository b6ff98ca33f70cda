"""A campaign in plain words: who, when, where, after what, and what is then said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from marketing.campaigns.budget import Budget
from marketing.campaigns.campaign import Campaign
from marketing.campaigns.channels import CHANNELS
from marketing.campaigns.condition import in_use, reads
from marketing.campaigns.content import PLACEHOLDERS
from marketing.campaigns.elements import AtLeast, BehaviourElement, DwellElement, Step
from marketing.campaigns.experiment import CONTROL
from marketing.campaigns.scene import Scene, When

__all__ = ["budget_words", "describe", "span"]

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LANGUAGES: Final = {"zh": "Chinese", "en": "English"}
_DONE: Final = {
    "power_on": "switched on",
    "power_off": "switched off",
    "power_off_implicit": "gone silent for so long as to be switched off",
    "location_update": "come to another location area",
    "periodic_update": "shown itself at the periodic update",
    "location_update_rejected": "been refused by the network",
    "imei_changed": "changed the handset",
    "roamed_in": "come from another network",
    "roamed_out": "gone to another network",
    "call_started": "started a call",
    "call_connected": "been connected in a call",
    "call_ended": "ended a call",
    "call_rejected": "had a call rejected",
    "call_no_answer": "had a call without an answer",
    "call_busy": "had a call to someone busy",
    "call_vacant": "called a number that is not in use",
    "call_unreachable": "called someone who is switched off or away",
    "call_abandoned": "given up a call before it rang",
    "call_failed": "had a call fail",
    "sms_sent": "sent a short message",
    "sms_received": "received a short message",
    "sms_failed": "had a short message fail",
    "ussd_used": "dialled a service code",
    "ss_used": "used a supplementary service",
    "handset_seen": "shown its handset",
    "handover": "been handed over to another cell",
    "cell_changed": "come to another cell",
    "area_entered": "entered a location area",
    "paging_no_response": "not answered a page",
}
"""Behaviour -> what the subscriber has; another one stands there by its name."""
_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def span(seconds: float) -> str:
    """A length of time, such as 1 hour 30 minutes."""
    if seconds != int(seconds):
        return f"{seconds:g} seconds"
    left, said = int(seconds), []
    for size, name in _UNITS:
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(said) or "no time"


def describe(campaign: Campaign) -> list[tuple[str, list[str]]]:
    """Headings, each with its lines."""
    parts: list[tuple[str, list[str]]] = [
        ("What", [campaign.title, *([f"asked for by {campaign.source}"] if campaign.source else [])]),
        ("Who", list(_who(campaign))),
        ("Triggered", list(_triggered(campaign))),
        ("Then", list(_then(campaign))),
    ]
    features = sorted(_features(campaign))
    if features:
        parts.append(("What the names mean", [_feature(name) for name in features]))
    return parts


def _who(campaign: Campaign) -> Iterator[str]:
    if campaign.expression:
        yield f"subscribers for whom this is true: {' '.join(campaign.expression.split())}"
    if campaign.targets is not None:
        also = "also " if campaign.expression else ""
        yield f"subscribers who are {also}on the target list {campaign.targets}"
    if not campaign.expression and campaign.targets is None:
        yield "every subscriber that the BOSS extract knows"
    if campaign.experiment is not None:
        arms = campaign.experiment.arms
        shares = ", ".join(
            f"{share:.1%} {name}" + (" (not contacted)" if name == CONTROL else "")
            for name, share in arms.items()
        )
        yield f"of these, always the same people: {shares}"
        if campaign.experiment.days is not None:
            yield "on the days of a table only; on all others nobody of it is contacted"
        if campaign.experiment.hold_out:
            yield f"after {campaign.experiment.hold_out:.1%} have been held out, who are never contacted"


def _triggered(campaign: Campaign) -> Iterator[str]:
    yield from _days(campaign)
    if campaign.group is not None:
        yield f"at {campaign.group.at:%H:%M} local time, to the list {campaign.group.targets.name}"
    if campaign.mode == "follow_up":
        yield "when another campaign names this one as its follow-up"
    if campaign.mode == "desk":
        yield f"when the customer comes by itself to {_either(list(campaign.channels))}"
    if campaign.scene is not None:
        yield from _scene(campaign.scene)


def _days(campaign: Campaign) -> Iterator[str]:
    start, until = campaign.valid.start, campaign.valid.until
    if start is not None and until is not None:
        yield f"from {start} to {until}, both days included"
    elif start is not None:
        yield f"from {start} on"
    elif until is not None:
        yield f"until {until}, that day included"


def _scene(scene: Scene) -> Iterator[str]:
    if isinstance(scene.begin, DwellElement):
        dwell = scene.begin.dwell
        first = f"has been at {dwell.place} for {span(dwell.at_least_s)} without a break"
    else:
        first = f"has {_element(scene.begin)}{_times(scene.begin.times)}"
    yield f"when the subscriber {first}"
    for number, step in enumerate(scene.then):
        yield f"  {_step(step, scene, last=number == len(scene.then) - 1)}"
    if scene.within_s is not None and not (scene.then and scene.then[-1].word == "not_followed_by"):
        yield f"  all of this within {span(scene.within_s)}"
    if scene.when is not None:
        yield from _when(scene.when)
    if scene.where is not None:
        areas = [f"area {area}" for area in scene.where.areas]
        yield f"if that is at {_either([*scene.where.places, *areas])}"
    if scene.terminal is not None:
        yield f"if the handset fits: {' '.join(scene.terminal.split())}"
    if scene.condition is not None:
        yield f"if then this is true: {' '.join(scene.condition.split())}"


def _when(when: When) -> Iterator[str]:
    if when.hours:
        yield f"if that is between {_either([h.replace('-', ' and ') for h in when.hours])} local time"
    if when.days:
        yield f"if that is on a {_either([_DAYS[day] for day in sorted(when.weekdays)])}"


def _step(step: Step, scene: Scene, *, last: bool) -> str:
    if step.word != "not_followed_by":
        word = "and the very next thing is, that the subscriber" if step.word == "next" else "and later"
        limit = f" within {span(step.within_s)}" if step.within_s is not None else ""
        return f"{word} has {_element(step.element)}{_times(step.times)}{limit}"
    if not last:
        return f"and has not {_element(step.element)} before that:"
    limits = [s for s in (step.within_s, scene.within_s) if s is not None]
    since = "" if step.within_s is not None else " after the begin"
    return f"and then has not {_element(step.element)} for {span(min(limits))}{since}: at that moment"


def _times(times: int | AtLeast) -> str:
    if isinstance(times, AtLeast):
        return f", {times.at_least} times or more"
    return f", {times} times" if times > 1 else ""


def _element(element: BehaviourElement) -> str:
    names = [element.behaviour] if isinstance(element.behaviour, str) else element.behaviour
    said = _either([_DONE.get(name, name.replace("_", " ")) for name in names])
    if element.role is not None:
        said += f" as {element.role}"
    numbers = [*element.peer, *(f"{prefix}..." for prefix in element.peer_prefix)]
    if numbers:
        said += f" with {_either(numbers)}"
    if element.peer_list is not None:
        said += f" with a number on the list {element.peer_list}"
    if element.place is not None:
        said += f" at {element.place}"
    if element.area is not None:
        said += f" in area {element.area}"
    if element.condition is not None:
        said += f" where {' '.join(element.condition.split())}"
    return said


def _either(words: Sequence[str]) -> str:
    shown = [*words[:8], f"{len(words) - 8} more"] if len(words) > 9 else list(words)
    return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]


def _then(campaign: Campaign) -> Iterator[str]:
    if campaign.output != "contact":
        yield {
            "file": "whoever was triggered is written to a file; nobody is contacted",
            "statistics": "it is counted; nobody is contacted",
        }[campaign.output]
        return
    if campaign.boss is not None:
        yield f"BOSS is asked whether this is true now: {' '.join(campaign.boss.split())}"
        otherwise = "it goes out all the same" if campaign.boss_unknown == "send" else "nothing is sent"
        yield f"  where BOSS does not say in time, {otherwise}"
    if campaign.budget is not None:
        yield f"at most {budget_words(campaign.budget)}, over all subscribers together"
    yield from _channels(campaign)
    for language, text in campaign.content.items():
        yield f"in {_LANGUAGES[language]}: {text}"
    yield from _otherwise_said(campaign)
    for name in sorted(campaign.placeholders):
        yield f"  where {{{name}}} is the {PLACEHOLDERS[name].meaning}"
    if campaign.reply.order:
        yield f"the answer {_either(campaign.reply.order)} orders it"
    for language, text in campaign.reply.confirmation.items():
        yield f"once it is opened, in {_LANGUAGES[language]}: {text}"
    yield f"the answer {_either(campaign.reply.stop)} ends all marketing to the subscriber"
    for follow_up in campaign.follow_ups:
        yield f"after {span(follow_up.after_s)} without an answer comes {follow_up.campaign}"


def budget_words(budget: Budget) -> str:
    """A budget, such as 1,000 contacts a month."""
    contacts = f"{budget.contacts:,} contact{'s' if budget.contacts > 1 else ''}"
    return f"{contacts} in all" if budget.per == "campaign" else f"{contacts} a {budget.per}"


def _channels(campaign: Campaign) -> Iterator[str]:
    sender = f"from {campaign.originator}"
    if len(campaign.channels) == 1 and campaign.mode != "desk":
        yield f"an offer of {campaign.offer} goes out by {campaign.channels[0]} {sender}"
        return
    if campaign.mode == "desk":
        yield f"an offer of {campaign.offer} is on the screen of {_either(list(campaign.channels))}"
        return
    yield f"an offer of {campaign.offer} goes out {sender} by the first of these that is up and that suits:"
    for name in campaign.channels:
        kind = CHANNELS[name]
        yield f"  {name}: {kind.meaning}" + (f"; where {kind.needs} is true" if kind.needs else "")


def _otherwise_said(campaign: Campaign) -> Iterator[str]:
    """What is said by the channels that take more than a text."""
    if campaign.wap is not None:
        yield f"wap: a link to {campaign.wap.url}"
        for language, text in campaign.wap.title.items():
            yield f"  in {_LANGUAGES[language]}: {text}"
    if campaign.mms is not None:
        for language, text in campaign.mms.subject.items():
            yield f"mms: subject in {_LANGUAGES[language]}: {text}"
        for language, text in campaign.mms.text.items():
            yield f"  text in {_LANGUAGES[language]}: {text}"
        if campaign.mms.files:
            yield f"  then the pictures {', '.join(path.name for path in campaign.mms.files)}"


def _features(campaign: Campaign) -> set[str]:
    texts = [campaign.expression] if campaign.expression else []
    if campaign.scene is not None:
        texts += [text for _, text in campaign.scene.conditions]
    return {name for text in texts for name in reads(text)}


def _feature(name: str) -> str:
    bare, bracket, key = name.partition("[")
    feature = in_use()[bare]
    unit = f"{feature.unit}; " if feature.unit else ""
    if bracket and bare == "lists":
        return f"{key[:-1]!r} in lists: on the target list {key[:-1]}"
    if bracket:
        return f"{bare}[{key[:-1]!r}]: time since {key[:-1]} was last called"
    return f"{name}: {feature.meaning} ({unit}{feature.source})"
