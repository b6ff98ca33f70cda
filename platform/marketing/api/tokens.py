"""Tokens of the HTTP door: who may come in, in which role. Kept and compared as hashes.

A token is made by `kairos token make ROLE`: 256 random bits, shown once, and a line with its SHA-256 for the
platform. No slow hash is needed, since nothing shorter can be guessed. A file with one token in clear
(`http.token_file`, or the one that the platform makes itself) is an operator's, for its owner alone to read.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, get_args

from marketing.config import ConfigError, HttpConfig, Problem
from marketing.hiding import hide

__all__ = ["MADE", "NAME", "ROLES", "Role", "Token", "Tokens", "make_token", "open_tokens"]

Role = Literal["reader", "desk", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""Each may all that those before it may. reader: figures. desk: customers too, who is to be offered what.
operator: changes what runs."""
LEAST: Final = 16
"""Characters of a token: a short one could be guessed."""
MOST: Final = 256
MADE: Final = "operator.token"
"""The file that is made where no token is given."""
NAME: Final = re.compile(r"[\w.@-]{1,40}", re.ASCII)
_LINE: Final = re.compile(rf"(\w+)\s+sha256:([0-9a-f]{{64}})(?:\s+({NAME.pattern}))?", re.ASCII)
_WORD: Final = re.compile(rf"[!-~]{{{LEAST},{MOST}}}")


@dataclass(frozen=True, slots=True)
class Token:
    """One that is let in."""

    role: Role
    digest: bytes
    """SHA-256 of the token, 32 octets."""
    name: str = ""
    """Whose it is, as the line says."""

    def line(self) -> str:
        """As a file of tokens has it."""
        return f"{self.role} sha256:{self.digest.hex()} {self.name}".rstrip()

    def may(self, least: Role) -> bool:
        """Whether this role is at least that one."""
        return ROLES.index(self.role) >= ROLES.index(least)


def make_token(role: Role, name: str = "") -> tuple[str, Token]:
    """A fresh token in clear, and what is kept of it."""
    clear = f"kairos_{role}_{secrets.token_urlsafe(32)}"
    return clear, Token(role, sha256(clear.encode()).digest(), name)


@dataclass(frozen=True, slots=True)
class Tokens:
    """All that are let in."""

    known: tuple[Token, ...] = ()
    made: Path | None = None
    """The file that was made, or found, because no token was given."""

    def who(self, authorization: Iterable[bytes]) -> Token | None:
        """Whose token the values of the header Authorization carry; None: nobody's.

        Takes the same time whether there is one, and whichever it is.
        """
        values = list(authorization)
        scheme, _, given = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
        digest, found = sha256(given.strip()).digest(), None
        for token in self.known:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found if scheme.lower() == b"bearer" else None


def open_tokens(config: HttpConfig, folder: Path, environment: Mapping[str, str]) -> Tokens:
    """Those that the configuration names; where there are none, one for operators, made in `folder`.

    Raises:
        ConfigError: a file, a line or the variable is none.
        OSError: the file cannot be made.
    """
    known: list[Token] = []
    if config.token_file is not None:
        known.append(_in_clear(config.token_file, "http.token_file"))
    if config.tokens_file is not None:
        known += _lines(_text(config.tokens_file), str(config.tokens_file), "http.tokens_file")
    said = environment.get(config.tokens_env, "")
    if said.strip():
        known += _lines(said.replace(";", "\n"), f"environment {config.tokens_env}", "http.tokens_env")
    if known:
        return Tokens(tuple(known))
    made = folder / MADE
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        clear, _ = make_token("operator")
        number = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "w") as file:
            file.write(f"{clear}\n")
    return Tokens((_in_clear(made, str(made), ours=True),), made)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), 0, "", "", f"expected a text file: {error}")]) from None


def _in_clear(path: Path, key: str, *, ours: bool = False) -> Token:
    """The one token of a file."""
    if ours:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
            expected = "expected a file of this user that nobody else may read (chmod 600), or none"
            raise ConfigError([Problem(str(path), 0, "", "", expected)])
    clear = _text(path).strip()
    if not _WORD.fullmatch(clear):
        expected = f"one word of {LEAST} to {MOST} ASCII characters"
        raise ConfigError([Problem(str(path), 0, key, "", expected)])
    hide(clear)
    return Token("operator", sha256(clear.encode()).digest(), path.name)


def _lines(text: str, where: str, key: str) -> list[Token]:
    """Lines as `kairos token make` prints them; empty ones and those that begin with # are none."""
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        role = next((r for r in ROLES if match is not None and r == match[1]), None)
        if match is None or role is None:
            # The line is not shown: it may be a token in clear.
            expected = f"ROLE sha256:HEX [NAME] with ROLE one of {', '.join(ROLES)}; see `kairos token make`"
            problems.append(Problem(where, number, key, "", expected))
        else:
            found.append(Token(role, bytes.fromhex(match[2]), match[3] or ""))
    if problems:
        raise ConfigError(problems)
    return found
