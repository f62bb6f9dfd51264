"""Cut matrices from a tensor that stores the transpose of a matrix whose parts are known."""

from __future__ import annotations

from wqscore.matrices.weight_matrix import Cut


def of_transpose(cut: Cut) -> Cut:
    """The same rows and columns as a cut of a matrix, from its transpose.

    Args:
        cut: of a matrix whose last axis, the columns, is not split; it keeps its axes' order.

    Example:
        >>> import numpy as np
        >>> matrix = np.arange(24).reshape(6, 4)
        >>> cut = Cut((2, 3, 4), (slice(None), slice(1, 3)))
        >>> (of_transpose(cut).of(matrix.T) == cut.of(matrix)).all()
        np.True_
    """
    index = (*cut.index, *(slice(None),) * (len(cut.shape) - len(cut.index)))
    shape, index = (cut.shape[-1], *cut.shape[:-1]), (index[-1], *index[:-1])
    left = sum(isinstance(each, slice) for each in index)
    return Cut(shape, index, (*range(1, left), 0))
