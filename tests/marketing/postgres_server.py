"""A PostgreSQL server of its own, from Debian's package, for the tests that need one."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Postgres:
    """One server in a folder of its own. It refuses to run as root, so then it runs as `postgres`."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kairos-pg-"))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        self.port = _free_port()
        self._run("initdb", "-D", "data", "-U", "kairos", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()

    def _run(self, program, *arguments):
        done = subprocess.run(
            [BINARIES / program, *arguments],
            cwd=self.folder,
            user=self.user,
            extra_groups=[] if self.user else None,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not done.returncode, done.stdout + done.stderr

    def start(self):
        # Without fsync: these tests stop the server, not the machine.
        options = ("fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}")
        where = " ".join((f"-p {self.port}", *(f"-c {option}" for option in options)))
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", where, "start")

    def stop(self, how="immediate"):
        self._run("pg_ctl", "-D", "data", "-w", "-m", how, "stop")

    def _serves(self):
        with socket.socket() as probe:
            return not probe.connect_ex(("127.0.0.1", self.port))

    def url(self, database):
        return f"postgresql://kairos@127.0.0.1:{self.port}/{database}"

    def database(self):
        """A new, empty one; its URL."""
        name = f"d{time.monotonic_ns()}"
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "kairos")
        self._run("createdb", *where, name)
        return self.url(name)

    def close(self):
        if self._serves():
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def lacking():
    """Why there can be no server here; empty: there can."""
    if not (BINARIES / "postgres").exists():
        return f"no PostgreSQL 15 in {BINARIES}"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed"
    return ""
