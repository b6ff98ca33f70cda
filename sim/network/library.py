"""All templates of a network: made when first asked for, kept for good."""

from __future__ import annotations

from sim.network.templates import Ladders, Shape, Template, VisibleOf, make_template


class TemplateLibrary:
    """Templates by shape; may be shared by several runs in one process."""

    def __init__(self, ladders: Ladders, visible_of: VisibleOf) -> None:
        self._ladders = ladders
        self._visible_of = visible_of
        self._by_shape: dict[Shape, Template] = {}

    def __len__(self) -> int:
        return len(self._by_shape)

    def template(self, shape: Shape) -> Template:
        """The template of a shape."""
        found = self._by_shape.get(shape)
        if found is None:
            found = self._by_shape[shape] = make_template(shape, self._ladders, self._visible_of)
        return found
