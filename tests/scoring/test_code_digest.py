"""The code digest ignores prose, imports and file locations; a change of code changes it."""

from __future__ import annotations

import ast
import io
import re
import shutil
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import wqscore
from wqscore.scoring.cache_keys import ROW_SOURCES, SPECTRUM_SOURCES
from wqscore.scoring.code_digest import code_alone, digest_bytes, digest_code

PACKAGE = Path(wqscore.__file__).parent
#: What the eight files take from other packages. The digest of their code does not see an import: where one of these
#: is to be another, raise a number in the code.
FOREIGN = {
    "__future__.annotations",
    "collections.abc.Iterable",
    "collections.abc.Iterator",
    "ctypes",
    "dataclasses.dataclass",
    "dataclasses.replace",
    "functools.cache",
    "math.prod",
    "ml_dtypes",
    "numpy as np",
    "pathlib.Path",
    "scipy_openblas32",
    "threading.Lock",
    "torch",
    "typing.Literal",
    "typing.Protocol",
}
#: Modules that name no number: messages, how they are printed, and when a property is computed.
PROSE = {PACKAGE / "errors.py", PACKAGE / "escaping.py", PACKAGE / "cached_property.py"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the eight files."""
    for source in SPECTRUM_SOURCES:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / source, tmp_path / source)
    return tmp_path


def digest(package: Path, sources: tuple[str, ...] = SPECTRUM_SOURCES) -> str:
    """The digest of the code now, not the cached one."""
    return digest_code.__wrapped__(sources, package)


def edit(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    file.write_text(after, encoding="utf-8", newline="")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("from wqscore.spectra.lapack import", "from wqscore.solvers.blas import"),
        lambda text: text.replace("import numpy as np\n", "import json\nimport numpy as np\n"),
        lambda text: text.replace("import numpy as np\n", ""),
        lambda text: text.replace(
            "    total = np.empty", "    from math import (\n        pi,\n    )\n\n    total = np.empty"
        ),
        lambda text: text.replace("    total = np.empty", "    # Why, at length: 'quoted\n    total = np.empty"),
        lambda text: text.replace("np.empty((0, 0))", "np.empty((0, 0))  # grows with the first block"),
        lambda text: text.replace("    total = np.empty", "\n\n    total = np.empty"),
        lambda text: text.replace("np.empty((0, 0))", "np.empty((0, 0)) \t"),
        lambda text: re.sub(r'^"""', '"""Otherwise worded. ', text),
        lambda text: text[text.index('"""', 3) + 3 :],
        lambda text: text.replace("Return the eigenvalues of a Gram matrix", "The Gram matrix's eigenvalues # 1"),
        lambda text: text.replace("    product = upper_gram", '    "What is summed."\n    product = upper_gram'),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n# The end",
    ],
)
def test_imports_comments_docstrings_and_blanks_leave_the_digest_alone(
    copy: Path, change: Callable[[str], str]
) -> None:
    before = digest(copy)
    edit(copy / "spectra" / "eigenvalues.py", change)
    assert digest(copy) == before


def test_a_file_that_is_moved_and_renamed_leaves_the_digest_alone(copy: Path) -> None:
    before = digest(copy)
    (copy / "arrays").mkdir()
    (copy / "matrices" / "weight_matrix.py").rename(copy / "arrays" / "a.py")
    (copy / "spectra" / "lapack.py").rename(copy / "zz.py")
    moved = {"matrices/weight_matrix.py": "arrays/a.py", "spectra/lapack.py": "zz.py"}
    sources = tuple(moved.get(source, source) for source in SPECTRUM_SOURCES)
    assert digest(copy, sources) == before
    assert digest(copy, tuple(reversed(sources))) == before


@pytest.mark.parametrize("source", SPECTRUM_SOURCES)
def test_each_constant_in_the_code_counts(source: str) -> None:
    text = (PACKAGE / source).read_bytes()
    before = code_alone(text)
    lines = text.splitlines(keepends=True)
    constants = list(constants_in_code(ast.parse(text)))
    assert constants
    for node in constants:
        assert node.lineno == node.end_lineno
        line = lines[node.lineno - 1]
        other = line[: node.col_offset] + b"other" + line[node.end_col_offset :]
        changed = b"".join([*lines[: node.lineno - 1], other, *lines[node.lineno :]])
        assert code_alone(changed) != before, line


def constants_in_code(node: ast.AST) -> Iterator[ast.Constant]:
    """Numbers, strings and names such as `None`; not those within f-strings, where Python 3.11 misplaces them."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())) | ast.JoinedStr():
            pass
        case ast.Constant():
            yield node
        case _:
            for child in ast.iter_child_nodes(node):
                yield from constants_in_code(child)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("x = 'a # b'", "x = 'a # c'"),
        ("x = 'a  b'", "x = 'a b'"),
        ("x = '''a \nb'''", "x = '''a\nb'''"),
        ("x = '''a\n\nb'''", "x = '''a\nb'''"),
        ("x = f'{y} # {1}'", "x = f'{y} # {2}'"),
        ("x = b'# a'", "x = b'# b'"),
        ("def f():\n    'doc'\n    return 'doc'", "def f():\n    'doc'\n    return 'cod'"),
        ("if x:\n    y = 1\nz = 2", "if x:\n    y = 1\n    z = 2"),
        ("import x; y = 2", "import x; y = 3"),
        ("f'{print(1)}'", "f'{print(2)}'"),
        ("é = 'é'; import x; y = 2  # é", "é = 'é'; import x; y = 3  # é"),
        ("b'no docstring'", "b'no docstrings'"),
    ],
)
def test_what_looks_like_prose_and_is_none_counts(text: str, other: str) -> None:
    assert code_alone(text.encode()) != code_alone(other.encode())


def test_no_token_of_the_code_is_lost() -> None:
    """As Python's tokeniser finds them, a second way to tell code from prose."""
    for source in [*SPECTRUM_SOURCES, "scoring/code_digest.py", "checkpoints", "fits"]:
        for file in python_files(source):
            text = file.read_bytes()
            code = [statement for statement in statements(text) if not is_prose(statement)]
            assert statements(code_alone(text)) == code, file


def test_the_bytes_of_a_source_count_and_its_name_does_not(copy: Path) -> None:
    before = digest_bytes.__wrapped__(("spectra",), copy)
    (copy / "spectra" / "lapack.py").rename(copy / "spectra" / "blas.py")
    assert digest_bytes.__wrapped__(("spectra",), copy) == before
    edit(copy / "spectra" / "blas.py", lambda text: text + "# \n")
    assert digest_bytes.__wrapped__(("spectra",), copy) != before


def test_everything_of_ours_that_decides_a_spectrum_is_digested() -> None:
    sources = {PACKAGE / source for source in SPECTRUM_SOURCES}
    assert len(sources) == len(SPECTRUM_SOURCES)
    assert reached(sources) - PROSE == sources


def test_what_decides_a_spectrum_imports_what_it_did() -> None:
    names = {name for source in SPECTRUM_SOURCES for name in imported(PACKAGE / source)}
    ours = {name for name in names if name.startswith("wqscore.")}
    assert names - ours == FOREIGN
    assert not [name for name in ours if " as " in name], "of ours, what a name means must not depend on an import"


def test_everything_of_ours_that_decides_a_row_is_digested() -> None:
    digested = {file for source in ROW_SOURCES for file in python_files(source)}
    assert reached({PACKAGE / "scoring" / "score_matrix.py"}) - PROSE <= digested


def statements(text: bytes) -> list[list[str | int]]:
    """Statements as their column and their tokens, without comments."""
    found: list[list[str | int]] = []
    is_new = True
    for token in tokenize.tokenize(io.BytesIO(text).readline):
        if token.type == tokenize.NEWLINE:
            is_new = True
        elif token.string.strip() and token.type not in {tokenize.COMMENT, tokenize.ENCODING}:
            if is_new:
                found.append([token.start[1]])
            found[-1].append(token.string)
            is_new = False
    return found


def is_prose(statement: list[str | int]) -> bool:
    _, first, *others = statement
    return first in {"import", "from"} or all(re.match("[rRuU]?['\"]", str(token)) for token in [first, *others])


def python_files(source: str) -> list[Path]:
    return sorted((PACKAGE / source).rglob("*.py")) or [PACKAGE / source]


def imported(file: Path) -> list[str]:
    """Dotted names that a file imports, also in its functions."""
    names = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            home = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            names += [f"{home}{alias.name}" + (f" as {alias.asname}" if alias.asname else "") for alias in node.names]
    return names


def reached(files: Iterable[Path]) -> set[Path]:
    """The files, and those of ours that they import, directly or not, but for `__init__` files."""
    found: set[Path] = set()
    to_read = list(files)
    while to_read:
        file = to_read.pop()
        if file in found:
            continue
        found.add(file)
        for name in imported(file):
            home, *path = name.partition(" as ")[0].split(".")
            if home == "wqscore":
                candidates = [
                    PACKAGE.joinpath(*path[:length]).with_suffix(".py") for length in range(1, len(path) + 1)
                ]
                to_read += [candidate for candidate in candidates if candidate.is_file()]
    return found
