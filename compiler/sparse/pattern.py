"""`Sparsity`: where a derivative may be other than zero, and how it is compressed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError
from .colouring import colour_columns, colour_symmetric, most_in_a_row, transposed
from .unions import Numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Colouring", "Sparsity"]


class Colouring(NamedTuple):
    """A colour for each column, or with ``by_rows`` for each row."""

    colours: Numbers
    by_rows: bool

    @property
    def products(self) -> int:
        """How many colours there are, each a product."""
        return int(self.colours.max(initial=-1)) + 1


class Sparsity:
    """Which elements of a Jacobian or a Hessian may be other than zero.

    ``indptr`` and ``indices`` are those of a matrix in SciPy's format CSR, sorted and
    without duplicates. With ``symmetric`` it is a Hessian's, whose elements may be read
    off on either side of the diagonal. The colouring is made once, when it is first
    asked for. In a notebook it is a picture, and as a text one line.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        indptr: Numbers,
        indices: Numbers,
        *,
        symmetric: bool = False,
    ) -> None:
        self.shape = shape
        self.indptr, self.indices = indptr, indices
        self.symmetric = symmetric

    @classmethod
    def of(cls, matrix: ArrayLike | Any, *, symmetric: bool = False) -> Sparsity:
        """That of a matrix: a NumPy array or a sparse one of SciPy's.

        All elements count that a sparse one stores. Raises `ArgumentError` for what is
        no matrix, and for a symmetric one that is not square.
        """
        import scipy.sparse as sp

        if isinstance(matrix, Sparsity):
            if matrix.symmetric or not symmetric:
                return matrix
            matrix = matrix.tocsr()
        given: Any = matrix if sp.issparse(matrix) else np.asarray(matrix) != 0
        if given.ndim != 2:
            raise ArgumentError(f"a pattern is a matrix, not of {given.ndim} axes")
        stored: Any = sp.coo_array(given)
        data = np.ones(stored.nnz, bool)
        made: Any = sp.csr_array((data, stored.coords), shape=stored.shape)
        height, width = made.shape
        if symmetric:
            if height != width:
                raise ArgumentError(
                    f"the pattern of a Hessian is square, not {height} by {width}"
                )
            made = sp.csr_array(made + made.T)
        made.sum_duplicates()
        ends, columns = made.indptr.astype(np.int64), made.indices.astype(np.int64)
        return cls((height, width), ends, columns, symmetric=symmetric)

    @property
    def nnz(self) -> int:
        """How many elements may be other than zero."""
        return self.indices.size

    @property
    def rows(self) -> Numbers:
        """The row of each of these elements; ``indices`` has the columns."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @cached_property
    def colouring(self) -> Colouring:
        """Columns that one product tells apart; rows, where these need fewer colours.

        Rows are not tried where a column has more elements than there are colours.
        """
        if self.symmetric:
            return Colouring(colour_symmetric(self.indptr, self.indices), False)
        height, width = self.shape
        across = Colouring(colour_columns(self.indptr, self.indices, width), False)
        ends, rows = transposed(self.indptr, self.indices, width)
        if across.products <= most_in_a_row(ends):
            return across
        down = Colouring(colour_columns(ends, rows, height), True)
        return down if down.products < across.products else across

    @cached_property
    def places(self) -> Numbers:
        """Where the products, one behind the other, have each element."""
        colours, by_rows = self.colouring
        height, width = self.shape
        rows, columns = self.rows, self.indices
        if by_rows:
            return colours[rows] * width + columns
        if not self.symmetric:
            return colours[columns] * height + rows
        low, high = np.minimum(rows, columns), np.maximum(rows, columns)
        seen = self._is_alone()
        mirrored = seen[np.argsort(columns, kind="stable")]
        upper = np.where(rows <= columns, seen, mirrored)
        return np.where(upper, colours[high] * width + low, colours[low] * width + high)

    def _is_alone(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether an element is the only one of its colour in its row."""
        colours, count = self.colouring.colours, self.colouring.products
        keys = self.rows * count + colours[self.indices]
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        same = ordered[1:] == ordered[:-1]
        alone = np.ones(self.nnz, bool)
        alone[order[1:][same]] = False
        alone[order[:-1][same]] = False
        return alone

    def tocsr(self) -> Any:
        """The pattern as a sparse array of SciPy's, of bools."""
        import scipy.sparse as sp

        data = np.ones(self.nnz, bool)
        parts = data, self.indices.copy(), self.indptr.copy()  # users may change these
        return sp.csr_array(parts, shape=self.shape)

    def toarray(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The pattern as an array of bools."""
        made = np.zeros(self.shape, bool)
        made[self.rows, self.indices] = True
        return made

    def to_svg(self) -> str:
        """A picture as the text of an SVG file; elements have their group's colour.

        A large pattern is shown by how full its parts are.
        """
        from .picture import to_svg

        return to_svg(self)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sparsity):
            return NotImplemented
        same = self.shape == other.shape and self.symmetric == other.symmetric
        return (
            same
            and np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.indices, other.indices)
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # arrays have none

    def __str__(self) -> str:
        height, width = self.shape
        share = self.nnz / max(height * width, 1)
        count = self.colouring.products
        products = "rows" if self.colouring.by_rows else "columns"
        return (
            f"{height}x{width}, {self.nnz} nonzeros ({share:.2g} of all), "
            f"{count} {'colour' if count == 1 else 'colours'} of {products}"
        )

    def __repr__(self) -> str:
        return f"<Sparsity {self}>"
