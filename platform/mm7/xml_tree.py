"""XML read without what could make it grow: no document type, so no entities, and bounded in depth."""

from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from mm7.errors import DecodeError

__all__ = ["parse"]

DEEPEST: Final = 64
MOST_ELEMENTS: Final = 20_000


def parse(data: bytes) -> Element:
    """The root element, names as `{namespace}local`.

    Raises:
        DecodeError: it is not XML, or has a document type, or is deeper or larger than any message is.
    """
    builder, depth, elements = TreeBuilder(), 0, 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > DEEPEST or elements > MOST_ELEMENTS:
            raise DecodeError("more elements, or deeper ones, than a message has")
        builder.start(_clark(name), {_clark(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(name))

    def refuse(*_: object) -> None:
        raise DecodeError("a document type is not taken")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DecodeError(f"not XML: {error}") from None
    return builder.close()


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name
