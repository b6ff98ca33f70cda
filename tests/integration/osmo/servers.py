"""The four Osmocom programs of a core network, started in the guest, and the subscribers they know."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
#: Program and the TCP port of its VTY, in the order of starting.
PROGRAMS = {"osmo-stp": 4239, "osmo-hlr": 4258, "osmo-mgw": 4243, "osmo-msc": 4254}
#: `-l`: the HLR's data base; it is made if there is none.
ARGUMENTS = {"osmo-hlr": ["-l", "/run/hlr.db"]}


class Vty:
    """The text console of an Osmocom program."""

    def __init__(self, port: int, timeout_s: float = 10) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self._pull_until(b"> ")
        self.say("enable")

    def say(self, line: str) -> str:
        """What the program answers to a command."""
        self._socket.sendall(line.encode() + b"\n")
        return self._pull_until(b"# ").decode(errors="replace")

    def _pull_until(self, prompt: bytes) -> bytes:
        octets = b""
        while not octets.endswith(prompt):
            more = self._socket.recv(4096)
            if not more:
                raise ConnectionError(f"the console is closed behind {octets!r}")
            octets += more
        return octets

    def close(self) -> None:
        self._socket.close()


class Servers:
    """Starts the programs, each with its log in `out`; stops them at the end."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        for program, port in PROGRAMS.items():
            path = shutil.which(program)
            if path is None:
                raise SystemExit(f"{program} is not installed")
            with (self._out / f"{program}.log").open("wb") as log:
                self._running.append(
                    subprocess.Popen(
                        [path, "-c", str(HERE / f"{program}.cfg"), *ARGUMENTS.get(program, [])],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        cwd="/run",
                    )
                )
            Vty(port).close()

    def stop(self) -> None:
        for running in reversed(self._running):
            running.terminate()
        for running in self._running:
            running.wait(5)


def subscribe(imsi: str, msisdn: str, key: bytes, opc: bytes) -> list[str]:
    """Write a subscriber with a Milenage USIM into the HLR; the answers of the console."""
    vty = Vty(PROGRAMS["osmo-hlr"])
    commands = (
        "create",
        f"update msisdn {msisdn}",
        f"update aud3g milenage k {key.hex()} opc {opc.hex()}",
        "show",
    )
    said = [vty.say(f"subscriber imsi {imsi} {command}") for command in commands]
    vty.close()
    return said
