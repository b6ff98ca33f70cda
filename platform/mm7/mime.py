"""The MIME around a message: multipart/related (RFC 2387), the XML first, then the content."""

from base64 import encodebytes
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from hashlib import blake2b
from typing import Final

from mm7.errors import DecodeError
from mm7.messages import Part
from mm7.status import StatusCode

__all__ = ["CONTENT_ID", "XML", "Entities", "unwrap", "wrap"]

XML: Final = 'text/xml; charset="utf-8"'
CONTENT_ID: Final = "content"
START_ID: Final = "mm7"
MOST_PARTS: Final = 100


@dataclass(slots=True)
class Entities:
    """What came behind the XML, by Content-ID."""

    by_id: dict[str, EmailMessage] = field(default_factory=dict)

    def parts(self, content_id: str) -> tuple[Part, ...]:
        """Parts of an entity, those of a multipart one after another.

        Raises:
            DecodeError: no such entity, or a part that is none.
        """
        entity = self.by_id.get(content_id)
        if entity is None:
            raise DecodeError(
                f"no part has the Content-ID {content_id[:40]!r}", StatusCode.MULTIMEDIA_CONTENT_REFUSED
            )
        leaves = [one for one in entity.walk() if isinstance(one, EmailMessage) and not one.is_multipart()]
        if len(leaves) > MOST_PARTS:
            raise DecodeError(f"{len(leaves)} parts", StatusCode.MULTIMEDIA_CONTENT_REFUSED)
        return tuple(_part(one, number) for number, one in enumerate(leaves, 1))


def wrap(xml: bytes, parts: tuple[Part, ...]) -> tuple[str, bytes]:
    """Content-Type and body. The boundary hangs on the content alone, so that the same is the same again."""
    encoded = [(part, _transfer(part)) for part in parts]
    digest = blake2b(xml, digest_size=12)
    for part, (_, data) in encoded:
        digest.update(part.name.encode() + data)
    inner, outer = (f"{mark}-{digest.hexdigest()}" for mark in ("parts", "mm7"))
    lines: list[bytes] = []

    def put(*headers: str, data: bytes = b"") -> None:
        lines.extend(one.encode("ascii") for one in headers)
        lines.extend((b"", data))

    put(f"--{outer}", f"Content-Type: {XML}", f"Content-ID: <{START_ID}>", data=xml)
    put(
        f"--{outer}",
        f'Content-Type: multipart/mixed; boundary="{inner}"',
        f"Content-ID: <{CONTENT_ID}>",
        data=b"",
    )
    for part, (transfer, data) in encoded:
        kind = (
            f'{part.content_type}; charset="utf-8"'
            if part.content_type == "text/plain"
            else part.content_type
        )
        put(
            f"--{inner}",
            f'Content-Type: {kind}; name="{part.name}"'
            if kind == part.content_type
            else f"Content-Type: {kind}",
            f"Content-Location: {part.name}",
            f"Content-ID: <{part.name}>",
            f"Content-Transfer-Encoding: {transfer}",
            data=data,
        )
    lines += [f"--{inner}--".encode(), f"--{outer}--".encode(), b""]
    start = f'type="text/xml"; start="<{START_ID}>"'
    return f'multipart/related; boundary="{outer}"; {start}', b"\r\n".join(lines)


def unwrap(content_type: str, body: bytes) -> tuple[bytes, Entities]:
    """The XML, and what came behind it.

    Raises:
        DecodeError: it is neither XML nor a multipart that begins with XML.
    """
    head = b"Content-Type: " + content_type.encode("latin-1", "replace").replace(b"\n", b" ") + b"\r\n\r\n"
    try:
        whole = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
        kind = whole.get_content_type()
        if kind in ("text/xml", "application/xml", "application/soap+xml"):
            return body, Entities()
        entities = [one for one in whole.iter_parts() if isinstance(one, EmailMessage)]
        if kind != "multipart/related" or not entities:
            raise DecodeError(f"expected text/xml or multipart/related, found {kind[:60]}")
        by_id = {_id(one.get("Content-ID")): one for one in entities}
        first = by_id.get(_id(whole.get_param("start")), entities[0])
        if first.get_content_type() not in ("text/xml", "application/xml"):
            raise DecodeError(f"the start part is {first.get_content_type()[:60]}, expected text/xml")
        xml = first.get_payload(decode=True)
    except DecodeError:
        raise
    except Exception as error:  # the parser of headers raises all sorts of things over rubbish
        raise DecodeError(f"not MIME: {type(error).__name__}", StatusCode.MESSAGE_FORMAT_CORRUPT) from None
    assert isinstance(xml, bytes)
    return xml, Entities(by_id)


def _transfer(part: Part) -> tuple[str, bytes]:
    return "base64", encodebytes(part.data).replace(b"\n", b"\r\n").rstrip(b"\r\n")


def _part(entity: EmailMessage, number: int) -> Part:
    try:
        data = entity.get_payload(decode=True)
        name = str(entity.get("Content-Location") or entity.get_filename() or f"part{number}")
        kind = entity.get_content_type()
        if kind == "text/plain" and isinstance(data, bytes):
            charset = entity.get_content_charset() or "utf-8"
            data = data.decode(charset, "replace").encode()
    except Exception as error:
        reason = f"part {number} cannot be read: {type(error).__name__}"
        raise DecodeError(reason, StatusCode.MULTIMEDIA_CONTENT_REFUSED) from None
    safe = "".join(c for c in name if c.isascii() and c.isprintable() and c not in '"\\/')[:100]
    return Part(safe or f"part{number}", kind, data if isinstance(data, bytes) else b"")


def _id(value: object) -> str:
    return str(value or "").strip().removeprefix("<").removesuffix(">")
