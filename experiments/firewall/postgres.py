"""A PostgreSQL server of our own, in a folder, for as long as a case needs it; it may be crashed."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from experiments.problems import RunInvalid

__all__ = ["Postgres", "no_postgres"]

_PLACES: Final = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")
DRIVERS: Final = {
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pg8000": "postgresql+pg8000",
}
"""Module -> SQLAlchemy's name of it."""


def _program(name: str) -> str | None:
    return next((f"{p}/{name}" for p in _PLACES if Path(p, name).exists()), None) or shutil.which(name)


def _driver() -> str | None:
    return next((url for module, url in DRIVERS.items() if importlib.util.find_spec(module)), None)


def no_postgres() -> str:
    """Why there can be none here; empty: there can."""
    if _program("initdb") is None or _program("postgres") is None:
        return "PostgreSQL's server programs are not installed (Debian: postgresql-15)"
    if _driver() is None:
        return f"no driver of PostgreSQL is installed: one of {', '.join(DRIVERS)}"
    if os.getuid() == 0 and _user() is None:
        return "PostgreSQL does not run as root, and there is no user to run it as"
    return ""


def _user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class Postgres:
    """Makes the database and starts the server; gone when the block is left."""

    def __init__(self, folder: Path) -> None:
        self._as = _user() if os.getuid() == 0 else None
        # A short path that its user may enter: a socket's name has 100 octets, our folder may be private.
        self._folder = Path(tempfile.mkdtemp(prefix="kairos-pg-"))
        self._log = folder.with_suffix(".log")
        self._server: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = int(free.getsockname()[1])
        self.url = f"{_driver()}://kairos@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Self:
        if self._as is not None:
            os.chown(self._folder, self._as.pw_uid, self._as.pw_gid)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        done = self._run(
            "initdb", "-D", str(self._folder / "data"), "-U", "kairos", "-A", "trust", "-E", "UTF8"
        )
        if done.returncode:
            raise RunInvalid(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Starts the server and waits until it answers. RunInvalid where it does not."""
        program = _program("postgres")
        assert program is not None  # see no_postgres
        settings = {
            "port": self._port,
            "unix_socket_directories": self._folder,
            "listen_addresses": "127.0.0.1",
        }
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [program, "-D", str(self._folder / "data"), *words], stdout=log, stderr=log, **self._who()
            )
        for _ in range(100):
            done = self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self._port), "-q")
            if done.returncode == 0:
                return
            if self._server.poll() is not None:
                break
            try:
                self._server.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        raise RunInvalid(f"PostgreSQL does not start; see {self._log}")

    def crash(self) -> None:
        """Immediate shutdown: connections break, nothing is flushed that was not committed."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(3)  # SIGQUIT: PostgreSQL 15, 19.5
            self._server.wait(20)

    def _run(self, name: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        program = _program(name)
        assert program is not None  # it comes with the server
        return subprocess.run([program, *words], capture_output=True, timeout=60, check=False, **self._who())

    def _who(self) -> dict[str, Any]:
        if self._as is None:
            return {}
        return {
            "user": self._as.pw_uid,
            "group": self._as.pw_gid,
            "extra_groups": [],
            "cwd": str(self._folder),
        }
