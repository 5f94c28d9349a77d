"""Blocks of generated lines between two marks in files that are written by hand.

Not here: the content of the blocks.
"""

import re
import string
import textwrap
from collections.abc import Mapping
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
HEADER = "# Written by ./bina docs from ops/local/topology.py: change that.\n"
_BLOCK = re.compile(
    r"^(?P<indent> *)# written by \./bina docs: (?P<name>[\w-]+)\n(?:.*\n)*?(?P=indent)# end\n",
    re.MULTILINE,
)


def replace_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """Return the text with each marked block replaced, at the indentation of its mark.

    Raises KeyError for a mark with an unknown name.
    """

    def render(match: re.Match[str]) -> str:
        name = match["name"]
        lines = f"# written by ./bina docs: {name}\n{blocks[name].rstrip()}\n# end\n"
        return textwrap.indent(lines, match["indent"])

    return _BLOCK.sub(render, text)


def block_names(text: str) -> set[str]:
    """Return the names of the marked blocks in a text."""
    return {match["name"] for match in _BLOCK.finditer(text)}


def fill_template(template_name: str, /, **values: object) -> str:
    """Return a template with its values; lines that are then empty are left out."""
    template = string.Template((TEMPLATES / template_name).read_text(encoding="utf-8"))
    lines = template.substitute(values).splitlines()
    return "".join(f"{line}\n" for line in lines if line.strip())
