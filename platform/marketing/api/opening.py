"""Opening the HTTP door as configured: safe where nothing is said."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

from marketing.api.door import HttpDoor, is_loopback
from marketing.api.guard import Keeper
from marketing.api.tokens import open_tokens
from marketing.config import ConfigError, PlatformConfig, Problem

__all__ = ["open_door"]

log = logging.getLogger("marketing")


def open_door(config: PlatformConfig, on_refused: Callable[[int], None]) -> tuple[Keeper, HttpDoor]:
    """Who may come in, and the door bound to its port.

    Raises:
        ConfigError: a token, certificate or key is none.
        OSError: the port is taken, or the token's file cannot be made.
    """
    keys = config.http
    assert keys is not None, "the configuration has no HTTP door"
    folder = config.state.dir if config.state is not None else config.records.dir
    if keys.certificate is not None and keys.key is not None:
        _try_certificate(keys.certificate, keys.key)
    tokens = open_tokens(keys, folder, os.environ)
    door = HttpDoor(keys, only_here=tokens.made is not None)
    if tokens.made is not None:
        log.info("HTTP: no token is configured; that of %s is good for everything", tokens.made)
        if door.host != keys.host:
            log.warning("HTTP: without tokens of your own %s is not opened, only %s", keys.host, door.host)
    elif not is_loopback(door.host) and keys.certificate is None:
        log.warning("HTTP: tokens cross the network in clear; set http.certificate and http.key")
    return Keeper(tokens, keys.rate_per_s, keys.burst, on_refused), door


def _try_certificate(certificate: Path, key: Path) -> None:
    """Now, so that a wrong one is told at the start and not by the thread that serves."""
    try:
        # A key with a password would be asked for at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        expected = f"a certificate and its key in PEM, without a password: {error}"
        raise ConfigError([Problem(str(certificate), 0, "http.certificate", "", expected)]) from None
