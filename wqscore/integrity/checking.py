"""Check a checkpoint: examine every floating-point tensor, and compare every file with its checksum."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.checkpoints.tensor import Tensor
from wqscore.errors import CheckpointError
from wqscore.execution.threads import run_in_order
from wqscore.integrity.checksums import FileCheck, check_file
from wqscore.integrity.contents import digest, examine, fingerprint
from wqscore.integrity.findings import Finding, matrix_findings, tensor_findings
from wqscore.matrices.checkpoint_plan import plan_checkpoint
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.plan import PlannedTensor, by_tensor, matrices_of, tensor_name
from wqscore.matrices.uncounted import MissingWeight
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model, ModelRef
from wqscore.results import Result

if TYPE_CHECKING:
    # Importing it would compile the fits, which are not needed here.
    from wqscore.execution.progress import RankProgress, ScoreProgress


@dataclass(frozen=True, repr=False)
class Integrity(Result):
    """The result of checking a checkpoint.

    Attributes:
        ref: the reference that was checked.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        findings: errors, then matrices that equal another, then other remarks; each in the order of `layers.csv`.
        examined: number of tensors whose numbers were examined; tied copies are not counted.
        size: their bytes.
        unread: number of tensors not examined, by stored dtype: integers and codes of quantised weights.
        files: the comparison of each weight file with its checksum, except those that were streamed.
        remarks: lines that say what was taken as the model where its files hold more than one.
    """

    ref: ModelRef
    revision: str | None
    findings: tuple[Finding, ...]
    examined: int
    size: int
    unread: dict[str, int]
    files: tuple[FileCheck, ...]
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """The model, and how many findings there are."""
        return f"<Integrity of {self.ref.label:.80}: {len(self.errors)} errors, {len(self.findings)} findings>"

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the weights unusable or show that they aren't those that were published."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def check(
    ref: Model, *, stream: bool = False, jobs: int | None = None, progress: RankProgress | None = None
) -> Integrity:
    """Check one model for damage, without computing a metric.

    Args:
        ref: the model, as for `score`.
        stream: as for `score`; streamed files are not compared with checksums, which needs the whole file.
        jobs: threads; all cores if `None`. The result is the same for any number.
        progress: notified as tensors are done.

    Raises:
        UsageError: the reference is invalid.
        CheckpointError: a model that can't be found, fetched or read, or whose files are cut short.

    Example:
        `wqscore.check("./my-model").errors`
    """
    model = as_ref(ref)
    model_progress = progress.model(model) if progress else None
    try:
        checkpoint = open_or_fall_back(model, stream, progress)
        return check_checkpoint(checkpoint, jobs, model_progress)
    except MemoryError as error:
        raise CheckpointError(f"{model.label}: not enough memory: check it with --jobs 1") from error


def check_checkpoint(
    checkpoint: Checkpoint, jobs: int | None = None, progress: ScoreProgress | None = None
) -> Integrity:
    """Check an opened checkpoint: examine every floating-point tensor, and compare its files with their checksums.

    A tensor is read once, and again only where a sample of it equals that of another.

    Args:
        checkpoint: an opened checkpoint.
        jobs: threads; all cores if `None`. The result is the same for any number.
        progress: notified as tensors are done.

    Raises:
        CheckpointError: a file changed or vanished while it was read.
    """
    groups = by_tensor(plan_checkpoint(checkpoint, MatrixRules()))
    by_name = {tensor.name: tensor for tensor in checkpoint.tensors}
    missing = [group[0] for group in groups if isinstance(group[0], MissingWeight)]
    groups = [group for group in groups if not isinstance(group[0], MissingWeight)]
    tasks = [(by_name[tensor_name(group[0])], group) for group in groups if not _is_tied(group)]
    floats = [(tensor, group) for tensor, group in tasks if _is_readable(tensor) and tensor.parameters]
    size = sum(tensor.nbytes for tensor, _ in floats)
    if progress:
        progress.start(sum(len(matrices_of(group)) for _, group in floats), size, size)
    examined: list[_Examined] = []
    for (tensor, group), result in zip(floats, run_in_order(_examine, floats, jobs), strict=True):
        examined.append(result)
        if progress:
            progress.advance(len(matrices_of(group)), tensor.nbytes, tensor.nbytes)
    files = sorted({file for tensor in checkpoint.tensors for file in tensor.files})
    checks = tuple(run_in_order(check_file, ((file,) for file in files), jobs))
    findings = [
        *(Finding(each.file, each.checksum, 1, each.detail) for each in checks if each.checksum and each.detail),
        *(Finding(each.name, "missing", 1, each.reason) for each in missing),
        *_with_copies(examined, jobs),
    ]
    return Integrity(
        ref=checkpoint.ref,
        revision=checkpoint.revision,
        findings=tuple(sorted(findings, key=lambda finding: finding.severity == "remark")),
        examined=len(floats),
        size=size,
        unread=dict(sorted(Counter(tensor.dtype.name for tensor, _ in tasks if not _is_readable(tensor)).items())),
        files=checks,
        remarks=checkpoint.remarks,
    )


@dataclass(frozen=True)
class _Examined:
    """A tensor's findings, and a fingerprint of each of its matrices except those that are all one number."""

    findings: tuple[Finding, ...]
    fingerprints: tuple[tuple[bytes, WeightMatrix], ...] = ()


def _examine(tensor: Tensor, group: Sequence[PlannedTensor]) -> _Examined:
    """Read one tensor and examine its matrices, or the whole tensor where it has none."""
    array = tensor.read()
    matrices = matrices_of(group)
    if not matrices:
        return _Examined(tuple(tensor_findings(tensor.name, examine(array.reshape(1, -1)))))
    findings: list[Finding] = []
    fingerprints = []
    for matrix in matrices:
        values = _unfolded(matrix, array)
        contents = examine(values)
        findings += matrix_findings(matrix.name, matrix.role, values.shape, contents)
        if contents.value is None:
            fingerprints.append((fingerprint(values), matrix))
    return _Examined(tuple(findings), tuple(fingerprints))


def _unfolded(matrix: WeightMatrix, array: np.ndarray) -> np.ndarray:
    """A matrix's values in two dimensions; each row of a convolution is one whole filter."""
    return matrix.values(array).swapaxes(0, 1).reshape(matrix.rows, -1)


def _with_copies(examined: Sequence[_Examined], jobs: int | None) -> list[Finding]:
    """A finding for each matrix that equals an earlier one, then the findings of each tensor."""
    alike: dict[bytes, list[WeightMatrix]] = defaultdict(list)
    for each in examined:
        for key, matrix in each.fingerprints:
            alike[key].append(matrix)
    suspects = [matrix for group in alike.values() if len(group) > 1 for matrix in group]
    digests = run_in_order(_digest, ((matrix,) for matrix in suspects), jobs)
    first_with: dict[bytes, str] = {}
    copies = []
    for matrix, content in zip(suspects, digests, strict=True):
        first = first_with.setdefault(content, matrix.name)
        if first != matrix.name:
            copies.append(Finding(matrix.name, "same-as", 1, f"the same as {first}"))
    return [*copies, *(finding for each in examined for finding in each.findings)]


def _digest(matrix: WeightMatrix) -> bytes:
    return digest(_unfolded(matrix, matrix.tensor.read()))


def _is_readable(tensor: Tensor) -> bool:
    """Whether a tensor's numbers are floats; an adapter's are, whether or not they are read as weights."""
    return tensor.dtype.kind == "float" and not (isinstance(tensor, DecodedTensor) and tensor.refusal)


def _is_tied(group: Sequence[PlannedTensor]) -> bool:
    return isinstance(group[0], SkippedTensor) and group[0].kind == "tied"
