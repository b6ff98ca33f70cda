"""The platform's keys for its channels; see `marketing/channels/README.md`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from marketing.config_files import NewPath, Port, Strict
from marketing.config_values import Form, WebAddress

__all__ = ["ChannelsConfig", "CodesConfig", "FileChannelName", "FilesConfig", "MmsConfig"]

FileChannelName = Literal["outbound", "bulk-sms", "email", "direct-mail"]
Code = Annotated[str, Form(r"^[0-9]{3,15}$", "3 to 15 digits")]


class MmsConfig(Strict):
    """The multimedia message centre, MM7 (TS 23.140): where it is, and where it finds us."""

    url: WebAddress
    """Requests to it go there."""
    vaspid: str = Field(default="kairos", min_length=1, max_length=64)
    """Who we are, VASPID."""
    vasid: str = Field(default="marketing", min_length=1, max_length=64)
    """Which of our services sends, VASID."""
    user: str = Field(default="", max_length=64)
    """User of HTTP Basic at the centre; empty: none is said."""
    password: SecretStr = Field(default=SecretStr(""), max_length=64)
    host: str = "127.0.0.1"
    """Address at which its reports and subscribers' messages are taken."""
    port: Port = 8081
    """0 = a free one."""
    peer_user: str = Field(default="", max_length=64)
    """User that the centre has to say by HTTP Basic at our door; empty: none."""
    peer_password: SecretStr = Field(default=SecretStr(""), max_length=64)
    """And its password."""
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    """Real seconds for one request; what has no answer by then is unknown."""
    window: int = Field(default=16, ge=1, le=1000)
    """Requests under way at most."""


class FilesConfig(Strict):
    """Interface files for the desks that call, send in bulk, or print."""

    dir: NewPath
    """Folder with a folder of each channel: out/ for what we write, in/ for results; made if absent."""
    channels: list[FileChannelName] = Field(min_length=1)
    """Which of them are used."""
    every_s: float = Field(default=60.0, gt=0, le=86400)
    """Seconds, by the platform's clock, for which lines are gathered into one file."""
    most: int = Field(default=10_000, ge=1, le=1_000_000)
    """Lines of one file; a full one is written at once."""
    poll_s: float = Field(default=1.0, gt=0, le=3600)
    """Real seconds between two looks for results."""


class CodesConfig(Strict):
    """Access codes of two-way services (J11): every campaign has a sub-code of one of them."""

    internal: Code
    """Of the operator's own campaigns; what follows it in a campaign's originator is its sub-code."""
    external: Code
    """Of campaigns on behalf of others."""
    confirmations: Code
    """Sender of confirmations: none of the policy's marketing originators, so that they can be told apart."""

    @model_validator(mode="after")
    def _apart(self) -> CodesConfig:
        if self.internal.startswith(self.external) or self.external.startswith(self.internal):
            raise ValueError(
                "internal and external must not begin with one another: sub-codes would be mixed up"
            )
        if self.confirmations.startswith((self.internal, self.external)):
            raise ValueError("confirmations begins with an access code: it would look like a campaign's")
        return self


class ChannelsConfig(Strict):
    """What there is besides short messages; those go by the key smpp."""

    wap: bool = True
    """WAP push, through the message centre of the key smpp."""
    mms: MmsConfig | None = None
    """null: no multimedia messages."""
    files: FilesConfig | None = None
    """null: no interface files."""
    desks: list[Literal["hall", "hotline", "web"]] = Field(default_factory=list)
    """Desks that ask for offers by HTTP."""
    codes: CodesConfig | None = None
    """null: replies come to campaigns' originators only, and nothing is confirmed."""

    @property
    def names(self) -> frozenset[str]:
        """Channels that there are."""
        found = {"sms", *self.desks, *(self.files.channels if self.files is not None else ())}
        return frozenset(found | ({"wap"} if self.wap else set()) | ({"mms"} if self.mms else set()))
