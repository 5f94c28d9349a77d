"""The direction of imports inside a service, as an import-linter contract; what does not belong here: what the layers mean (CONTRIBUTING says that)."""

from typing import TYPE_CHECKING, ClassVar, cast

from importlinter import Contract, ContractCheck, fields, output
from typing_extensions import override

if TYPE_CHECKING:
    import grimp


class FileLayers(Contract):
    """A module's layer is its file's name, in whatever noun folder it lies; exhaustive: a file of another name must be placed by the contract.

    import-linter's own `layers` cannot say this: its layers are the children of one container, ours repeat in each noun folder.
    """

    type_name: ClassVar[str] = "file_layers"

    containers: object = fields.ListField(subfield=fields.StringField())
    layers: object = fields.ListField(
        subfield=fields.StringField()
    )  # highest first; "a | b": a and b do not import each other
    placed: object = fields.ListField(
        subfield=fields.StringField(), required=False
    )  # "services.x.noun.file = layer"

    @override
    def check(self, graph: "grimp.ImportGraph", verbose: bool) -> ContractCheck:
        rank = {
            name.strip(): (depth, name.strip())
            for depth, line in enumerate(cast("list[str]", self.layers))
            for name in line.split("|")
        }
        placed = {
            module.strip(): layer.strip()
            for module, _, layer in (
                line.partition("=") for line in cast("list[str] | None", self.placed) or []
            )
        }
        wrong = [
            f"{module} is placed but does not exist"
            for module in sorted(placed.keys() - graph.modules)
        ]
        layer_of: dict[str, tuple[int, str]] = {}
        for container in cast("list[str]", self.containers):
            for module in sorted(graph.find_descendants(container)):
                layer = placed.get(module, module.rpartition(".")[2])
                if layer in rank:
                    layer_of[module] = rank[layer]
                elif not graph.find_children(module) and not _is_package(graph, module):
                    wrong.append(
                        f"{module} has no layer: name the file after one, or place it in pyproject.toml with a reason"
                    )
        for importer in sorted(layer_of):
            depth, layer = layer_of[importer]
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                other = layer_of.get(imported)
                if (
                    other
                    and (other[0] < depth or (other[0] == depth and other[1] != layer))
                    and importer.split(".")[:2] == imported.split(".")[:2]
                ):
                    lines = sorted(
                        {
                            detail["line_number"]
                            for detail in graph.get_import_details(
                                importer=importer, imported=imported
                            )
                        }
                    )
                    wrong.append(
                        f"{importer} ({layer}) imports {imported} ({other[1]}), line {', '.join(map(str, lines))}"
                    )
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in cast("list[str]", check.metadata["wrong"]):
            output.print_error(line)


def _is_package(graph: "grimp.ImportGraph", module: str) -> bool:
    """An empty noun folder: a package that nothing lies in yet imports nothing."""
    return not graph.find_modules_directly_imported_by(module) and module.count(".") == 2  # noqa: PLR2004 - services.<name>.<noun>


class NounOrder(Contract):
    """The nouns of a container have an order: a noun imports only nouns before it.

    Exhaustive: a noun folder that the order does not name is refused.
    """

    type_name: ClassVar[str] = "noun_order"

    container: object = fields.StringField()
    order: object = fields.ListField(subfield=fields.StringField())  # lowest first

    @override
    def check(self, graph: "grimp.ImportGraph", verbose: bool) -> ContractCheck:
        container = cast("str", self.container)
        rank = {noun.strip(): number for number, noun in enumerate(cast("list[str]", self.order))}
        folders = {
            module.rpartition(".")[2]
            for module in graph.find_children(container)
            if graph.find_children(module)
        }
        wrong = [
            f"{container}.{noun} has no place in the order"
            for noun in sorted(folders - rank.keys())
        ]
        for importer in sorted(graph.find_descendants(container)):
            noun = _noun(importer, container)
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                other = _noun(imported, container)
                if noun in rank and other in rank and rank[other] > rank[noun]:
                    lines = _lines(graph, importer, imported)
                    wrong.append(f"{importer} imports {imported} of a later noun, line {lines}")
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in cast("list[str]", check.metadata["wrong"]):
            output.print_error(line)


def _noun(module: str, container: str) -> str:
    """Return the noun folder of a module inside its container; "" outside of any."""
    inside = module.removeprefix(f"{container}.")
    return inside.partition(".")[0] if inside != module else ""


def _lines(graph: "grimp.ImportGraph", importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    return ", ".join(
        str(number) for number in sorted({detail["line_number"] for detail in details})
    )
