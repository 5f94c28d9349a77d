"""docs/architecture.svg: internal calls and readers of events, from the topology table.

The picture has a background of its own, so that it is readable on a light and on a dark page.
Not here: text about the architecture (README, docs).
"""

import textwrap
from collections.abc import Iterator
from html import escape

from ops.local import topology
from ops.local.state_dir import ROOT

DRAWING = ROOT / "docs/architecture.svg"
_WIDTH = 960
_MARGIN = 24
_LABEL_WIDTH = 160  # the column with the names of the topics
_GAP = 16
_GROUP_TOP = 64
_GROUP_HEIGHT = 48
_GATEWAY_TOP = 144
_GATEWAY_HEIGHT = 60
_SERVICE_TOP = 244
_SERVICE_HEIGHT = 142
_TOPIC_TOP = 456
_TOPIC_STEP = 36
_CHARACTERS_PER_LINE = 22
_GROUPS = {
    "staff": "officers, LSP, auditors",
    "shop": "buyers",
    "certificate": "anyone who checks one",
    "partner": "Dinas and employers",
}
_ARROW_HEAD = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
    ' markerHeight="8" orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)
_STYLE = """\
svg { font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; font-size: 13px; }
.page { fill: #ffffff; stroke: #d0d7de; }
.box { fill: #f6f8fa; stroke: #57606a; }
.gateway { fill: #ddf4ff; stroke: #0969da; }
text { fill: #1f2328; }
.name { font-weight: 600; font-size: 15px; }
.note { fill: #57606a; }
.line { stroke: #57606a; fill: none; stroke-width: 1.5; }
.topic { stroke: #8250df; fill: none; stroke-width: 2; }
.publishes { fill: #8250df; stroke: #8250df; }
.reads { fill: #ffffff; stroke: #8250df; stroke-width: 2; }
.head { fill: #57606a; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; stroke: #30363d; }
  .box { fill: #161b22; stroke: #8b949e; }
  .gateway { fill: #0c2d6b; stroke: #58a6ff; }
  text { fill: #e6edf3; }
  .note { fill: #9da7b3; }
  .line { stroke: #8b949e; }
  .topic { stroke: #bc8cff; }
  .publishes { fill: #bc8cff; stroke: #bc8cff; }
  .reads { fill: #0d1117; stroke: #bc8cff; }
  .head { fill: #8b949e; }
}
"""


def render_drawing() -> str:
    """Return the picture as SVG."""
    height = _TOPIC_TOP + _TOPIC_STEP * len(topology.PROCESSES) + 56
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
        '<title id="title">Bina: the gateway, the services and their events</title>',
        f"<style>\n{_STYLE}</style>",
        "<!-- Written by ./bina docs from ops/local/topology.py: change that. -->",
        _ARROW_HEAD,
        f'<rect class="page" x="1" y="1" width="{_WIDTH - 2}" height="{height - 2}" rx="8"/>',
        _text(_MARGIN, 36, "Bina", "name"),
        _text(_MARGIN + 44, 36, "one gateway, services with a database each, events between them"),
        *_host_groups(),
        *_gateway(),
        *_topics(),
        *_services(),
        *_legend(height - 24),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _host_groups() -> Iterator[str]:
    width = _share(len(topology.HOST_GROUPS), _MARGIN)
    for number, group in enumerate(topology.HOST_GROUPS):
        left = _MARGIN + number * (width + _GAP)
        centre = left + width // 2
        yield _box(left, _GROUP_TOP, width, _GROUP_HEIGHT)
        yield _text(centre, _GROUP_TOP + 21, group, "name", anchor="middle")
        yield _text(centre, _GROUP_TOP + 39, _GROUPS[group], "note", anchor="middle")
        yield _arrow(centre, _GROUP_TOP + _GROUP_HEIGHT, _GATEWAY_TOP)


def _gateway() -> Iterator[str]:
    width = _WIDTH - 2 * _MARGIN
    centre = _WIDTH // 2
    yield _box(_MARGIN, _GATEWAY_TOP, width, _GATEWAY_HEIGHT, "gateway")
    yield _text(centre, _GATEWAY_TOP + 24, topology.GATEWAY.name, "name", anchor="middle")
    words = f"{topology.GATEWAY.summary}: identity, permissions, limits, routes, audit"
    yield _text(centre, _GATEWAY_TOP + 45, words, "note", anchor="middle")


def _services() -> Iterator[str]:
    width = _share(len(topology.SERVICES), _MARGIN + _LABEL_WIDTH)
    for number, service in enumerate(topology.SERVICES):
        left = _column_left(number)
        yield _arrow(left + width // 2, _GATEWAY_TOP + _GATEWAY_HEIGHT, _SERVICE_TOP)
        yield _box(left, _SERVICE_TOP, width, _SERVICE_HEIGHT)
        yield _text(left + 12, _SERVICE_TOP + 24, service.name, "name")
        top = _SERVICE_TOP + 46
        for line in textwrap.wrap(service.summary, _CHARACTERS_PER_LINE):
            yield _text(left + 12, top, line)
            top += 18
        if service.calls:
            calls = f"calls {', '.join(service.calls)}"
            yield _text(left + 12, _SERVICE_TOP + _SERVICE_HEIGHT - 32, calls, "note")
        database = f"database {service.name}"
        yield _text(left + 12, _SERVICE_TOP + _SERVICE_HEIGHT - 12, database, "note")


def _topics() -> Iterator[str]:
    """Draw a line for each topic, with marks in the columns of its publisher and readers."""
    yield _text(_MARGIN, _TOPIC_TOP - 30, "Kafka topics", "name")
    right = _WIDTH - _MARGIN
    bottom = _TOPIC_TOP + _TOPIC_STEP * (len(topology.SERVICES) - 1)
    for number in range(len(topology.SERVICES)):
        centre = _column_centre(number)
        top = _SERVICE_TOP + _SERVICE_HEIGHT
        yield f'<path class="line" d="M{centre} {top} V{bottom}"/>'
    for row, publisher in enumerate(topology.PROCESSES):
        top = _TOPIC_TOP + row * _TOPIC_STEP
        yield _text(_MARGIN, top + 4, publisher.topic)
        yield f'<path class="topic" d="M{_MARGIN + _LABEL_WIDTH} {top} H{right}"/>'
        for number, service in enumerate(topology.SERVICES):
            centre = _column_centre(number)
            if publisher.name in service.consumes:
                yield _circle(centre, top, 8, "reads")
            if publisher is service:
                yield _circle(centre, top, 5, "publishes")


def _legend(top: int) -> Iterator[str]:
    left = _MARGIN + _LABEL_WIDTH
    yield _circle(left + 8, top - 4, 5, "publishes")
    yield _text(left + 24, top, "publishes", "note")
    yield _circle(left + 124, top - 4, 8, "reads")
    yield _text(left + 140, top, "reads", "note")
    words = "the gateway's topic carries anchors of its audit; operators read all topics"
    yield _text(left + 210, top, words, "note")


def _share(count: int, left_margin: int) -> int:
    """Return the width of one of `count` boxes side by side."""
    return (_WIDTH - left_margin - _MARGIN - (count - 1) * _GAP) // count


def _column_left(number: int) -> int:
    left_margin = _MARGIN + _LABEL_WIDTH
    return left_margin + number * (_share(len(topology.SERVICES), left_margin) + _GAP)


def _column_centre(number: int) -> int:
    return _column_left(number) + _share(len(topology.SERVICES), _MARGIN + _LABEL_WIDTH) // 2


def _box(left: int, top: int, width: int, height: int, kind: str = "box") -> str:
    size = f'width="{width}" height="{height}"'
    return f'<rect class="{kind}" x="{left}" y="{top}" {size} rx="6"/>'


def _arrow(centre: int, top: int, bottom: int) -> str:
    return f'<path class="line" marker-end="url(#arrow)" d="M{centre} {top} V{bottom - 2}"/>'


def _circle(left: int, top: int, radius: int, kind: str) -> str:
    return f'<circle class="{kind}" cx="{left}" cy="{top}" r="{radius}"/>'


def _text(left: int, top: int, words: str, kind: str = "", anchor: str = "start") -> str:
    attributes = f' class="{kind}"' if kind else ""
    return f'<text{attributes} x="{left}" y="{top}" text-anchor="{anchor}">{escape(words)}</text>'
