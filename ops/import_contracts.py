"""Our own types of import-linter contracts: layers by file name, and the order of nouns.

Not here: the meaning of the layers (CONTRIBUTING.md), and the contracts (pyproject.toml).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

from importlinter import Contract, ContractCheck, fields, output
from typing_extensions import override

if TYPE_CHECKING:
    import grimp

_NOUN_DEPTH = 2  # dots in services.<name>.<noun>


class Layer(NamedTuple):
    """A layer by its file name; a lower depth is a higher layer."""

    depth: int
    name: str


class FileLayers(Contract):
    """The layer of a module is its file name, in every noun folder.

    import-linter's own `layers` are the children of one container; ours repeat in each noun folder.
    Exhaustive: every module needs the file name of a layer or a line in `placed`.

    `layers` lists the highest first; "a | b" means that a and b do not import each other. A line of
    `placed` is "services.x.noun.file = layer".
    """

    type_name: ClassVar[str] = "file_layers"

    containers: object = fields.ListField(subfield=fields.StringField())
    layers: object = fields.ListField(subfield=fields.StringField())
    placed: object = fields.ListField(subfield=fields.StringField(), required=False)

    @override
    def check(self, graph: "grimp.ImportGraph", verbose: bool) -> ContractCheck:
        layers = self._layers()
        placed = self._placed()
        findings = [
            f"{module} is placed but does not exist"
            for module in sorted(placed.keys() - graph.modules)
        ]
        layer_of: dict[str, Layer] = {}
        for module in self._modules(graph):
            name = placed.get(module, module.rpartition(".")[2])
            if name in layers:
                layer_of[module] = layers[name]
            elif _needs_layer(graph, module):
                findings.append(
                    f"{module} has no layer: name the file after one, or place it in"
                    " pyproject.toml with a reason"
                )
        findings += _imports_upwards(graph, layer_of)
        return ContractCheck(kept=not findings, metadata={"wrong": findings})

    def _layers(self) -> dict[str, Layer]:
        layers: dict[str, Layer] = {}
        for depth, line in enumerate(cast("list[str]", self.layers)):
            for name in line.split("|"):
                layers[name.strip()] = Layer(depth, name.strip())
        return layers

    def _placed(self) -> dict[str, str]:
        placed: dict[str, str] = {}
        for line in cast("list[str] | None", self.placed) or []:
            module, _, layer = line.partition("=")
            placed[module.strip()] = layer.strip()
        return placed

    def _modules(self, graph: "grimp.ImportGraph") -> Iterator[str]:
        """Yield the modules of all containers; "services.*" means each child of services."""
        for container in cast("list[str]", self.containers):
            parent, _, child = container.rpartition(".")
            names = graph.find_children(parent) if child == "*" else {container}
            for name in sorted(names):
                yield from sorted(graph.find_descendants(name))

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in cast("list[str]", check.metadata["wrong"]):
            output.print_error(line)


def _imports_upwards(graph: "grimp.ImportGraph", layer_of: dict[str, Layer]) -> Iterator[str]:
    """Yield imports of a higher layer, and between different layers of one line."""
    for importer in sorted(layer_of):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            own = layer_of[importer]
            other = layer_of.get(imported)
            if other is None or _service(importer) != _service(imported):
                continue
            is_beside = other.depth == own.depth and other.name != own.name
            if other.depth < own.depth or is_beside:
                lines = _lines(graph, importer, imported)
                yield f"{importer} ({own.name}) imports {imported} ({other.name}), line {lines}"


def _service(module: str) -> list[str]:
    return module.split(".")[:2]


def _needs_layer(graph: "grimp.ImportGraph", module: str) -> bool:
    """Return whether a module needs a layer: no package, and no empty noun folder."""
    if graph.find_children(module):
        return False
    is_empty_noun = module.count(".") == _NOUN_DEPTH
    return not is_empty_noun or bool(graph.find_modules_directly_imported_by(module))


class NounOrder(Contract):
    """The nouns of a container have an order: a noun imports only nouns before it.

    `order` lists the lowest first. Exhaustive: it must name every noun folder.
    """

    type_name: ClassVar[str] = "noun_order"

    container: object = fields.StringField()
    order: object = fields.ListField(subfield=fields.StringField())

    @override
    def check(self, graph: "grimp.ImportGraph", verbose: bool) -> ContractCheck:
        container = cast("str", self.container)
        rank = {noun.strip(): number for number, noun in enumerate(cast("list[str]", self.order))}
        folders = {
            module.rpartition(".")[2]
            for module in graph.find_children(container)
            if graph.find_children(module)
        }
        findings = [
            f"{container}.{noun} has no place in the order"
            for noun in sorted(folders - rank.keys())
        ]
        for importer in sorted(graph.find_descendants(container)):
            noun = _noun(importer, container)
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                other = _noun(imported, container)
                if noun in rank and other in rank and rank[other] > rank[noun]:
                    lines = _lines(graph, importer, imported)
                    findings.append(f"{importer} imports {imported} of a later noun, line {lines}")
        return ContractCheck(kept=not findings, metadata={"wrong": findings})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in cast("list[str]", check.metadata["wrong"]):
            output.print_error(line)


def _noun(module: str, container: str) -> str:
    """Return the noun folder of a module in the container; "" outside of the container."""
    inside = module.removeprefix(f"{container}.")
    return inside.partition(".")[0] if inside != module else ""


def _lines(graph: "grimp.ImportGraph", importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    numbers = sorted({detail["line_number"] for detail in details})
    return ", ".join(map(str, numbers))
