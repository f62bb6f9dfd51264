"""How much a store grows by the matrices of a model, from their shapes."""

from __future__ import annotations

from collections.abc import Iterable

from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.stores.schema import PAGE_BYTES

#: Bytes of each matrix beside its eigenvalues, of a model on the Hub: 940 of the key and its index, 1,340 of the row
#: and the digest of the values, 225 of the file's header and the model's list of contents (benchmarks/README.md).
_MATRIX = 2_500
#: Bytes of a row of a spectrum beside its eigenvalues, and of each eigenvalue.
_SPECTRUM, _EIGENVALUE = 80, 8
#: What SQLite keeps of a page, and of a row longer than a page (https://www.sqlite.org/fileformat2.html, 1.6).
_LINK, _HEAD = 4, 35
_LEAST = (PAGE_BYTES - 12) * 32 // 255 - 23


def store_size(matrices: Iterable[WeightMatrix]) -> int:
    """Bytes that the results of matrices take in a store, within a tenth for a hundred matrices."""
    return sum(_MATRIX + _stored(matrix) for matrix in matrices)


def _stored(matrix: WeightMatrix) -> int:
    """Bytes of the pages that a spectrum takes."""
    row = _SPECTRUM + _EIGENVALUE * min(matrix.rows, matrix.columns) * matrix.slices
    most = PAGE_BYTES - _HEAD
    if row <= most:
        return PAGE_BYTES // (most // row)
    # Whole pages of its own, and in the table what is left over, if that is not more than a page holds.
    rest = _LEAST + (row - _LEAST) % (PAGE_BYTES - _LINK)
    kept = rest if rest <= most else _LEAST
    pages = -(-(row - kept) // (PAGE_BYTES - _LINK))
    return pages * PAGE_BYTES + PAGE_BYTES // (most // kept)
