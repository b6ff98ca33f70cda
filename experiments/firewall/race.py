"""Campaigns that want the same person within milliseconds, on several workers: real processes, one ledger.

Every worker has a policy and a book of its own, which know nothing of what the others decide at the same
time; only the ledger can hold them together. The mutant's ledger checks in one transaction and writes in the
next, as one does who reads, decides and then inserts.
"""

from __future__ import annotations

import multiprocessing as mp
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any, Final

import yaml

from experiments.audit import Part, audit, read_policy
from experiments.problems import RunInvalid

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

__all__ = ["Course", "RaceKeys", "Racer", "race"]

OWN_POLICY: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "caps": {
        "per_calendar_month": 2,
        "rules": [{"most": 1, "within_s": 3600, "classes": ["data"]}],
    },
    "classes": {"data": {"originators": ["10086001"]}},
    "duplicate": {"same_campaign_days": 1},
    "marketing_originators": ["100860"],
}
NOON_US: Final = round(datetime(2009, 3, 10, 4, tzinfo=UTC).timestamp() * 1e6)
ROUND_US: Final = 60_000_000
WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RaceKeys:
    """How much of it."""

    workers: int = 4
    campaigns: int = 8
    rounds: int = 200
    """Subscribers, one after another."""


@dataclass(frozen=True, slots=True)
class Racer:
    """What a campaign is to the policy and to handsets."""

    name: str
    originator: str
    channel: str = "sms"


@dataclass(frozen=True, slots=True)
class Course:
    """Where they race: under which policy, which campaigns, and when."""

    policy: Mapping[str, Any]
    racers: tuple[Racer, ...]
    at_us: int = NOON_US
    """Of the first round, Unix microseconds: an hour in which the policy lets send."""
    round_us: int = ROUND_US
    """From one round to the next."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Tables that the policy names, by file name."""

    def write(self, folder: Path) -> Path:
        """The policy file with what it names; where."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        path = folder / "policy.yaml"
        path.write_text(yaml.safe_dump(dict(self.policy)), encoding="utf-8")
        return path

    def received(self, row: int, racer: int) -> Part:
        """A message of a campaign at the handset of a subscriber, a second after it was decided."""
        t_us = self.at_us + row * self.round_us + racer + 1_000_000
        one = self.racers[racer]
        accepted_us = t_us // 1_000_000 * 1_000_000
        return Part(t_us, str(8613500000000 + row), one.originator, accepted_us, channel=one.channel)


def own_course(campaigns: int) -> Course:
    """Half of the campaigns are of the class `data`."""
    senders = (f"10086001{c}" if c % 2 else f"1008602{c}" for c in range(campaigns))
    return Course(OWN_POLICY, tuple(Racer(f"c{c}", sender) for c, sender in enumerate(senders)))


@dataclass(frozen=True, slots=True)
class _Job:
    url: str
    policy: Path
    worker: int
    keys: RaceKeys
    course: Course
    mutant: bool


def race(
    folder: Path, keys: RaceKeys, url: str = "", *, mutant: bool = False, course: Course | None = None
) -> dict[str, Any]:
    """Lets them race; what was tried and what the audit says of it. RunInvalid: a worker failed.

    `course`: absent: that of firewall studies, with so many campaigns; else its own campaigns count.
    """
    course = course or own_course(keys.campaigns)
    keys = replace(keys, campaigns=len(course.racers))
    policy = course.write(folder)
    url = url or f"sqlite:///{(folder / 'ledger.db').resolve()}"
    _open(url, policy, mutant=False).close()  # made once, before they race
    context = mp.get_context("spawn")
    barrier, answers = context.Barrier(keys.workers), context.Queue()
    jobs = [_Job(url, policy, worker, keys, course, mutant) for worker in range(keys.workers)]
    processes = [context.Process(target=_work, args=(job, barrier, answers), daemon=True) for job in jobs]
    for process in processes:
        process.start()
    try:
        found = [answers.get(timeout=WAIT_S + keys.rounds) for _ in processes]
    except Empty:
        raise RunInvalid("a worker of the race did not answer") from None
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()
    failed = [said for _, _, said in found if said]
    if failed:
        raise RunInvalid(f"a worker of the race failed: {failed[0]}")
    parts = [part for sent, _, _ in found for part in sent]
    spread_ms = [ms for _, spread, _ in found for ms in spread]
    result = audit(parts, read_policy(policy))
    wrong = {rule: n for rule, n in result.by_rule.items() if n}
    return {
        "tried": f"{keys.campaigns} campaigns on {keys.workers} workers, {keys.rounds} subscribers",
        "tries": keys.rounds,
        "campaigns": keys.campaigns,
        "workers": keys.workers,
        "asked": keys.rounds * keys.campaigns,
        "contacts": result.contacts,
        "violations": wrong,
        "findings": result.as_json()["findings"][:5],
        "asked_within_ms": round(sorted(spread_ms)[len(spread_ms) // 2], 2) if spread_ms else None,
    }


def _open(url: str, policy: Path, *, mutant: bool) -> Any:
    from marketing.contact import load_policy
    from marketing.contact.guard import Guard
    from marketing.contact.ledger import Ledger

    file = load_policy(policy)

    class CheckThenSend(Ledger):
        """Checks in a transaction that it gives up, and writes in another, which checks nothing."""

        def apply(self, operations: Sequence[Any]) -> list[Any]:
            transaction = self._begin()
            results = self._perform(operations)
            transaction.rollback()
            time.sleep(0.002)  # what a decision and its journal take
            granted = [o for o, refusal in zip(operations, results, strict=True) if not refusal]
            cap, guard = self._cap, self._guard
            self._cap, self._guard = 1_000_000, Guard()
            try:
                super().apply(granted)
            finally:
                self._cap, self._guard = cap, guard
            return results

    kind = CheckThenSend if mutant else Ledger
    return kind(url, cap=file.caps.per_calendar_month, guard=Guard.of(file))


def _work(job: _Job, barrier: Barrier, answers: Any) -> None:
    """One worker; says what it has sent, and how soon after the start of each round it asked."""
    try:
        answers.put((*_raced(job, barrier), ""))
    except BaseException as error:
        barrier.abort()
        answers.put(([], [], f"{type(error).__name__}: {error}"))


def _raced(job: _Job, barrier: Barrier) -> tuple[list[Part], list[float]]:
    from marketing.contact import Book, Policy, load_policy
    from marketing.contact.operations import Reservation

    keys, course = job.keys, job.course
    policy, book = Policy.of(load_policy(job.policy)), Book.empty(keys.rounds)
    ledger = _open(job.url, job.policy, mutant=job.mutant)
    mine = range(job.worker, keys.campaigns, keys.workers)
    sent: list[Part] = []
    spread: list[float] = []
    for row in range(keys.rounds):
        at_us = course.at_us + row * course.round_us
        barrier.wait(WAIT_S)
        began = time.perf_counter()
        for campaign in mine:
            racer = course.racers[campaign]
            name, originator = racer.name, racer.originator
            kind = policy.kind(originator, (racer.channel,))
            verdict = policy.decide(book, row, name, at_us + campaign, may_hold=False, kind=kind)
            if verdict.action != "send":
                continue
            span = verdict.span
            assert span is not None  # it is to be sent
            ordinal = book.add(row, name, span, at_us + campaign, verdict.latest_us, kind)
            wanted = Reservation(
                contact_id=f"{row:08x}{campaign:08x}", trigger_id=f"{row:08x}{campaign:08x}", campaign=name,
                originator=originator, offer=name, imsi=460000000000000 + row, msisdn=8613500000000 + row,
                period=span.period, day=span.day, ordinal=ordinal, decided_us=at_us + campaign,
                valid_until_us=verdict.valid_until_us, latest_us=verdict.latest_us,
                channels=kind.channels, channel=racer.channel,
            )  # fmt: skip
            spread.append((time.perf_counter() - began) * 1000)
            if not ledger.apply([wanted])[0]:
                sent.append(course.received(row, campaign))
    ledger.close()
    return sent, spread
