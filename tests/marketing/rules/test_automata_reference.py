"""The automata against a slow, obvious interpreter of the same words, however the rows are cut."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.rules.automata import Automata
from marketing.rules.program import STAGE

# --------------------------------------------------------------------------- the slow interpreter


@dataclass
class SlowStage:
    """One step, in the words of a campaign file."""

    word: str  # begin, next, followed_by, absence
    element: int  # its symbol
    times: int = 1
    at_least: bool = False
    within: int | None = None
    forbidden: int | None = None  # symbol of a not_followed_by before it


@dataclass
class SlowPartial:
    begins: list
    step: int = 0
    hits: int = 0
    entered: int = 0


@dataclass
class SlowPattern:
    """One subscriber and one pattern."""

    stages: list
    within: int
    partial: SlowPartial | None = None
    complete: list = field(default_factory=list)

    def time(self, t):
        """Lets time pass up to t."""
        p = self.partial
        if p is None:
            return
        stage = self.stages[p.step]
        scene_ends = p.begins[0] + self.within
        step_ends = p.entered + stage.within if p.step > 0 and stage.within else scene_ends
        if min(scene_ends, step_ends) > t:
            return
        if stage.word == "absence" and step_ends <= scene_ends:
            self.complete.append((step_ends, p.begins[0]))
            self.partial = None
            return
        need = self.stages[0].times
        if p.step == 0 or (p.step == 1 and p.hits == 0):
            begins = [b for b in p.begins if b + self.within > t][-(need - 1) :] if need > 1 else []
            self.partial = SlowPartial(begins) if begins else None
        else:
            self.partial = None

    def act(self, t, symbols):
        """One behaviour of the subscriber, whether or not it means anything to the pattern."""
        self.time(t)
        p = self.partial
        if p is not None and p.step > 0:
            stage, before = self.stages[p.step], self.stages[p.step - 1]
            absorbed = before.at_least and before.element in symbols and p.hits == 0
            forbidden = stage.element if stage.word == "absence" else stage.forbidden
            if forbidden is not None and forbidden in symbols:
                self.partial = None
            elif stage.word != "absence" and stage.element in symbols:
                p.hits += 1
                if p.hits == stage.times:
                    p.step, p.hits, p.entered = p.step + 1, 0, t
                    if p.step == len(self.stages):
                        self.complete.append((t, p.begins[0]))
                        self.partial = None
                return
            elif stage.word == "next" and not absorbed:
                self.partial = None
        if self.stages[0].element in symbols:
            self.begin(t)

    def begin(self, t):
        p, need = self.partial, self.stages[0].times
        if p is None:
            p = self.partial = SlowPartial([])
        if p.step == 0:
            p.begins.append(t)
            if len(p.begins) == need:
                p.step, p.entered = 1, t
                if len(self.stages) == 1:
                    self.complete.append((t, p.begins[0]))
                    self.partial = None
        elif p.step == 1 and p.hits == 0 and self.stages[1].word != "absence":
            p.begins = [*p.begins[1:], t]
            p.entered = t


# --------------------------------------------------------------------------- the same as columns


def columns(patterns):
    """The programme of the compiled automata."""
    stages, first, within = [], [0], []
    for pattern in patterns:
        for number, stage in enumerate(pattern.stages):
            before = pattern.stages[number - 1] if number else None
            bit = 1 << stage.element
            absence = stage.word == "absence"
            stages.append(
                (
                    0 if absence else bit,
                    bit if absence else (0 if stage.forbidden is None else 1 << stage.forbidden),
                    1 << before.element if before is not None and before.at_least else 0,
                    stage.times,
                    stage.word == "next",
                    absence,
                    stage.within or 0,
                )
            )
        first.append(len(stages))
        within.append(pattern.within)
    return (
        np.array(stages, dtype=STAGE),
        np.array(first, dtype=np.int32),
        np.array(within, dtype=np.int64),
    )


@st.composite
def patterns(draw):
    count = draw(st.integers(0, 3))
    times = draw(st.integers(1, 3)) if count else draw(st.integers(2, 4))
    stages = [SlowStage("begin", 0, times, draw(st.booleans()))]
    element = 1
    for number in range(count):
        last = number == count - 1
        within = draw(st.one_of(st.none(), st.integers(1, 30)))
        if last and draw(st.integers(0, 2)) == 0:
            stages.append(SlowStage("absence", element, within=within))
            break
        forbidden = None
        if draw(st.integers(0, 3)) == 0:
            forbidden, element = element, element + 1
        word = draw(st.sampled_from(["next", "followed_by", "followed_by"]))
        at_least = draw(st.booleans())
        stages.append(SlowStage(word, element, draw(st.integers(1, 3)), at_least, within, forbidden))
        element += 1
    return stages, draw(st.integers(5, 60))


@st.composite
def streams(draw):
    """Rows (t, subscriber, symbols of each pattern), in the order of time."""
    programme = draw(st.lists(patterns(), min_size=1, max_size=3))
    t, rows = 0, []
    for _ in range(draw(st.integers(1, 40))):
        t += draw(st.sampled_from([0, 0, 1, 2, 5, 11, 30]))
        symbols = [draw(st.frozensets(st.integers(0, 3), max_size=2)) for _ in programme]
        rows.append((t, draw(st.integers(0, 2)), symbols))
    cuts = draw(st.lists(st.integers(1, 12), min_size=1, max_size=8))
    return programme, rows, cuts


def slow_answer(programme, rows, until):
    found = []
    for number, (stages, within) in enumerate(programme):
        for subscriber in range(3):
            pattern = SlowPattern(stages, within)
            for t, who, symbols in rows:
                if who == subscriber:
                    pattern.act(t, symbols[number])
            while pattern.partial is not None and pattern.stages[pattern.partial.step].word == "absence":
                before = len(pattern.complete)
                pattern.time(until)
                if len(pattern.complete) == before:
                    break
            found += [(t, since, number, subscriber) for t, since in pattern.complete]
    return sorted(found)


def taken(completed):
    return list(zip(*(column.tolist() for column in completed[:4]), strict=True))


def waves(rows):
    """Rows of a batch in waves: the k-th of each subscriber in the k-th."""
    seen, found = {}, []
    for row in rows:
        number = seen[row[1]] = seen.get(row[1], -1) + 1
        if number == len(found):
            found.append([])
        found[number].append(row)
    return found


def feed(automata, rows, lazily):
    t = np.array([r[0] for r in rows], dtype=np.int64)
    who = np.array([r[1] for r in rows], dtype=np.uint32)
    found = [] if lazily else taken(automata.fire(t, who))
    symbols = {
        (i, number): sum(1 << s for s in one)
        for i, row in enumerate(rows)
        for number, one in enumerate(row[2])
        if one
    }
    for i, number in zip(*(a.tolist() for a in automata.broken(t, who)), strict=True):
        symbols.setdefault((i, number), 0)
    fed = sorted(symbols)
    index = np.array([i for i, _ in fed], dtype=np.int64)
    pattern = np.array([p for _, p in fed], dtype=np.int32)
    bits = np.array([symbols[key] for key in fed], dtype=np.uint32)
    return found + taken(automata.feed(t[index], who[index], pattern, bits, index.astype(np.int32)))


def fast_answer(programme, rows, cuts, until, *, lazily, restart):
    made = columns([SlowPattern(stages, within) for stages, within in programme])
    automata, found, start, number = Automata(*made), [], 0, 0
    while start < len(rows):
        batch = rows[start : start + cuts[number % len(cuts)]]
        start, number = start + len(batch), number + 1
        for wave in waves(batch):
            found += feed(automata, wave, lazily)
        found += taken(automata.due(batch[-1][0]))
        if restart:
            saved, automata = automata.snapshot(), Automata(*made)
            automata.restore(saved)
            again = automata.snapshot()
            assert all(np.array_equal(saved[key], again[key]) for key in saved)
    found += taken(automata.due(until))
    return sorted(found)


@settings(max_examples=250, deadline=None)
@given(streams(), st.booleans(), st.booleans())
def test_automata_equal_the_slow_interpreter(stream, lazily, restart):
    programme, rows, cuts = stream
    until = rows[-1][0] + 1000
    expected = slow_answer(programme, rows, until)
    assert fast_answer(programme, rows, cuts, until, lazily=lazily, restart=restart) == expected


# ------------------------------------------------------------------ what the words mean, case by case

A, B, C = 0, 1, 2
ABSENCE = [SlowStage("begin", A), SlowStage("absence", B, within=30)]
WITHIN = [SlowStage("begin", A), SlowStage("followed_by", B, within=30)]
STRICT = [SlowStage("begin", A), SlowStage("next", B)]
THRICE = [SlowStage("begin", A, times=3)]
GUARDED = [SlowStage("begin", A), SlowStage("followed_by", C, forbidden=B)]
CASES = [
    ("followed_by lets others come between", WITHIN, "A0 C1 B2", [2]),
    ("followed_by within its time only", WITHIN, "A0 B30", []),
    ("the newest begin counts", WITHIN, "A0 A20 B45", [45]),
    ("next lets nothing come between", STRICT, "A0 C1 B2", []),
    ("next, after a second begin", STRICT, "A0 A1 B2", [2]),
    ("absence, at the very instant", ABSENCE, "A0", [30]),
    ("absence broken", ABSENCE, "A0 B29", []),
    ("a behaviour at that instant is too late to break it", ABSENCE, "A0 B30", [30]),
    ("absence counts from the first begin", ABSENCE, "A0 A20", [30]),
    ("absence, twice", ABSENCE, "A0 B1 A50 C51", [80]),
    ("times", THRICE, "A0 A1 A2", [2]),
    ("times slide", THRICE, "A0 A50 A70 A80", [80]),
    ("times begin anew after completion", THRICE, "A0 A1 A2 A3 A4", [2]),
    ("not_followed_by before a step", GUARDED, "A0 B1 C2", []),
    ("not_followed_by kept", GUARDED, "A0 C2", [2]),
]


@pytest.mark.parametrize(("stages", "acts", "times"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_words(stages, acts, times):
    rows = [(int(act[1:]), 0, [frozenset(["ABC".index(act[0])])]) for act in acts.split()]
    found = fast_answer([(stages, 60)], rows, [100], 10_000, lazily=False, restart=False)
    assert [t for t, *_ in found] == times
    assert found == slow_answer([(stages, 60)], rows, 10_000)


def one(automata, t, row, bits=1, pattern=0):
    def array(value, dtype):
        return np.array([value], dtype=dtype)

    return taken(
        automata.feed(
            array(t, np.int64),
            array(row, np.uint32),
            array(pattern, np.int32),
            array(bits, np.uint32),
            array(0, np.int32),
        )
    )


def test_memory_is_bounded_and_what_found_no_room_is_counted():
    automata = Automata(*columns([SlowPattern(WITHIN, 60)]), most=1000)
    for row in range(1500):
        one(automata, 0, row)
    assert (len(automata), automata.refused) == (1000, 500)
    bytes_full = automata.nbytes
    automata.due(59)
    one(automata, 100, 5000)
    assert automata.refused == 500  # what is over has made room
    for row in range(2000, 2999):
        one(automata, 100, row)
    assert automata.nbytes == bytes_full
    assert one(automata, 101, 2500, bits=2) == [(101, 100, 0, 2500)]


def test_making_room_takes_nothing_from_a_count_that_slides():
    automata = Automata(*columns([SlowPattern(THRICE, 60)]), most=1000)
    for row in range(1000):
        one(automata, 0, row)
    one(automata, 50, 7)
    automata.due(61)  # what is of 0 is too old
    one(automata, 70, 5000)  # for which room is made
    assert automata.refused == 0
    assert len(automata) == 2
    assert one(automata, 80, 7) == []
    assert one(automata, 90, 7) == [(90, 50, 0, 7)]


def test_the_next_timer_is_told_and_stale_ones_are_not():
    automata = Automata(*columns([SlowPattern(ABSENCE, 60)]))
    assert automata.next_due_us() is None
    one(automata, 0, 7)
    one(automata, 5, 8)
    assert automata.next_due_us() == 30
    one(automata, 6, 7, bits=2)
    assert automata.next_due_us() == 35
    assert taken(automata.due(34)) == []
    assert taken(automata.due(35)) == [(35, 5, 0, 8)]
    assert automata.next_due_us() is None


def test_a_snapshot_of_other_patterns_is_refused():
    automata = Automata(*columns([SlowPattern(THRICE, 60), SlowPattern(ABSENCE, 60)]))
    one(automata, 0, 1, pattern=1)
    with pytest.raises(ValueError, match="pattern 1"):
        Automata(*columns([SlowPattern(THRICE, 60)])).restore(automata.snapshot())
