"""The rules of docs/style.md that a machine can check, folder by folder."""

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AREAS = (
    *("chassis/admin", "chassis/app", "chassis/files", "chassis/http", "chassis/jobs"),
    *("chassis/messaging", "chassis/persistence", "gateway/access", "gateway/authn"),
    *("gateway/middleware", "gateway/openapi", "gateway/routing", "gateway/upstream"),
    *("ops/audit", "ops/backup", "ops/bench", "ops/demo", "ops/docs", "ops/events"),
    *("ops/local", "ops/oncall", "services/certification", "services/manpower"),
    *("services/marketplace", "services/training", "tests/certification", "tests/chassis"),
    *("tests/cluster", "tests/contracts", "tests/crash", "tests/deploy", "tests/docs"),
    *("tests/gateway", "tests/manpower", "tests/marketplace", "tests/model", "tests/ops"),
    *("tests/system", "tests/training", "docs"),
    *("chassis", "gateway", "ops", "tests", "."),
)
MAX_TEST_NAME = 70
MAX_SUMMARY = 90
MAX_TABLE_ROW = 400
GIVEN = ("ops/bench/reference/",)
NESTED = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
GENERATED = ("docs/events.md", "docs/asyncapi.json")
WORD_SOURCE = ROOT / "docs/style.md"


def area_of(name: str) -> str:
    """Return the longest area that holds this file; "." for a file at the top."""
    folder = name.rpartition("/")[0]
    holding = [area for area in AREAS if folder == area or folder.startswith(f"{area}/")]
    return max(holding, key=len, default=".")


def tracked(suffix: str, area: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git of the checkout
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [name for name in listed.split("\0") if name.endswith(suffix)]
    return [
        name
        for name in names
        if area_of(name) == area and not name.startswith(GIVEN) and (ROOT / name).exists()
    ]


def forbidden_words() -> list[str]:
    block = WORD_SOURCE.read_text().partition("## Forbidden words")[2].split("```")[1]
    return [
        word for line in block.splitlines() for word in re.split(r"\s{2,}", line.strip()) if word
    ]


FORBIDDEN = re.compile(
    r"\b("
    + "|".join(re.escape(word).replace(r"\ ", r"[\s_]+") for word in forbidden_words())
    + r")\b",
    re.IGNORECASE,
)


def prose(name: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings and comments of a module, without what stands in backticks."""
    text = (ROOT / name).read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring is not None:
                yield node.body[0].lineno, re.sub(r"`[^`]*`", "", docstring)
            if getattr(node, "name", "").startswith("test_"):
                yield node.body[0].lineno, getattr(node, "name", "").replace("_", " ")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], re.sub(r"`[^`]*`", "", token.string)


def markdown(name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a document, without code, backticks and generated parts."""
    in_code = generated = False
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        generated = (generated or "written by ./bina docs" in line) and "end of what" not in line
        if not in_code and not generated:
            yield number, re.sub(r"`[^`]*`", "", line)


def findings_of(name: str) -> Iterator[str]:
    """Yield what the rules refuse in one module."""
    tree = ast.parse((ROOT / name).read_text())
    for number, text in prose(name):
        for match in FORBIDDEN.finditer(text):
            yield f"{name}:{number}: forbidden word {match[1]!r}"
    for node in ast.walk(tree):
        yield from (f"{name}:{line}: {problem}" for line, problem in structure(node))


def structure(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.IfExp) and any(isinstance(part, ast.IfExp) for part in direct(node)):
        yield node.lineno, "nested conditional expression"
    if isinstance(node, NESTED):
        conditions = [test for generator in node.generators for test in generator.ifs]
        if len(node.generators) > 1 and conditions:
            yield node.lineno, "comprehension with two `for` and a condition"
        if any(isinstance(part, ast.NamedExpr) for part in ast.walk(node)):
            yield node.lineno, "walrus in a comprehension"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        names = [part.id for part in node.targets[0].elts if isinstance(part, ast.Name)]
        if isinstance(node.value, ast.Tuple) and names and all(map(str.isupper, names)):
            yield node.lineno, "several constants on one line"
        elif isinstance(node.value, ast.Tuple) and not is_swap(node):
            yield node.lineno, "assignment of several names in one tuple"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.name.startswith("test_") and len(node.name) > MAX_TEST_NAME:
            yield node.lineno, f"test name of {len(node.name)} characters"
        if depth(node) > 1:
            yield node.lineno, "functions nested more than one level"
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        summary = (ast.get_docstring(node) or "").partition("\n")[0]
        if len(summary) > MAX_SUMMARY:
            yield node.body[0].lineno, f"docstring summary of {len(summary)} characters"


def direct(node: ast.IfExp) -> list[ast.expr]:
    return [node.body, node.orelse, node.test]


def depth(function: ast.AST) -> int:
    """Return how deep functions lie in this one."""
    inner = [
        1 + depth(child)
        for child in ast.walk(function)
        if child is not function and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return max(inner, default=0)


def is_swap(node: ast.Assign) -> bool:
    """Return whether it exchanges values, as in `a, b = b, a + b`: one step, not two facts."""
    target, value = node.targets[0], node.value
    used = {part.id for part in ast.walk(value) if isinstance(part, ast.Name)}
    set_names = {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
    return bool(used & set_names)


@pytest.mark.parametrize("area", AREAS)
def test_code_keeps_the_rules_of_style(area: str) -> None:
    found = [finding for name in tracked(".py", area) for finding in findings_of(name)]
    assert found == []


@pytest.mark.parametrize("area", AREAS)
def test_documents_use_no_forbidden_word(area: str) -> None:
    exempt = {"docs/style.md", *GENERATED}
    found = [
        f"{name}:{number}: {match[1]!r}"
        for name in tracked(".md", area)
        if name not in exempt
        for number, line in markdown(name)
        for match in FORBIDDEN.finditer(
            line if name != "docs/glossary.md" or line[:1] != "|" else ""
        )
    ]
    assert found == []


@pytest.mark.parametrize("area", AREAS)
def test_documents_have_no_giant_table_rows(area: str) -> None:
    found = [
        f"{name}:{number}: {len(line)} characters"
        for name in tracked(".md", area)
        if name not in GENERATED
        for number, line in markdown(name)
        if line.startswith("|") and len(line) > MAX_TABLE_ROW
    ]
    assert found == []


def test_identifiers_with_a_forbidden_word_are_listed_and_few() -> None:
    allowed = tomllib.loads((ROOT / "tests/allowed_words.toml").read_text())["identifiers"]
    used: dict[str, int] = {}
    for area in AREAS:
        for name in tracked(".py", area):
            for token in tokenize.generate_tokens(io.StringIO((ROOT / name).read_text()).readline):
                if token.type == tokenize.NAME and FORBIDDEN.search(token.string.replace("_", " ")):
                    used[token.string] = used.get(token.string, 0) + 1
    unlisted = {name: count for name, count in used.items() if name not in allowed}
    assert unlisted == {}
    assert sum(used.values()) <= 150, used
