"""Service Indication (WAP-167) and Service Loading (WAP-168): what a push shows or fetches, as WBXML.

    octets = encode(ServiceIndication("Three days of roaming free", href="http://wap.example.com/r"))
    decode(octets)

Times are Unix seconds; on the wire they are opaque decimal digits of UTC with trailing zero octets left out
(WAP-167 8.2.2).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from smpp.errors import DecodeError, EncodeError
from smpp.push import wbxml
from smpp.push.wbxml import Element, Vocabulary

SIGNALS: Final = ("signal-none", "signal-low", "signal-medium", "signal-high", "delete")
"""WAP-167 5.2: how much the handset may disturb its user; delete takes an indication back."""
DEFAULT_SIGNAL: Final = "signal-medium"
EXECUTIONS: Final = ("execute-low", "execute-high", "cache")
"""WAP-168 5.2.1: when the handset loads what href names; the first is the default."""

_DOMAINS: Final = {".com/": 0x85, ".edu/": 0x86, ".net/": 0x87, ".org/": 0x88}
"""WAP-167 8.3.2 and WAP-168 8.3.2."""

SI: Final = Vocabulary(
    0x05,
    "-//WAPFORUM//DTD SI 1.0//EN",
    {"si": 0x05, "indication": 0x06, "info": 0x07, "item": 0x08},  # WAP-167 8.3.1
    {
        # WAP-167 8.3.2
        ("action", "signal-none"): 0x05,
        ("action", "signal-low"): 0x06,
        ("action", "signal-medium"): 0x07,
        ("action", "signal-high"): 0x08,
        ("action", "delete"): 0x09,
        ("created", ""): 0x0A,
        ("href", ""): 0x0B,
        ("href", "http://"): 0x0C,
        ("href", "http://www."): 0x0D,
        ("href", "https://"): 0x0E,
        ("href", "https://www."): 0x0F,
        ("si-expires", ""): 0x10,
        ("si-id", ""): 0x11,
        ("class", ""): 0x12,
    },
    _DOMAINS,
)

SL: Final = Vocabulary(
    0x06,
    "-//WAPFORUM//DTD SL 1.0//EN",
    {"sl": 0x05},  # WAP-168 8.3.1
    {
        # WAP-168 8.3.2
        ("action", "execute-low"): 0x05,
        ("action", "execute-high"): 0x06,
        ("action", "cache"): 0x07,
        ("href", ""): 0x08,
        ("href", "http://"): 0x09,
        ("href", "http://www."): 0x0A,
        ("href", "https://"): 0x0B,
        ("href", "https://www."): 0x0C,
    },
    _DOMAINS,
)


def _check_href(href: str) -> None:
    if any(character.isspace() or not character.isprintable() for character in href):
        raise EncodeError(f"href has a blank or a control character: {href!r}")


def _check_one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EncodeError(f"{what} is one of {', '.join(known)}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Item:
    """WAP-167 5.4: something further about the indication, for programs."""

    text: str
    item_class: str = ""


@dataclass(frozen=True, slots=True)
class ServiceIndication:
    """A text for the user with a link that they may follow, or leave."""

    text: str
    href: str = ""
    """Also the identity where si_id is empty; with neither, none replaces or deletes it."""
    si_id: str = ""
    """A later indication with the same one replaces this, unless it was created earlier."""
    created_s: int | None = None
    si_expires_s: int | None = None
    """After this the handset discards it unread."""
    action: str = DEFAULT_SIGNAL
    info: tuple[Item, ...] = ()

    def __post_init__(self) -> None:
        _check_href(self.href)
        _check_one_of("action", self.action, SIGNALS)
        if self.action == "delete" and not self.si_id:  # WAP-167 6.2
            raise EncodeError("action delete needs the si_id of what is to be deleted")
        for what, moment_s in (("created_s", self.created_s), ("si_expires_s", self.si_expires_s)):
            if moment_s is not None:
                _date_time(what, moment_s)


@dataclass(frozen=True, slots=True)
class ServiceLoading:
    """What the handset is to fetch without asking."""

    href: str
    action: str = EXECUTIONS[0]

    def __post_init__(self) -> None:
        _check_href(self.href)
        _check_one_of("action", self.action, EXECUTIONS)
        if not self.href:
            raise EncodeError("a service loading has an href")


Content = ServiceIndication | ServiceLoading


def encode(content: Content) -> bytes:
    """The WBXML document; an action that is the default of its document type is left out."""
    if isinstance(content, ServiceLoading):
        loading: tuple[tuple[str, str | bytes], ...] = (("href", content.href),)
        if content.action != EXECUTIONS[0]:
            loading += (("action", content.action),)
        return wbxml.encode(SL, Element("sl", loading))
    attributes: list[tuple[str, str | bytes]] = []
    if content.href:
        attributes.append(("href", content.href))
    if content.si_id:
        attributes.append(("si-id", content.si_id))
    for name, moment_s in (("created", content.created_s), ("si-expires", content.si_expires_s)):
        if moment_s is not None:
            attributes.append((name, _date_time(name, moment_s)))
    if content.action != DEFAULT_SIGNAL:
        attributes.append(("action", content.action))
    indication = Element("indication", tuple(attributes), (content.text,) if content.text else ())
    items = tuple(
        Element(
            "item", (("class", one.item_class),) if one.item_class else (), (one.text,) if one.text else ()
        )
        for one in content.info
    )
    info = (Element("info", (), items),) if items else ()
    return wbxml.encode(SI, Element("si", (), (indication, *info)))


def decode(data: bytes) -> Content:
    """What `encode` wrote, or somebody else. Unknown attributes and elements are passed over."""
    vocabulary, root = wbxml.decode((SI, SL), data)
    try:
        return _loading(root) if vocabulary is SL else _indication(root)
    except EncodeError as fault:
        raise DecodeError(f"{root.tag}: {fault}", data=data) from None


def _loading(root: Element) -> ServiceLoading:
    attributes = dict(root.attributes)
    if root.tag != "sl":
        raise EncodeError("the root of a service loading is sl")
    return ServiceLoading(_text(attributes, "href"), _text(attributes, "action") or EXECUTIONS[0])


def _indication(root: Element) -> ServiceIndication:
    elements = [child for child in root.children if isinstance(child, Element)]
    found = next((one for one in elements if one.tag == "indication"), None)
    if root.tag != "si" or found is None:
        raise EncodeError("a service indication is an element indication in si")
    attributes = dict(found.attributes)
    items = (child for one in elements if one.tag == "info" for child in one.children)
    return ServiceIndication(
        text=_content(found),
        href=_text(attributes, "href"),
        si_id=_text(attributes, "si-id"),
        created_s=_moment_s(attributes, "created"),
        si_expires_s=_moment_s(attributes, "si-expires"),
        action=_text(attributes, "action") or DEFAULT_SIGNAL,
        info=tuple(
            Item(_content(one), _text(dict(one.attributes), "class"))
            for one in items
            if isinstance(one, Element) and one.tag == "item"
        ),
    )


def _content(element: Element) -> str:
    return "".join(child for child in element.children if isinstance(child, str))


def _text(attributes: dict[str, str | bytes], name: str) -> str:
    value = attributes.get(name, "")
    if isinstance(value, bytes):
        raise EncodeError(f"{name} is text, not {value.hex()}")
    return value


# ---- times: WAP-167 8.2.2, %Datetime


def _date_time(name: str, moment_s: int) -> bytes:
    """YYYYMMDDhhmmss of UTC, two digits an octet; trailing octets of zeros are left out."""
    try:
        moment = datetime.fromtimestamp(moment_s, UTC)
    except (OverflowError, ValueError, OSError):
        raise EncodeError(f"{name}: {moment_s} s is no date") from None
    return bytes.fromhex(f"{moment:%Y%m%d%H%M%S}".zfill(14)).rstrip(b"\0")


def _moment_s(attributes: dict[str, str | bytes], name: str) -> int | None:
    value = attributes.get(name)
    if value is None or value == "":
        return None
    # As text it is the XML form, YYYY-MM-DDThh:mm:ssZ, which some gateways send untouched.
    digits = value.hex() if isinstance(value, bytes) else "".join(filter(str.isdigit, value))
    try:
        moment = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise EncodeError(f"{name} {value!r} is no time") from None
    return int(moment.timestamp())
