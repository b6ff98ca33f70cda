"""Inside the guest: kernel SCTP in UDP (RFC 6951) on one side, libusrsctp on the other, both ways round.

The kernel has UDP port 9899, our side another on the loopback. Prints one JSON line for each of the two.
"""

# ruff: noqa: T201  # standard output is how it answers

import json
import threading
import time
from pathlib import Path

from sigtran import Association, Listener, MessageBatch, connect, listen

HOST = "127.0.0.1"
KERNEL_UDP, OUR_UDP = 9899, 9900
MESSAGES = 5_000


def exchange(name: str, one: Association, other: Association) -> None:
    """Messages both ways at once, then an orderly end."""
    batch = MessageBatch.from_messages(
        [b"%6d" % i + bytes(114) for i in range(MESSAGES)], [1 + i % 15 for i in range(MESSAGES)]
    )
    senders = [threading.Thread(target=end.send, args=(batch,)) for end in (one, other)]
    for sender in senders:
        sender.start()
    intact = []
    for end in (one, other):
        got: list[tuple[int, bytes]] = []
        deadline = time.monotonic() + 20
        while len(got) < MESSAGES and time.monotonic() < deadline:
            end.wait(0.2)
            part = end.receive()
            if part is not None:
                got += zip(part.streams.tolist(), part, strict=True)
        wanted = list(zip(batch.streams.tolist(), batch, strict=True))
        # In order within each stream: a stable sort by stream makes both the same.
        intact.append(sorted(got, key=lambda m: m[0]) == sorted(wanted, key=lambda m: m[0]))
    for sender in senders:
        sender.join()
    flushed = one.flush(5) and other.flush(5)
    one.close(5)
    other.wait(2)
    other.receive()
    print(
        json.dumps(
            {
                "name": name,
                "kinds": [one.kind, other.kind],
                "streams": [one.streams, other.streams],
                "intact": intact,
                "flushed": flushed,
                "states": [one.state, other.state],
                "reasons": [one.reason, other.reason],
            }
        ),
        flush=True,
    )


def accepted(listener: Listener) -> Association:
    """The association that has just been made."""
    association = listener.accept(5)
    if association is None:
        raise SystemExit("nobody came")
    return association


def main() -> None:
    """Both ways round."""
    Path("/proc/sys/net/sctp/udp_port").write_text(str(KERNEL_UDP))
    Path("/proc/sys/net/sctp/encap_port").write_text(str(OUR_UDP))
    with listen("usrsctp", HOST, 0, encap_port=OUR_UDP) as ours:
        one = connect("kernel", HOST, ours.port)
        exchange("the kernel calls libusrsctp", one, accepted(ours))
    with listen("kernel", HOST, 0) as theirs:
        one = connect("usrsctp", HOST, theirs.port, encap_port=KERNEL_UDP, local_encap_port=OUR_UDP)
        exchange("libusrsctp calls the kernel", one, accepted(theirs))


if __name__ == "__main__":
    main()
