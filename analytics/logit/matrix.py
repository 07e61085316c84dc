"""The values of the terms of a logit, by visit or pattern: kept as small columns, multiplied in blocks.

A term is a signal or the product of several. A flag takes one byte and is needed as a number of eight, in each term
that it is part of: made whole, the matrix of millions of visits would take more memory than all else. All that a fit
needs are sums over its rows, which are added up block by block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
"""Arrays of numbers, for all modules of the model; shapes stand where they are used."""

MOST_WHOLE: Final = 1 << 17
"""Rows up to which the matrix is made whole, and kept: with 20 terms it takes 21 MB."""

ROWS_AT_ONCE: Final = 1 << 14
"""Rows of a block of a larger one, which then stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class DesignMatrix:
    """A matrix of rows × terms.

    Args:
        columns: Values of each signal, of any type of numbers; shape (rows,).
        products: For each term the signals whose product it is; none for 1.
        n_rows: Number of rows.
        centre: Subtracted from each term; shape (terms,).
        size: By which each term is divided then.

    >>> docs, minutes = np.array([True, False, True]), np.array([2.0, 3.0, 5.0])
    >>> matrix = DesignMatrix({"docs": docs, "minutes": minutes}, [(), ("docs",), ("docs", "minutes")], 3)
    >>> matrix.dense()
    array([[1., 1., 2.],
           [1., 0., 0.],
           [1., 1., 5.]])
    >>> matrix @ np.array([0.5, 1.0, 1.0])
    array([3.5, 0.5, 6.5])
    """

    columns: Mapping[str, NDArray[Any]]
    products: Sequence[tuple[str, ...]]
    n_rows: int
    centre: Floats | None = None
    size: Floats | None = None

    # So that NumPy leaves `weights @ matrix` to this class.
    __array_ufunc__ = None

    @classmethod
    def of_table(cls, table: pl.DataFrame, products: Sequence[tuple[str, ...]]) -> DesignMatrix:
        """The products of columns of a table: flags of one byte, and numbers of eight."""
        names = dict.fromkeys(name for product in products for name in product)
        columns = {
            name: table[name].to_numpy() if table[name].dtype == pl.Boolean else table[name].cast(pl.Float64).to_numpy()
            for name in names
        }
        return cls(columns, products, table.height)

    @classmethod
    def of(cls, values: DesignMatrix | Floats) -> DesignMatrix:
        """Any matrix of rows × terms."""
        if isinstance(values, DesignMatrix):
            return values
        names = [str(number) for number in range(values.shape[1])]
        return cls(dict(zip(names, values.T, strict=True)), [(name,) for name in names], len(values))

    @property
    def n_terms(self) -> int:
        """Number of terms."""
        return len(self.products)

    def rows(self, chosen: slice | NDArray[Any]) -> Floats:
        """The values in some rows, rows × terms."""
        return self._whole[chosen] if self.n_rows <= MOST_WHOLE else self._made(chosen)

    def _made(self, chosen: slice | NDArray[Any]) -> Floats:
        columns = {name: values[chosen] for name, values in self.columns.items()}
        n = len(next(iter(columns.values()))) if columns else len(np.empty(self.n_rows, np.bool_)[chosen])
        # Column by column in memory, as they are made.
        made = np.ones((n, self.n_terms), order="F")
        for j, parts in enumerate(self.products):
            for part in parts:
                made[:, j] *= columns[part]
        if self.centre is not None:
            made -= self.centre
        if self.size is not None:
            made /= self.size
        return made

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The whole in blocks of rows: which rows, and their values."""
        if self.n_rows <= MOST_WHOLE:
            yield slice(0, self.n_rows), self._whole
            return
        for begin in range(0, self.n_rows, ROWS_AT_ONCE):
            chosen = slice(begin, min(begin + ROWS_AT_ONCE, self.n_rows))
            yield chosen, self._made(chosen)

    def dense(self) -> Floats:
        """The whole as one array."""
        return self.rows(slice(None))

    @cached_property
    def _whole(self) -> Floats:
        # Row by row in memory, for those who take some of the rows.
        return np.ascontiguousarray(self._made(slice(None)))

    def __matmul__(self, b: Floats) -> Floats:
        """The sum of each row's terms, weighted by coefficients."""
        product = np.empty(self.n_rows)
        for chosen, values in self.blocks():
            product[chosen] = values @ b
        return product

    def __rmatmul__(self, weights: Floats) -> Floats:
        """The sum of each term over the rows, weighted."""
        return cast("Floats", sum(weights[chosen] @ values for chosen, values in self.blocks()))

    def gram(self, weights: Floats) -> Floats:
        """Weighted sums of the products of any two terms over the rows, terms × terms."""
        return cast("Floats", sum((values.T * weights[chosen]) @ values for chosen, values in self.blocks()))

    def triangle(self, weights: Floats | None = None) -> Floats:
        """Triangular factor of the QR decomposition, of weighted rows if any, terms × terms at most."""
        found = np.empty((0, self.n_terms))
        for chosen, values in self.blocks():
            weighted = values if weights is None else values * weights[chosen, np.newaxis]
            found = np.asarray(np.linalg.qr(np.vstack([found, weighted]), mode="r"))
        return found

    @cached_property
    def extent(self) -> tuple[Floats, Floats]:
        """Least and greatest value of each term."""
        ends = [(values.min(axis=0), values.max(axis=0)) for _, values in self.blocks()]
        low, high = (np.array(each) for each in zip(*ends, strict=True))
        return low.min(axis=0), high.max(axis=0)

    @cached_property
    def is_binary(self) -> NDArray[np.bool_]:
        """Whether each term is 0 or 1 in all rows."""
        of_blocks = [(values == (values != 0)).all(axis=0) for _, values in self.blocks()]
        return np.asarray(np.logical_and.reduce(of_blocks))

    def n_seen(self, weights: Floats) -> Floats:
        """Sum of the weights of the rows in which each term is not 0."""
        return cast("Floats", sum(weights[chosen] @ (values != 0) for chosen, values in self.blocks()))

    def column(self, term: int) -> Floats:
        """The values of one term; shape (rows,)."""
        return self.choose([term]).rows(slice(None))[:, 0]

    def choose(self, terms: Sequence[int]) -> DesignMatrix:
        """Some of the terms, in this order."""
        centre, size = (None if each is None else each[list(terms)] for each in (self.centre, self.size))
        return replace(self, products=[self.products[term] for term in terms], centre=centre, size=size)

    def take(self, chosen: slice | NDArray[Any]) -> DesignMatrix:
        """Some of the rows."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return replace(self, columns=columns, n_rows=len(np.empty(self.n_rows, np.bool_)[chosen]))

    def scaled(self, centre: Floats, size: Floats) -> DesignMatrix:
        """Each term, scaled or not, less a centre, divided by a size."""
        before = np.ones(self.n_terms) if self.size is None else self.size
        shift = centre * before + (0.0 if self.centre is None else self.centre)
        return replace(self, centre=shift, size=before * size)
