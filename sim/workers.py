"""Drawing what people mean to do by several processes, one block ahead of the network that settles it.

The drawing is what a large world spends most of its time on, and it is a pure function of people and of a
span of time; so people are cut into slices, which any `concurrent.futures.Executor` may draw. Settling stays
in one process, in one order: the result is the same octets whoever has drawn, and however many.

A world reaches other processes as a file whose columns they map: none of them draws it again, and its pages
are in memory once. Threads gain nothing here, neither for drawing nor for drawing ahead: both sides hold the
interpreter.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Final, Protocol

from sim.occasions import CHUNK, Ask, Draw, Occasions, Timetable, answer, slices
from sim.world import World

__all__ = ["Alone", "Drawing", "SharedWorld", "Workers", "workers_of"]

_LEAST: Final = 1 << 10
_ALIGNED: Final = 64


# ------------------------------------------------------------------ a world in several processes


@dataclass(frozen=True, slots=True)
class SharedWorld:
    """A world in a file; small when it is sent to another process."""

    path: str
    skeleton: tuple[int, int]
    """Where the objects without their columns lie: first octet, length."""
    columns: tuple[tuple[int, int], ...]
    """Where each column lies."""

    @staticmethod
    def write(world: World, path: Path) -> SharedWorld:
        """Puts a world into a file."""
        found: list[pickle.PickleBuffer] = []
        skeleton = pickle.dumps(world, protocol=5, buffer_callback=found.append)
        places = []
        with path.open("wb") as file:
            for octets in (memoryview(skeleton), *(buffer.raw() for buffer in found)):
                file.write(bytes(-file.tell() % _ALIGNED))
                places.append((file.tell(), len(octets)))
                file.write(octets)
        return SharedWorld(str(path), places[0], tuple(places[1:]))

    def world(self) -> World:
        """The world; its columns are read where they lie in the file, and cannot be written to."""
        return _mapped(self)


@lru_cache(maxsize=1)
def _mapped(shared: SharedWorld) -> World:
    with Path(shared.path).open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    columns = [whole[at : at + length] for at, length in shared.columns]
    at, length = shared.skeleton
    world: World = pickle.loads(whole[at : at + length], buffers=columns)
    return world


def _draw(shared: SharedWorld | World, ask: Ask) -> Any:
    """One share, in whatever process this is."""
    return answer(shared.world() if isinstance(shared, SharedWorld) else shared, ask)


# ------------------------------------------------------------------ who draws


class Drawing(Protocol):
    """Whoever draws for a run."""

    def expect(self, timetable: Timetable, draws: Sequence[Draw], walked: Draw) -> None:
        """What a network is going to ask for; `walked` gives the trips."""

    def parts(self, draw: Draw, span: tuple[int, ...]) -> list[Any]:
        """Everybody's share, one after another."""


class Alone:
    """Draws in this process; ahead of time nothing, as one thread gains nothing by it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._occasions: Occasions | None = None

    def expect(self, timetable: Timetable, draws: Sequence[Draw], walked: Draw) -> None:
        """What a network is going to ask for; until then everybody is drawn for whatever is asked."""
        self._occasions = Occasions(self._world.n, timetable)

    def parts(self, draw: Draw, span: tuple[int, ...]) -> list[Any]:
        """Everybody's share, one after another."""
        if self._occasions is None:
            return [answer(self._world, Ask(draw, span, some))[0] for some in slices(self._world.n)]
        tables = []
        for ask in self._occasions.asks(draw, span):
            table, marks = answer(self._world, ask)
            self._occasions.note(ask, marks)
            tables.append(table)
        return tables

    @property
    def nbytes(self) -> int:
        """Octets that are remembered of a day."""
        return 0 if self._occasions is None else self._occasions.nbytes


Request = tuple[Draw, tuple[int, ...]]


@dataclass(slots=True, eq=False)
class Workers:
    """Whoever draws: an executor, and what it has been asked for already."""

    executor: Executor
    shared: SharedWorld | World
    """As the executor's workers get it: the world itself for threads of this process."""
    n: int
    """People."""
    processes: int
    _waiting: dict[Request, list[tuple[Ask, Future[Any]]]] = field(default_factory=dict)
    _occasions: Occasions | None = None
    _walked: Draw | None = None

    def expect(self, timetable: Timetable, draws: Sequence[Draw], walked: Draw) -> None:
        """What a network is going to ask for; the first block is begun at once. `walked` gives the trips."""
        self._occasions, self._walked = Occasions(self.n, timetable), walked
        for draw in draws:
            self._begin(draw, timetable.start_us)

    def parts(self, draw: Draw, span: tuple[int, ...]) -> list[Any]:
        """Everybody's share, one after another; then the draw's next block is begun."""
        ahead = self._waiting.pop((draw, span), None)
        tables = []
        for ask, future in ahead or self._submit(draw, span):
            table, marks = future.result()
            if self._occasions is not None:
                self._occasions.note(ask, marks)
            tables.append(table)
        if ahead is not None:
            self._begin(draw, span[-1])
        return tables

    def _begin(self, draw: Draw, from_us: int) -> None:
        """Begins a draw's block that begins at a moment, if there is one."""
        assert self._occasions is not None
        assert self._walked is not None
        timetable = self._occasions.timetable
        block = timetable.next(from_us)
        if block is not None:
            span = timetable.span(draw, block, self._walked)
            self._waiting[draw, span] = self._submit(draw, span)

    def _submit(self, draw: Draw, span: tuple[int, ...]) -> list[tuple[Ask, Future[Any]]]:
        chunk = min(CHUNK, max(_LEAST, -(-self.n // (2 * self.processes))))
        if self._occasions is None:
            asks: Sequence[Ask] = [Ask(draw, span, some) for some in slices(self.n, chunk)]
        else:
            asks = self._occasions.asks(draw, span, chunk)
        return [(ask, self.executor.submit(_draw, self.shared, ask)) for ask in asks]


@contextmanager
def workers_of(world: World, processes: int) -> Iterator[Workers | None]:
    """So many processes that draw for a world; None with one, where this process does it itself.

    They are started afresh (nothing of this process is copied), need no `__main__` of their own, leave
    Ctrl-C to this process, and end with it, however it ends.
    """
    if processes < 1:
        raise ValueError(f"{processes} processes: at least 1")
    if processes == 1:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kairos-world-") as folder:
        shared = SharedWorld.write(world, Path(folder) / "world")
        pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_enter)
        try:
            yield Workers(pool, shared, world.n, processes)
        finally:
            pool.shutdown(cancel_futures=True)


def _enter() -> None:
    """The beginning of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """Ends this process when the one that started it is gone: its queue would never tell."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
