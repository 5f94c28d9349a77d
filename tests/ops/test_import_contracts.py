"""The import contract of the services refuses forbidden imports."""

import grimp
import pytest

from ops.import_contracts import FileLayers

LAYERS = ["app", "api | inbound", "usecases", "store", "rules", "events"]


def wrong(*imports: tuple[str, str], placed: tuple[str, ...] = ()) -> list[str]:
    """Return what the contract refuses in a service whose modules import one another so."""
    graph = grimp.ImportGraph()
    for module in [
        "services",
        "services.x",
        "services.x.noun",
        "services.y",
        *(name for pair in imports for name in pair),
    ]:
        graph.add_module(module)
    for importer, imported in imports:
        graph.add_import(
            importer=importer, imported=imported, line_number=7, line_contents="import"
        )
    contract = FileLayers(
        "inside", {}, {"containers": ["services.x"], "layers": LAYERS, "placed": list(placed)}
    )
    return contract.check(graph, verbose=False).metadata["wrong"]


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("services.x.app", "services.x.noun.api"),
        ("services.x.noun.api", "services.x.noun.rules"),
        ("services.x.noun.rules", "services.x.other.rules"),
    ],
)
def test_imports_downwards_and_beside_are_kept(importer: str, imported: str) -> None:
    assert wrong((importer, imported)) == []


def test_an_import_upwards_is_reported_with_its_line() -> None:
    assert wrong(("services.x.noun.rules", "services.x.noun.store")) == [
        "services.x.noun.rules (rules) imports services.x.noun.store (store), line 7"
    ]


def test_layers_on_one_line_do_not_import_each_other() -> None:
    assert wrong(("services.x.inbound", "services.x.noun.api")) == [
        "services.x.inbound (inbound) imports services.x.noun.api (api), line 7"
    ]


def test_a_file_of_no_layer_must_be_placed_and_then_obeys_its_place() -> None:
    assert (
        "services.x.noun.extra has no layer"
        in wrong(("services.x.noun.usecases", "services.x.noun.extra"))[0]
    )
    assert (
        wrong(
            ("services.x.noun.usecases", "services.x.noun.extra"),
            placed=("services.x.noun.extra = rules",),
        )
        == []
    )
    assert (
        len(
            wrong(
                ("services.x.noun.extra", "services.x.noun.store"),
                placed=("services.x.noun.extra = rules",),
            )
        )
        == 1
    )


def test_a_placed_file_that_is_gone_is_reported() -> None:
    assert wrong(placed=("services.x.gone = rules",)) == [
        "services.x.gone is placed but does not exist"
    ]
