"""Every test that a document names as a proof exists."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from ops.local.state_dir import ROOT
from tests import syntax_trees

# The changelog names what former releases had.
FORMER = {"CHANGELOG.md"}
NAMED = re.compile(r"`(?P<module>[\w/]*test_\w+\.py)?(?:::(?P<test>test_\w+))?`")


def listed(pattern: str) -> list[str]:
    """Return the project's files that match, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return [name for name in names if (ROOT / name).exists()]


def names_in(module: str) -> set[str]:
    """Return the names of all functions of a module."""
    tree = syntax_trees.parse((ROOT / module).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


TESTS = {module: names_in(module) for module in listed("tests/") if module.endswith(".py")}
DOCUMENTS = sorted(set(listed("*.md")) - FORMER)


def unknown(module: str, test: str | None) -> bool:
    """Return whether no module whose path ends with `module` has this test."""
    found = [names for path, names in TESTS.items() if f"/{path}".endswith(f"/{module}")]
    return not any(test is None or test in names for names in found)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_document_names_exists(document: str) -> None:
    module = ""
    missing: list[str] = []
    for match in NAMED.finditer((ROOT / document).read_text()):
        if not any(match.groups()):
            continue
        # A test named without a module is one of the module named before it.
        module = match["module"] or module
        if unknown(module, match["test"]):
            missing.append(match[0])
    assert not missing
