"""The platform's configuration: one typed object, read from YAML with every mistake reported at once.

What reads the file stands in `marketing.config_files`; campaign and policy files are read by the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator

from marketing.config_channels import ChannelsConfig
from marketing.config_files import (
    ConfigError,
    Document,
    ExistingFile,
    KeyPath,
    NewPath,
    Port,
    Problem,
    Strict,
    TapSource,
    read_model,
    read_yaml,
    shorten,
    suggest,
)
from marketing.config_values import Form, IpNetwork, Moment, WebAddress, Words
from marketing.hiding import hide

__all__ = [
    "BossConfig",
    "BossQueryConfig",
    "ClockConfig",
    "CollectorConfig",
    "ConfigError",
    "Document",
    "ExistingFile",
    "HttpConfig",
    "ImportsConfig",
    "KeyPath",
    "LedgerConfig",
    "NewPath",
    "PeerConfig",
    "PlatformConfig",
    "Problem",
    "RecordsConfig",
    "SmppConfig",
    "Strict",
    "boss_key",
    "load_config",
    "read_model",
    "read_yaml",
    "shorten",
    "suggest",
    "with_taps",
]


class ClockConfig(Strict):
    """Where the platform's time comes from."""

    mode: Literal["wall", "live", "lockstep"] = "wall"
    """wall: the machine's time. live: epoch + factor x real time. lockstep: told by the simulator's beats, or
    by the times of captures where taps are given, which then are the only source."""
    epoch: Moment | None = None
    """Midnight of day 1 of the world, ISO 8601; without an offset it is in the policy's time zone."""
    start_s: float = Field(default=0.0, ge=0)
    """live: seconds after the epoch that the clock shows at its origin."""
    factor: float = Field(default=1.0, gt=0)
    """live: simulated seconds a real second."""
    origin_ns: int | None = None
    """live: monotonic nanoseconds of the origin, as the harness has it; absent: the platform's start."""
    tick_s: float = Field(default=5.0, gt=0)
    """lockstep: simulated seconds between barriers."""

    @model_validator(mode="after")
    def _epoch_where_needed(self) -> ClockConfig:
        if self.mode != "wall" and self.epoch is None:
            raise ValueError(f"a {self.mode} clock needs the key epoch")
        return self


class PeerConfig(Strict):
    """Who may associate; written short as its address alone."""

    address: IpNetwork
    """An address, or a network such as 10.1.2.0/24."""
    asp: int | None = Field(default=None, ge=0, le=0xFFFF_FFFF)
    """ASP identifier that it must name (RFC 4666 3.5.1); null: any or none."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, values: object) -> object:
        return {"address": values} if isinstance(values, str) else values


class CollectorConfig(Strict):
    """Where signalling comes in: M3UA over SCTP, the platform listening, and captures."""

    transport: Literal["auto", "kernel", "usrsctp", "memory", "none"] = "auto"
    """auto: the kernel's SCTP where it works, else libusrsctp (SCTP_TRANSPORT overrides); none: taps only."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 2905
    """SCTP port; 0 = a free one."""
    encap_port: Port = 9899
    """usrsctp: UDP port of the encapsulation (RFC 6951); 0 = a free one."""
    streams: int = Field(default=16, ge=2, le=65535)
    """Streams asked for in each direction."""
    peers: list[PeerConfig] | None = None
    """Who may associate, by address or network, with an ASP identifier or without; null: whoever reaches the
    port."""
    taps: list[TapSource] = Field(default_factory=list)
    """Captures to read beside, pcapng or pcap: files, named pipes, `-` for standard input; merged by time."""
    exit_at_end: bool = False
    """End the platform when all taps are at their end."""

    @model_validator(mode="after")
    def _some_source(self) -> CollectorConfig:
        if self.transport == "none" and not self.taps:
            raise ValueError("transport none needs taps to read from")
        if self.exit_at_end and not self.taps:
            raise ValueError("exit_at_end needs taps that can end")
        if self.taps.count("-") > 1:
            raise ValueError("standard input can be one tap only")
        return self


class SmppConfig(Strict):
    """The short-message centre, SMPP 3.4 as a transceiver."""

    host: str = "127.0.0.1"
    port: Port = 2775
    system_id: str = Field(default="kairos", max_length=15)
    """At most 15 characters (SMPP 3.4 5.2.1)."""
    password: SecretStr = Field(default=SecretStr("kairos"), max_length=8)
    """At most 8 characters (SMPP 3.4 5.2.2)."""
    window: int = Field(default=100, ge=1, le=10000)
    """Requests awaiting their response at most."""
    connect_timeout_s: float = Field(default=10.0, gt=0)
    """How long the start waits for the centre."""


class BossQueryConfig(Strict):
    """Asking BOSS, at the moment of a decision, what it knows of a subscriber."""

    timeout_s: float = Field(default=1.0, gt=0, le=60)
    """For one request from first to last octet; afterwards the answer is unknown."""
    cache_s: float = Field(default=300.0, ge=0)
    """For how long an answer holds, by the platform's clock."""
    cache_size: int = Field(default=100_000, ge=1, le=10_000_000)
    """Subscribers whose answers are kept."""
    failures: int = Field(default=5, ge=1)
    """So many failed requests in a row and BOSS is left in peace."""
    rest_s: float = Field(default=10.0, gt=0)
    """For so long, real seconds; then one request tries whether it answers again."""


class BossConfig(Strict):
    """The operator's business support system, which opens services."""

    url: WebAddress = Field(default="http://127.0.0.1:8080", repr=False)
    """Orders go to /orders below it."""
    key_file: ExistingFile | None = None
    """Holds the key that BOSS wants as bearer token; null: none."""
    timeout_s: float = Field(default=5.0, gt=0)
    """For one request; an order is repeated until its outcome is known."""
    query: BossQueryConfig = BossQueryConfig()


class HttpConfig(Strict):
    """The platform's own HTTP door. Without any token it is open to this machine alone."""

    host: str = "127.0.0.1"
    port: Port = 8000
    """0 = a free one."""
    token_file: ExistingFile | None = None
    """Holds one token of role operator in clear. Without any token `operator.token` is made in the folder of
    the state, or of the records, and the door listens on this machine only."""
    tokens_file: ExistingFile | None = None
    """Lines `ROLE sha256:HEX NAME` as `kairos token make` prints them; roles are operator, desk, reader."""
    tokens_env: str = "KAIROS_HTTP_TOKENS"
    """Variable of the environment with such lines, or with semicolons between them."""
    certificate: ExistingFile | None = None
    """PEM, with the chain: HTTPS in place of HTTP; needs `key`."""
    key: ExistingFile | None = None
    """PEM, without a password."""
    rate_per_s: float = Field(default=200.0, ge=0)
    """Requests a second of one token, and of one address; 0 = no limit."""
    burst: int = Field(default=400, ge=1)
    """So many at once."""
    connections: int = Field(default=256, ge=1)
    """Connections and requests at once; what is more is answered with 503."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> HttpConfig:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class ImportsConfig(Strict):
    """Where extracts and lists are imported while the platform runs."""

    dir: NewPath
    """Folder of the import store, with incoming/ to drop files into; made if absent."""
    poll_s: float = Field(default=1.0, gt=0, le=3600)
    """Real seconds between two looks at it."""
    bad_share: float = Field(default=0.01, ge=0, le=1)
    """A file with a greater share of bad rows is refused whole."""
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    """Of CSV files; GBK is part of gb18030."""
    largest_mb: int = Field(default=4096, ge=1)
    """Greatest upload, MiB."""


class LedgerConfig(Strict):
    """The contact ledger's database."""

    url: Annotated[
        str, Form(r"^(sqlite|postgresql)[^\n]*$", "a database address that begins with sqlite or postgresql")
    ] = Field(default="sqlite:///ledger.db", repr=False)
    """SQLAlchemy URL; a relative SQLite path is taken from the configuration's folder."""


class RecordsConfig(Strict):
    """What the platform writes down for later judgement."""

    dir: NewPath
    """Folder for behaviours.parquet, triggers.parquet, ledger.parquet, collector.json; made if absent."""
    flush_s: float = Field(default=5.0, gt=0)
    """live: at most this long between writing to disk."""


class SilenceConfig(Strict):
    """When a subscriber who shows nothing is taken for switched off (implicit detach, TS 23.012)."""

    t3212_h: float = Field(default=6.0, gt=0, le=25.5)
    """Hours between periodic updates, as the network has it."""
    periods: int = Field(default=3, ge=1, le=100)
    """So many in a row must have been missed."""
    margin_s: float = Field(default=900.0, ge=0)
    """And so many seconds more."""


class StateConfig(Strict):
    """Where the engine's knowledge is kept for a restart."""

    dir: NewPath
    """Folder of snapshots and journals; made if absent, and this platform's own."""
    every_s: float = Field(default=60.0, gt=0)
    """Real seconds between snapshots; a restart replays at most what came in since the last."""
    sync_s: float = Field(default=5.0, gt=0)
    """Real seconds between two writings to the disk itself: what a power cut may lose."""


class PlatformConfig(Strict):
    """Everything `python -m marketing` needs."""

    clock: ClockConfig = ClockConfig()
    collector: CollectorConfig = CollectorConfig()
    smpp: SmppConfig = SmppConfig()
    channels: ChannelsConfig = ChannelsConfig()
    boss: BossConfig = BossConfig()
    http: HttpConfig | None = HttpConfig()
    """null: no HTTP door."""
    subscribers: ExistingFile
    """BOSS extract: Parquet or CSV with imsi, msisdn and any columns that campaigns ask for."""
    cells: ExistingFile
    """CSV with lac, ci, place, kind; place may be empty."""
    terminals: ExistingFile | None = None
    """Terminal table by TAC: CSV or Parquet with tac (or tac_from, tac_to), model, maker, what it can do."""
    lists: dict[Words, ExistingFile] = Field(default_factory=dict)
    """Target lists by name: CSV or Parquet with msisdn."""
    segments: ExistingFile | None = None
    """Table of segments (scenarios/audiences): adds `contact_places` and `packages` to every profile."""
    origins: ExistingFile | None = None
    """Where visitors come from: CSV with imsi_prefix (5 to 15 digits) and origin; null: networks alone."""
    imports: ImportsConfig | None = None
    """null: nothing is imported while it runs."""
    campaigns: list[ExistingFile] = Field(default_factory=list)
    """Campaign files; none: watch only."""
    campaigns_dir: NewPath | None = None
    """Folder whose *.yaml are campaigns too, looked at while the platform runs; null: no folder."""
    silence: SilenceConfig | None = None
    """null: nobody is taken for switched off who has not said so."""
    state: StateConfig | None = None
    """null: what is learned of subscribers ends with the process."""
    policy: ExistingFile
    """Contact policy file."""
    ledger: LedgerConfig = LedgerConfig()
    records: RecordsConfig
    workers: int = Field(default=1, ge=1, le=64)
    """Engines that share out the subscribers: 1, in this process; more, each a process of its own."""


def load_config(path: Path | str) -> PlatformConfig:
    """The platform's configuration file.

    Raises:
        ConfigError: with every problem of the file.
    """
    path = Path(path)
    config, _ = read_model(path, PlatformConfig)
    _hide_secrets(path, config)
    url = config.ledger.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////") and ":memory:" not in url:
        database = (path.parent / url.removeprefix("sqlite:///")).resolve()
        config = config.model_copy(update={"ledger": LedgerConfig(url=f"sqlite:///{database}")})
    return config


def _hide_secrets(path: Path, config: PlatformConfig) -> None:
    """What the file holds in secret is never shown; a password that is the user's name is no secret."""
    smpp = config.smpp
    password = smpp.password.get_secret_value()
    if password != smpp.system_id:
        hide(password)
    for key, url in (("ledger.url", config.ledger.url), ("boss.url", config.boss.url)):
        try:
            inside = urlsplit(url).password
        except ValueError as error:
            expected = f"expected an address: {error}"
            raise ConfigError([Problem(str(path), 0, key, "", expected)]) from None
        if inside:
            hide(inside, unquote(inside))
            if key == "boss.url" and config.boss.key_file is not None:
                expected = "either a login in boss.url or boss.key_file"
                raise ConfigError([Problem(str(path), 0, key, "", expected)])
    if config.boss.key_file is not None:
        hide(boss_key(config.boss) or "")
    mms = config.channels.mms
    if mms is not None:
        both = (mms.user, mms.password), (mms.peer_user, mms.peer_password)
        hide(*(word for user, secret in both if (word := secret.get_secret_value()) != user))


def boss_key(config: BossConfig) -> str | None:
    """The key that BOSS wants.

    Raises:
        ConfigError: its file holds none.
    """
    if config.key_file is None:
        return None
    key = config.key_file.read_bytes().strip()
    if not key.isascii() or len(key.split()) != 1:
        expected = "one word of ASCII characters"
        raise ConfigError([Problem(str(config.key_file), 0, "boss.key_file", "", expected)])
    return key.decode()


def _said(value: object) -> str:
    return shorten(value) if isinstance(value, str) else ""


def with_taps(config: PlatformConfig, taps: Sequence[str], exit_at_end: bool = False) -> PlatformConfig:
    """The configuration with what the command line adds to its collector; paths are from the current folder.

    Raises:
        ConfigError: there is no such file, or these do not go together.
    """
    if not taps and not exit_at_end:
        return config
    keys = config.collector.model_dump()
    keys["taps"] = [*config.collector.taps, *taps]
    keys["exit_at_end"] = exit_at_end or config.collector.exit_at_end
    try:
        collector = CollectorConfig.model_validate(keys)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        raise ConfigError(
            [
                Problem("command line", 0, "--tap", _said(item["input"]), str(item["ctx"]["error"]))
                for item in wrong
            ]
        ) from None
    return config.model_copy(update={"collector": collector})
