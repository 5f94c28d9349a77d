"""Deployment files and the picture are what `./bina docs` writes from the topology table."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ops.docs import alerts, compose, drawing, kubernetes
from ops.docs.generate import render_topology
from ops.docs.generated_blocks import block_names, replace_blocks
from ops.local import topology
from ops.local.state_dir import ROOT

RENDERED = render_topology()
MARK = "# written by ./bina docs: "


@pytest.mark.parametrize("file", sorted(RENDERED), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_generated_file_is_what_the_table_says(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == RENDERED[file], "run ./bina docs"


def test_files_hold_exactly_the_blocks_that_are_rendered() -> None:
    listed = subprocess.run(
        ["git", "grep", "-l", MARK, "--", "*.yml", "*.yaml"],  # noqa: S607 - found in PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    marked = {ROOT / name for name in listed.splitlines()} - {alerts.PROMETHEUS_RULES}
    assert marked <= RENDERED.keys()
    named = {name for file in marked for name in block_names(file.read_text())}
    rendered = compose.render_blocks().keys() | kubernetes.render_blocks().keys()
    assert named == rendered | {"expected-processes"}


def test_a_block_keeps_the_indentation_of_its_mark_and_what_surrounds_it() -> None:
    text = f"a:\n  {MARK}names\n  - old\n  # end\n  - kept\n"
    replaced = replace_blocks(text, {"names": "- one\n- two\n"})
    assert replaced == f"a:\n  {MARK}names\n  - one\n  - two\n  # end\n  - kept\n"
    assert replace_blocks(replaced, {"names": "- one\n- two"}) == replaced


def test_a_mark_that_names_no_block_is_refused() -> None:
    with pytest.raises(KeyError, match="unknown"):
        replace_blocks(f"{MARK}unknown\n# end\n", {})


def test_the_picture_is_xml_and_names_every_process_and_topic() -> None:
    picture = ET.fromstring(drawing.render_drawing())  # noqa: S314 - our own text
    words = {"".join(element.itertext()) for element in picture.iter() if "text" in element.tag}
    assert {process.name for process in topology.PROCESSES} <= words
    assert {process.topic for process in topology.PROCESSES} <= words


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    addresses = re.findall(r"\w+://[^\s\"']+", drawing.render_drawing())
    assert addresses == ["http://www.w3.org/2000/svg"]
