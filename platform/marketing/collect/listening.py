"""Which transport the collector listens on, if any."""

from __future__ import annotations

import logging

from marketing.config import CollectorConfig
from sigtran import Choice, Listener, TransportUnavailable, choose, listen

__all__ = ["open_listener"]

log = logging.getLogger(__name__)


def open_listener(
    config: CollectorConfig, *, taps: bool, lockstep: bool
) -> tuple[Choice | None, Listener | None]:
    """The transport and its listener; neither where taps are all there is.

    In lockstep time comes from one place, so taps exclude associations. Where the machine has no SCTP and
    none in particular is asked for, taps do without.

    Raises:
        TransportUnavailable, ListenError: it cannot listen.
    """
    if config.transport == "none" or (taps and lockstep):
        return None, None
    try:
        transport = choose(config.transport)
    except TransportUnavailable as error:
        if not taps or config.transport != "auto":
            raise
        log.warning("taps only, nothing listens for SCTP: %s", error)
        return None, None
    if config.peers is None and transport.kind != "memory" and not config.host.startswith(("127.", "::1")):
        log.warning("whoever reaches %s may associate: name who may in collector.peers", config.host)
    return transport, listen(
        transport.kind, config.host, config.port, encap_port=config.encap_port, streams=config.streams
    )
