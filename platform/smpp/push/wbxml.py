"""Binary XML (WAP-192 WBXML, in its version 1.2): one reader, one writer, any vocabulary.

A document is a tree of `Element`; a `Vocabulary` says which tag, attribute and value have which token. What
has no token is written as an inline string (values) or refused (names). Opaque octets are `bytes`, text is
`str`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smpp.errors import DecodeError, EncodeError

VERSION = 0x02
"""WBXML 1.2, WAP-192 5.4."""
UTF_8 = 106
"""MIBenum."""

# Global tokens: WAP-192 7.1
SWITCH_PAGE, END, ENTITY, STR_I, LITERAL, PI, STR_T, OPAQUE = 0x00, 0x01, 0x02, 0x03, 0x04, 0x43, 0x83, 0xC3
_ATTRIBUTES, _CONTENT = 0x80, 0x40
_CHARSETS = {0: "utf-8", 3: "ascii", 4: "latin-1", UTF_8: "utf-8"}
"""MIBenum -> codec; 0 is unknown, where UTF-8 is the guess."""
_DEEPEST = 8
"""Elements one in the other; SI has four."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a document."""

    tag: str
    attributes: tuple[tuple[str, str | bytes], ...] = ()
    """Names and values, in the order of the wire."""
    children: tuple["Element | str | bytes", ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of one document type; code page 0 is the only one."""

    public_id: int
    """WAP-192 7.2."""
    name: str
    """The formal public identifier, which may stand instead of the number."""
    tags: Mapping[str, int]
    attributes: Mapping[tuple[str, str], int]
    """(name, what the value begins with) -> token."""
    values: Mapping[str, int]
    """Pieces of values -> token, 0x80 and up."""
    _starts: dict[str, list[tuple[str, int]]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for (name, prefix), token in self.attributes.items():
            self._starts.setdefault(name, []).append((prefix, token))
        for found in self._starts.values():
            found.sort(key=lambda one: -len(one[0]))  # the longest that fits wins

    def start(self, name: str, value: str | bytes) -> tuple[int, str | bytes]:
        """The token that attribute `name` begins with, and what is left of `value`."""
        for prefix, token in self._starts.get(name, ()):
            if isinstance(value, bytes):
                if not prefix:
                    return token, value
            elif value.startswith(prefix):
                return token, value[len(prefix) :]
        raise EncodeError(f"{self.name} has no token for attribute {name}={value!r}")


def push_integer(value: int) -> bytes:
    """mb_u_int32 of WAP-192 5.1, which is uintvar of WSP: seven bits an octet, the first most significant."""
    if not 0 <= value <= 0xFFFFFFFF:
        raise EncodeError(f"{value} is no 32-bit number")
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def pull_integer(data: bytes, at: int) -> tuple[int, int]:
    """What `push_integer` wrote at `at`, and where it ends."""
    value = 0
    for place in range(at, min(at + 5, len(data))):
        value = value << 7 | data[place] & 0x7F
        if not data[place] & 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, place + 1
    raise DecodeError(f"no multi-byte integer at octet {at}", data=data)


# ---- writer


def encode(vocabulary: Vocabulary, root: Element) -> bytes:
    """The document: WAP-192 5."""
    head = bytes((VERSION,)) + push_integer(vocabulary.public_id) + push_integer(UTF_8) + push_integer(0)
    out = bytearray(head)
    _push_element(out, vocabulary, root)
    return bytes(out)


def _push_element(out: bytearray, vocabulary: Vocabulary, element: Element) -> None:
    token = vocabulary.tags.get(element.tag)
    if token is None:
        raise EncodeError(f"{vocabulary.name} has no element {element.tag!r}")
    has = _ATTRIBUTES * bool(element.attributes) | _CONTENT * bool(element.children)
    out.append(token | has)
    for name, value in element.attributes:
        start, rest = vocabulary.start(name, value)
        out.append(start)
        _push_value(out, vocabulary, rest)
    if element.attributes:
        out.append(END)
    for child in element.children:
        if isinstance(child, Element):
            _push_element(out, vocabulary, child)
        else:
            _push_piece(out, child)
    if element.children:
        out.append(END)


def _push_value(out: bytearray, vocabulary: Vocabulary, value: str | bytes) -> None:
    """A value with its tokens: of those that fit, the first in the text, and of these the longest."""
    while isinstance(value, str) and value:
        found = [(at, -len(piece), piece) for piece in vocabulary.values if (at := value.find(piece)) >= 0]
        if not found:
            break
        at, _, piece = min(found)
        _push_piece(out, value[:at])
        out.append(vocabulary.values[piece])
        value = value[at + len(piece) :]
    _push_piece(out, value)


def _push_piece(out: bytearray, piece: str | bytes) -> None:
    if isinstance(piece, bytes):
        out.append(OPAQUE)
        out += push_integer(len(piece)) + piece
    elif piece:
        out.append(STR_I)
        out += _octets(piece) + b"\0"


def _octets(text: str) -> bytes:
    """UTF-8 of what XML allows; a NUL would end the inline string early."""
    for character in text:
        if character < " " and character not in "\t\n\r":
            raise EncodeError(f"control character {character!r} has no place in {text!r}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise EncodeError(f"{text!r} holds half a surrogate pair") from None


# ---- reader


def decode(vocabularies: Sequence[Vocabulary], data: bytes) -> tuple[Vocabulary, Element]:
    """The document, and in which of `vocabularies` it is. Raises DecodeError for whatever is none."""
    return _Reader(vocabularies, data).document()


class _Reader:
    def __init__(self, vocabularies: Sequence[Vocabulary], data: bytes) -> None:
        self._vocabularies = vocabularies
        self._data = data
        self._at = 0
        self._codec = "utf-8"
        self._strings = b""

    def document(self) -> tuple[Vocabulary, Element]:
        self._octet("version")
        public_id = self._integer()
        name_at = self._integer() if public_id == 0 else None  # an index into the string table
        charset = self._integer()
        if charset not in _CHARSETS:
            raise self._error(f"charset {charset}")
        self._codec = _CHARSETS[charset]
        self._strings = self._take(self._integer())
        name = None if name_at is None else self._string_at(name_at)
        for vocabulary in self._vocabularies:
            if name == vocabulary.name or (name is None and public_id == vocabulary.public_id):
                root = self._element(vocabulary, self._octet("the root element"), 1)
                if self._at != len(self._data):
                    raise self._error(f"{len(self._data) - self._at} octets after the document")
                return vocabulary, root
        raise self._error(f"document type {name or f'0x{public_id:02X}'}")

    def _element(self, vocabulary: Vocabulary, token: int, depth: int) -> Element:
        if depth > _DEEPEST:
            raise self._error("elements too deep")
        code = token & ~(_ATTRIBUTES | _CONTENT)
        tag = next((tag for tag, one in vocabulary.tags.items() if one == code), None)
        if tag is None:
            if code != LITERAL:
                raise self._error(f"tag 0x{token:02X}")
            tag = self._string_at(self._integer())
        attributes = self._attributes(vocabulary) if token & _ATTRIBUTES else ()
        children = self._children(vocabulary, depth) if token & _CONTENT else ()
        return Element(tag, attributes, children)

    def _attributes(self, vocabulary: Vocabulary) -> tuple[tuple[str, str | bytes], ...]:
        found: list[tuple[str, str | bytes]] = []
        token = self._octet("an attribute")
        while token != END:
            if token == LITERAL:
                name, prefix = self._string_at(self._integer()), ""
            else:
                both = next((both for both, one in vocabulary.attributes.items() if one == token), None)
                if both is None:
                    raise self._error(f"attribute 0x{token:02X}")
                name, prefix = both
            value, token = self._value(vocabulary, prefix)
            found.append((name, value))
        return tuple(found)

    def _value(self, vocabulary: Vocabulary, prefix: str) -> tuple[str | bytes, int]:
        """A value, and the token after it: that of the next attribute, or END."""
        text, opaque = [prefix] if prefix else [], b""
        while True:
            token = self._octet("a value")
            piece = self._piece(token)
            if isinstance(piece, bytes):
                opaque += piece
            elif piece is not None:
                text.append(piece)
            elif token >= 0x80:
                piece = next((piece for piece, one in vocabulary.values.items() if one == token), None)
                if piece is None:
                    raise self._error(f"value 0x{token:02X}")
                text.append(piece)
            else:
                if text and opaque:
                    raise self._error("a value both of text and of octets")
                return opaque or "".join(text), token

    def _children(self, vocabulary: Vocabulary, depth: int) -> tuple[Element | str | bytes, ...]:
        found: list[Element | str | bytes] = []
        while (token := self._octet("content")) != END:
            piece = self._piece(token)
            if piece is None:
                found.append(self._element(vocabulary, token, depth + 1))
            elif isinstance(piece, str) and found and isinstance(found[-1], str):
                found[-1] += piece  # in pieces on the wire, one text to a reader
            elif piece:
                found.append(piece)
        return tuple(found)

    def _piece(self, token: int) -> str | bytes | None:
        """A string or opaque octets, where `token` begins one."""
        if token == STR_I:
            return self._inline()
        if token == STR_T:
            return self._string_at(self._integer())
        if token == ENTITY:
            code = self._integer()
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._error(f"entity {code}")
            return chr(code)
        if token == OPAQUE:
            return self._take(self._integer())
        if token in (SWITCH_PAGE, PI):
            raise self._error(f"token 0x{token:02X}, which no such document needs")
        return None

    # ---- octets

    def _octet(self, what: str) -> int:
        if self._at >= len(self._data):
            raise self._error(f"the end, where {what} was expected")
        self._at += 1
        return self._data[self._at - 1]

    def _integer(self) -> int:
        value, self._at = pull_integer(self._data, self._at)
        return value

    def _take(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            raise self._error(f"{length} octets claimed, {len(self._data) - self._at} left")
        self._at += length
        return self._data[self._at - length : self._at]

    def _inline(self) -> str:
        end = self._data.find(0, self._at)
        if end < 0:
            raise self._error("a string without an end")
        text, self._at = self._data[self._at : end], end + 1
        return self._text(text)

    def _string_at(self, offset: int) -> str:
        end = self._strings.find(0, offset)
        if offset >= len(self._strings) or end < 0:
            raise self._error(f"no string at {offset} of the string table")
        return self._text(self._strings[offset:end])

    def _text(self, octets: bytes) -> str:
        try:
            return octets.decode(self._codec)
        except UnicodeDecodeError as fault:
            raise self._error(f"{octets!r} is no {self._codec}: {fault.reason}") from None

    def _error(self, reason: str) -> DecodeError:
        return DecodeError(f"WBXML, octet {self._at}: {reason}", data=self._data)
