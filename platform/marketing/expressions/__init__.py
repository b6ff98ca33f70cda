"""Feature expressions: a typed subset of CEL, compiled to masks over columns; never evaluated as code."""

from marketing.expressions.catalogue import BOSS_CATALOGUE, CATALOGUE, Catalogue, Feature, Source, Type
from marketing.expressions.columns import AnyColumn, Numbers, Sets, View, Words
from marketing.expressions.compile import Expression, compile_expression, split_expression
from marketing.expressions.domains import Domain
from marketing.expressions.errors import ExpressionError
from marketing.expressions.impossible import impossible

__all__ = [
    "BOSS_CATALOGUE",
    "CATALOGUE",
    "AnyColumn",
    "Catalogue",
    "Domain",
    "Expression",
    "ExpressionError",
    "Feature",
    "Numbers",
    "Sets",
    "Source",
    "Type",
    "View",
    "Words",
    "compile_expression",
    "impossible",
    "split_expression",
]
