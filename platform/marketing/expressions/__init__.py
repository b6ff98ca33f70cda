"""Feature expressions: a typed subset of CEL, compiled to masks over columns; never evaluated as code."""

from marketing.expressions.catalogue import CATALOGUE, Catalogue, Feature, Source, Type

__all__ = ["CATALOGUE", "Catalogue", "Feature", "Source", "Type"]
