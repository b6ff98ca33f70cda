"""The other end of an association, as a process of its own: `peer_program.py KIND MODE`.

It listens on free ports, prints them as one JSON line, serves one association and prints what it saw at the
end. Modes: count, echo, sleep (never receives), stuck (holds the interpreter lock for five seconds,
then counts), leave (ends without closing anything).
"""

# ruff: noqa: T201  # standard output is how it answers

import json
import re
import sys
import time

from sigtran import AssociationLost, listen


def main(kind: str, mode: str) -> None:
    listener = listen(kind, "127.0.0.1", 0, encap_port=0)
    print(json.dumps({"port": listener.port, "encap_port": listener.encap_port}), flush=True)
    association = listener.accept(20)
    if association is None:
        raise SystemExit("nobody came")
    received = 0
    if mode == "sleep":
        time.sleep(60)
    if mode == "stuck":
        until = time.monotonic() + 5
        while time.monotonic() < until:
            re.match("(a+)+$", "a" * 22 + "b")  # never gives the interpreter lock away
    while True:
        association.wait(1)
        batch = association.receive()
        if batch is not None:
            received += batch.n
            if mode == "echo":
                try:
                    association.send(batch)
                except AssociationLost:
                    continue
            if mode == "leave":
                return
        elif association.state != "up":
            break
    print(
        json.dumps({"received": received, "state": association.state, "reason": association.reason}),
        flush=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
