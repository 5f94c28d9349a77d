"""The rules of docs/style.md that a program can check, folder by folder."""

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import syntax_trees

ROOT = Path(__file__).parents[1]
MAX_TEST_NAME = 70
MAX_SUMMARY = 90
MAX_TABLE_ROW = 400
MAX_FORBIDDEN_IDENTIFIERS = 150
GENERATED_DOCUMENTS = ("docs/events.md", "docs/asyncapi.json")
STYLE = "docs/style.md"
GLOSSARY = "docs/glossary.md"
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def listed(suffix: str) -> list[str]:
    """Return the files of the repository with this suffix, also those that are not added yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in output.split("\0") if name.endswith(suffix)]
    return [name for name in names if (ROOT / name).exists()]


def folder_of(name: str) -> str:
    """Return the first two folders of a path; "." at the top."""
    return "/".join(name.split("/")[:-1][:2]) or "."


def forbidden_words() -> list[str]:
    """Return the words of the block in docs/style.md."""
    block = (ROOT / STYLE).read_text().partition("## Forbidden words")[2].split("```")[1]
    return [word.strip() for word in re.split(r"\s{2,}|\n", block) if word.strip()]


FORBIDDEN = re.compile(
    r"\b(" + "|".join(re.sub(r"\s+", r"[\\s_]+", word) for word in forbidden_words()) + r")\b",
    re.IGNORECASE,
)


def forbidden_in(text: str) -> list[str]:
    """Return the forbidden words of a text; what is in backticks is exempt."""
    return [match[1] for match in FORBIDDEN.finditer(re.sub(r"`[^`]*`", "", text))]


def prose_of(name: str) -> Iterator[tuple[int, str]]:
    """Yield docstrings, comments and names of tests, with their lines."""
    text = (ROOT / name).read_text()
    for node in ast.walk(syntax_trees.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring is not None:
                yield node.body[0].lineno, docstring
        if isinstance(node, FUNCTIONS) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def density_of(node: ast.AST) -> Iterator[str]:
    """Yield what makes a statement or expression too dense."""
    if isinstance(node, ast.IfExp):
        inner = (node.body, node.test, node.orelse)
        if any(isinstance(part, ast.IfExp) for part in inner):
            yield "nested conditional expression"
    if isinstance(node, COMPREHENSIONS):
        conditions = [test for generator in node.generators for test in generator.ifs]
        if len(node.generators) > 1 and conditions:
            yield "comprehension with two `for` and a condition"
        if any(isinstance(part, ast.NamedExpr) for part in ast.walk(node)):
            yield "walrus in a comprehension"
    if isinstance(node, ast.Assign) and is_unrelated(node):
        yield "assignment of several names in one tuple"


def is_unrelated(node: ast.Assign) -> bool:
    """Return whether a tuple of values is assigned to names that do not depend on each other."""
    target = node.targets[0]
    if not isinstance(target, ast.Tuple) or not isinstance(node.value, ast.Tuple):
        return False
    assigned = {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
    used = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
    return assigned.isdisjoint(used)


def shape_of(node: ast.AST) -> Iterator[str]:
    """Yield what is wrong with the name, the docstring or the nesting of a definition."""
    if isinstance(node, FUNCTIONS):
        if node.name.startswith("test_") and len(node.name) > MAX_TEST_NAME:
            yield f"test name of {len(node.name)} characters"
        if nesting_of(node) > 1:
            yield "functions nested more than one level"
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        summary = (ast.get_docstring(node) or "").partition("\n")[0]
        if len(summary) > MAX_SUMMARY:
            yield f"docstring summary of {len(summary)} characters"


def nesting_of(function: ast.AST) -> int:
    """Return how many levels of functions lie in this one."""
    inner = [
        1 + nesting_of(node)
        for node in ast.walk(function)
        if node is not function and isinstance(node, FUNCTIONS)
    ]
    return max(inner, default=0)


def code_findings(name: str) -> list[str]:
    """Return what the rules refuse in one module."""
    findings = [
        f"{name}:{line}: forbidden word {word!r}"
        for line, text in prose_of(name)
        for word in forbidden_in(text)
    ]
    for node in ast.walk(syntax_trees.parse((ROOT / name).read_text())):
        line = getattr(node, "lineno", 1)
        findings += [f"{name}:{line}: {problem}" for problem in density_of(node)]
        findings += [f"{name}:{line}: {problem}" for problem in shape_of(node)]
    return findings


def document_lines(name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a document, without code blocks and generated parts."""
    in_code = is_generated = False
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        if "written by ./bina docs" in line:
            is_generated = True
        if "<!-- end" in line:
            is_generated = False
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not is_generated:
            yield number, line


def document_findings(name: str) -> list[str]:
    """Return what the rules refuse in one document."""
    findings: list[str] = []
    for number, line in document_lines(name):
        is_row = line.startswith("|")
        if is_row and len(line) > MAX_TABLE_ROW:
            findings.append(f"{name}:{number}: table row of {len(line)} characters")
        if is_row and name == GLOSSARY:
            continue
        findings += [f"{name}:{number}: forbidden word {word!r}" for word in forbidden_in(line)]
    return findings


MODULES = listed(".py")
DOCUMENTS = [name for name in listed(".md") if name not in {STYLE, *GENERATED_DOCUMENTS}]
FOLDERS = sorted({folder_of(name) for name in [*MODULES, *DOCUMENTS]})


@pytest.mark.parametrize("folder", FOLDERS)
def test_code_and_documents_keep_the_rules_of_style(folder: str) -> None:
    modules = [name for name in MODULES if folder_of(name) == folder]
    documents = [name for name in DOCUMENTS if folder_of(name) == folder]
    findings = [finding for name in modules for finding in code_findings(name)]
    findings += [finding for name in documents for finding in document_findings(name)]
    assert not findings, "\n".join(findings)


def test_identifiers_with_a_forbidden_word_are_listed_and_few() -> None:
    allowed = tomllib.loads((ROOT / "tests/allowed_words.toml").read_text())["identifiers"]
    used: Counter[str] = Counter()
    for name in MODULES:
        for token in tokenize.generate_tokens(io.StringIO((ROOT / name).read_text()).readline):
            if token.type == tokenize.NAME and FORBIDDEN.search(token.string.replace("_", " ")):
                used[token.string] += 1
    assert sorted(used.keys() - allowed.keys()) == []
    assert used.total() <= MAX_FORBIDDEN_IDENTIFIERS, used
