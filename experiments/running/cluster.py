"""Jobs on a Dask cluster that the user has: the scheduler's address is all that is needed.

Workers need the same Kairos, and jobs that name files need these at the same path. A worker that dies has
its jobs given to others by the scheduler, as often as its setting `distributed.scheduler.allowed-failures`
says (three times unless it was changed).
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

from experiments.problems import BadInput, RunInvalid
from experiments.running.executor import JobLost, failure, keyed
from experiments.running.identity import identity
from experiments.running.job_process import said_of

__all__ = ["Cluster"]

T = TypeVar("T")
R = TypeVar("R")

CONNECT_S: Final = 5.0
"""How long a scheduler may take to answer."""
WAITING_EACH: Final = 2
"""Jobs given to the scheduler for each thread of its workers: one at work and one to follow."""


def perform(ours: Mapping[str, str], function: Callable[[T], R], job: T) -> tuple[str, Any]:
    """One job, on a worker: `done` with its result, `failed` with what it raised, or `differs`."""
    if identity() != ours:  # a worker that came after the others were asked
        return "differs", identity()
    try:
        return "done", function(job)
    except Exception as error:
        return "failed", said_of(error)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler and its workers."""

    address: str

    @classmethod
    def at(cls, address: str) -> Self:
        """The cluster of a scheduler, once it has answered.

        Raises:
            BadInput: it does not, it has no workers, they are not of this Kairos, or Dask is not installed.
        """
        found = cls(address)
        with found._client() as client:
            found._check(client)
        return found

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`. Jobs that are at work when the others are called off go on to their end there.

        Raises:
            RunInvalid: besides, where the scheduler is gone.
        """
        waiting = deque(keyed(jobs, key).items())
        with self._client() as client:
            from distributed import as_completed
            from distributed.scheduler import KilledWorker

            under_way: dict[Any, str] = {}
            ended = as_completed(loop=client.loop)
            try:
                while waiting or under_way:
                    threads = sum(client.nthreads().values())
                    while waiting and len(under_way) < max(threads, 1) * WAITING_EACH:
                        name, job = waiting.popleft()
                        future = client.submit(perform, identity(), function, job, pure=False)
                        under_way[future] = name
                        ended.add(future)
                    future = next(ended)
                    name = under_way.pop(future)
                    try:
                        how, found = future.result()
                    except KilledWorker as error:
                        said = (
                            f"its worker died, as did those that it was given to next ({error.last_worker})"
                        )
                        raise JobLost(name, said) from None
                    del future  # and with it the result on the worker
                    if how == "failed":
                        raise failure(name, *found)
                    if how == "differs":
                        raise BadInput(self._differs("a worker", found))
                    yield name, found
            except (OSError, _cancelled()) as error:
                said = f"the Dask scheduler at {self.address} is gone ({type(error).__name__}: {error})"
                raise RunInvalid(said) from None
            finally:
                with contextlib.suppress(OSError, _cancelled()):
                    client.cancel(list(under_way))

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client
            from distributed.comm.addressing import get_address_host_port
        except ImportError:
            raise BadInput(
                f"--cluster {self.address}: Dask is not installed here; install the extra `cluster`: "
                "./run pip install -e '.[cluster]'"
            ) from None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said here, once
        try:
            # A client of an address without a port is half made: it waits when it is thrown away.
            get_address_host_port(self.address, strict=True)
            client = Client(self.address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            said = str(error).strip().partition("\n")[0]
            raise BadInput(
                f"--cluster {self.address}: no Dask scheduler answers there "
                f"({said or type(error).__name__}); "
                "expected the address that `dask scheduler` says, such as tcp://10.0.0.5:8786"
            ) from None
        with client:
            yield client

    def _check(self, client: Any) -> None:
        found = client.run(identity, on_error="return")
        if not found:
            raise BadInput(f"--cluster {self.address}: the scheduler has no workers; start `dask worker`")
        problems = [
            self._differs(f"the worker {address}", said)
            for address, said in sorted(found.items())
            if said != identity()
        ]
        if problems:
            raise BadInput(problems)

    def _differs(self, worker: str, said: Any) -> str:
        if isinstance(said, BaseException):
            return (
                f"--cluster {self.address}: {worker} has no Kairos like this ({type(said).__name__}: {said})"
            )
        apart = ", ".join(
            f"{name} {said.get(name)} there and {here} here"
            for name, here in identity().items()
            if said.get(name) != here
        )
        return f"--cluster {self.address}: {worker} is of another version: {apart}; expected the same"


def _cancelled() -> type[BaseException]:
    from distributed import CancelledError

    found: type[BaseException] = CancelledError
    return found
