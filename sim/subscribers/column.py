"""Columns that are computed when they are read: what a million people would fill memory with otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

T = TypeVar("T", bound=np.generic)


class Column(NDArrayOperatorsMixin, Generic[T]):
    """A read-only column of n values, each a function of its index.

    `column[i]` computes what is asked for and no more: a scalar for a number, an array for a slice, a mask or
    an array of indices. As an operand, or through `np.asarray`, the whole column is computed.
    """

    __slots__ = ("_of", "dtype", "n")

    def __init__(self, n: int, dtype: type[T], of: Callable[[NDArray[np.int64]], NDArray[Any]]) -> None:
        self.n = n
        self.dtype = np.dtype(dtype)
        self._of = of

    @property
    def shape(self) -> tuple[int]:
        """(n,)."""
        return (self.n,)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: Any) -> NDArray[T]:
        which = _indices(self.n, index)
        values = self._of(np.atleast_1d(which).reshape(-1)).astype(self.dtype, copy=False)
        picked: NDArray[T] = values[0] if which.ndim == 0 else values.reshape(which.shape)
        return picked

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **how: Any) -> Any:
        whole = [value[:] if isinstance(value, Column) else value for value in inputs]
        return getattr(ufunc, method)(*whole, **how)

    def astype(self, dtype: DTypeLike) -> NDArray[Any]:
        """The whole column in another type."""
        return np.asarray(self[:]).astype(dtype)

    def copy(self) -> NDArray[T]:
        """The whole column."""
        return self[:]

    def tolist(self) -> list[Any]:
        """The whole column as Python values."""
        values: list[Any] = self[:].tolist()
        return values

    def sum(self) -> int:
        """Sum of the whole column of integers or flags."""
        return int(self[:].sum(dtype=np.int64))

    def mean(self) -> float:
        """Mean of the whole column."""
        return float(self[:].mean())


def _indices(n: int, index: Any) -> NDArray[np.int64]:
    """The rows meant, negative ones counted from the end."""
    if isinstance(index, slice):
        return np.arange(*index.indices(n), dtype=np.int64)
    which = np.asarray(index)
    if which.dtype == np.bool_:
        if which.shape != (n,):
            raise IndexError(f"a mask of {n} values, not of shape {which.shape}")
        return np.flatnonzero(which)
    rows = which.astype(np.int64, casting="same_kind") if which.size else which.astype(np.int64)
    if rows.size and (rows.min() < -n or rows.max() >= n):
        raise IndexError(f"rows {rows.min()}..{rows.max()} of a column of {n}")
    return np.where(rows < 0, rows + n, rows)


def pack_rate(value: ArrayLike) -> NDArray[np.uint16]:
    """Non-negative integers below 2**26 as sixteen bits: five of exponent, eleven of mantissa (1/2048 off).

    Values below 4096 are kept exactly; larger ones are rounded down to twelve leading bits.
    """
    v = np.asarray(value, dtype=np.int64)
    if v.size and (v.min() < 0 or v.max() >= 1 << 26):
        raise ValueError("a rate outside 0..2**26-1")
    bits = np.maximum(v, 2048).astype(np.float64).view(np.int64) >> 52  # exact: exponents of whole numbers
    exponent = np.where(v < 2048, 0, bits - 1023 - 10)
    mantissa = np.where(v < 2048, v, (v >> np.maximum(exponent - 1, 0)) - 2048)
    return (exponent << 11 | mantissa).astype(np.uint16)


def unpack_rate(code: ArrayLike) -> NDArray[np.int64]:
    """The values of `pack_rate`."""
    c = np.asarray(code).astype(np.int64)
    exponent, mantissa = c >> 11, c & 2047
    return np.where(exponent == 0, mantissa, (mantissa + 2048) << np.maximum(exponent - 1, 0))
