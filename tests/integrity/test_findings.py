"""Which contents become findings, their wording, and their severity."""

from __future__ import annotations

import pytest

from wqscore.integrity.contents import Contents, Lines
from wqscore.integrity.findings import Finding, matrix_findings, tensor_findings

SOUND = Contents(100, 0, 0, 0, None)


def outline(findings: list[Finding]) -> list[tuple[str, str, int, str]]:
    return [(finding.severity, finding.kind, finding.count, finding.detail) for finding in findings]


def test_a_sound_matrix_and_a_sound_bias_give_nothing() -> None:
    assert matrix_findings("fc1.weight", "mlp.in", (10, 10), SOUND) == []
    assert tensor_findings("fc1.bias", SOUND) == []


def test_what_is_not_finite_is_an_error() -> None:
    contents = Contents(1_000_000, 1234, 2, 3, None)
    expected = [
        ("error", "nan", 1234, "1,234 of 1,000,000 numbers are NaN"),
        ("error", "infinite", 5, "5 of 1,000,000 numbers are infinite: 2 +∞ and 3 −∞"),
    ]
    assert outline(matrix_findings("fc1.weight", "mlp.in", (1000, 1000), contents)) == expected
    assert outline(tensor_findings("fc1.bias", contents)) == expected


def test_only_minus_infinity_is_usual_in_a_mask() -> None:
    assert tensor_findings("attn.masked_bias", Contents(1, 0, 0, 1, None)) == []
    assert outline(tensor_findings("attn_mask", Contents(9, 0, 1, 3, None))) == [
        ("error", "infinite", 1, "1 of 9 numbers is infinite: 1 +∞")
    ]
    assert tensor_findings("mask_tower.fc.bias", Contents(9, 0, 0, 3, None)) != []


@pytest.mark.parametrize(
    ("name", "value", "usual"),
    [
        ("norm.weight", 1.0, True),
        ("norm.weight", 0.0, False),
        ("norm.bias", 0.0, True),
        ("LayerNorm.beta", 0.0, True),
        ("LayerNorm.gamma", 1.0, True),
        ("bn.running_mean", 0.0, True),
        ("bn.running_var", 1.0, True),
        ("bn.running_var", 0.0, False),
        ("norm.weight", 0.5, False),
        ("norm.bias", 1.0, False),
    ],
)
def test_gains_of_one_and_biases_of_zero_are_usual(name: str, value: float, usual: bool) -> None:
    findings = tensor_findings(name, Contents(64, 0, 0, 0, value))
    kind = "constant" if value else "all-zero"
    expected = [] if usual else [("remark", kind, 1, f"all 64 numbers are {value:g}")]
    assert outline(findings) == expected


def test_a_single_number_is_not_called_constant() -> None:
    assert tensor_findings("logit_scale", Contents(1, 0, 0, 0, 4.6)) == []


def test_a_matrix_of_one_number_is_a_remark() -> None:
    zero, ones = Contents(12, 0, 0, 0, 0.0), Contents(12, 0, 0, 0, 1.0)
    assert outline(matrix_findings("a.weight", "other", (3, 4), zero)) == [
        ("remark", "all-zero", 1, "all 12 numbers are 0")
    ]
    assert outline(matrix_findings("a.weight", "other", (3, 4), ones)) == [
        ("remark", "constant", 1, "all 12 numbers are 1")
    ]


def test_rows_and_columns_are_counted_and_named() -> None:
    contents = Contents(5000, 0, 0, 0, None, Lines(tuple(range(7)), (9,), (20, 30)), Lines((1,), (2,), (3,)))
    assert outline(matrix_findings("o.weight", "attention.o", (2000, 50), contents)) == [
        ("remark", "zero-rows", 7, "7 of 2,000 rows all zero (0, 1, 2, 3, 4, …)"),
        ("remark", "constant-rows", 1, "1 of 2,000 rows all one number (9)"),
        ("remark", "repeated-rows", 2, "2 of 2,000 rows equal to an earlier one (20, 30)"),
        ("remark", "zero-columns", 1, "1 of 50 columns all zero (1)"),
        ("remark", "constant-columns", 1, "1 of 50 columns all one number (2)"),
        ("remark", "repeated-columns", 1, "1 of 50 columns equal to an earlier one (3)"),
    ]


UNUSED = ": usual for padding and unused tokens"


@pytest.mark.parametrize(
    ("role", "shape", "of_zero_rows", "of_zero_columns", "of_repeated_rows"),
    [
        ("embedding", (1000, 10), UNUSED, "", UNUSED),
        ("mlp.in", (40, 10), ": dead neurons", "", ""),
        # GPT-2's layout: a neuron is a column.
        ("mlp.gate", (10, 40), "", ": dead neurons", ""),
        ("mlp.out", (10, 40), "", "", ""),
    ],
)
def test_what_zero_rows_mean_is_told(
    role: str, shape: tuple[int, int], of_zero_rows: str, of_zero_columns: str, of_repeated_rows: str
) -> None:
    contents = Contents(400, 0, 0, 0, None, Lines((3,), repeated=(5,)), Lines((4,)))
    assert [finding.detail for finding in matrix_findings("w", role, shape, contents)] == [
        f"1 of {shape[0]:,} rows all zero (3){of_zero_rows}",
        f"1 of {shape[0]:,} rows equal to an earlier one (5){of_repeated_rows}",
        f"1 of {shape[1]:,} columns all zero (4){of_zero_columns}",
    ]
