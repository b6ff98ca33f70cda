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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Final, Protocol

from sim.subscribers.walk import LONGEST_RIDE_US
from sim.world import World

__all__ = ["CHUNK", "Drawing", "SharedWorld", "Timetable", "Workers", "slices", "workers_of"]

CHUNK: Final = 1 << 16
"""People drawn at a time, at most: more would not fit the caches, and memory would grow with the world."""
_LEAST: Final = 1 << 10
_ALIGNED: Final = 64

Draw = Callable[..., Any]
"""(world, *span, slice of people) -> a table of columns; a function of a module, so that it can be sent."""


def slices(n: int, chunk: int = CHUNK) -> list[slice]:
    """All people, so many at a time."""
    return [slice(first, min(first + chunk, n)) for first in range(0, n, chunk)]


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


def _draw(shared: SharedWorld | World, draw: Draw, span: tuple[int, ...], some: slice) -> Any:
    """One slice's share, in whatever process this is."""
    world = shared.world() if isinstance(shared, SharedWorld) else shared
    return draw(world, *span, some)


# ------------------------------------------------------------------ ahead of time


@dataclass(frozen=True, slots=True)
class Timetable:
    """Which spans of time a network will ask for: blocks, one after another (`Network.block_us`)."""

    start_us: int
    end_us: int
    block_us: int

    def next(self, from_us: int) -> tuple[int, int] | None:
        """The block that begins at a moment; None at the end."""
        if from_us >= self.end_us:
            return None
        return from_us, min((from_us // self.block_us + 1) * self.block_us, self.end_us)

    def asked(self, draws: Sequence[Draw], span: tuple[int, int], walked: Draw) -> list[Request]:
        """What is asked for a block; of the first one also the trips on which people are already."""
        early = span[0] - LONGEST_RIDE_US if span[0] == self.start_us else span[0]
        return [(draw, (early, span[1]) if draw is walked else span) for draw in draws]


Request = tuple[Draw, tuple[int, ...]]


class Drawing(Protocol):
    """Whoever draws for a run."""

    def expect(self, timetable: Timetable, draws: Sequence[Draw], walked: Draw) -> None:
        """What a network is going to ask for."""

    def parts(self, draw: Draw, span: tuple[int, ...]) -> list[Any]:
        """Everybody's share, slice after slice."""


@dataclass(slots=True, eq=False)
class Workers:
    """Whoever draws: an executor, and what it has been asked for already."""

    executor: Executor
    shared: SharedWorld | World
    """As the executor's workers get it: the world itself for threads of this process."""
    n: int
    """People."""
    processes: int
    _waiting: dict[Request, list[Future[Any]]] = field(default_factory=dict)
    _timetable: Timetable | None = None
    _draws: tuple[Draw, ...] = ()
    _walked: Draw | None = None
    _reached_us: int = -1

    def expect(self, timetable: Timetable, draws: Sequence[Draw], walked: Draw) -> None:
        """What a network is going to ask for; the first block is begun at once. `walked` gives the trips."""
        self._timetable, self._draws, self._walked = timetable, tuple(draws), walked
        self._begin(timetable.start_us)

    def parts(self, draw: Draw, span: tuple[int, ...]) -> list[Any]:
        """Everybody's share, slice after slice; in the meantime the block that follows is begun."""
        request = (draw, span)
        if request in self._waiting and span[-1] > self._reached_us:
            self._reached_us = span[-1]
            self._begin(span[-1])
        futures = self._waiting.pop(request, None) or self._submit(request)
        return [future.result() for future in futures]

    def _begin(self, from_us: int) -> None:
        assert self._timetable is not None
        assert self._walked is not None
        span = self._timetable.next(from_us)
        for request in self._timetable.asked(self._draws, span, self._walked) if span else ():
            if request not in self._waiting:
                self._waiting[request] = self._submit(request)

    def _submit(self, request: Request) -> list[Future[Any]]:
        draw, span = request
        chunk = min(CHUNK, max(_LEAST, -(-self.n // (2 * self.processes))))
        return [self.executor.submit(_draw, self.shared, draw, span, some) for some in slices(self.n, chunk)]


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
