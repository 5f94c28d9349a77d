"""The commands of developers (test, bench, docs, assets): names, options, exit status.

Not here: what each command does, which is a module of its own.
"""

from typing import Annotated

import typer

from ops.command_help import command
from ops.events.commands import Json
from ops.language import choose

development = typer.Typer()


@command(
    development,
    "test",
    "Jalankan pemeriksaan dan uji (untuk pengembang).",
    "./bina test --quick",
    "./bina test",
)
def test(
    *,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=choose(
                "Hanya yang tidak perlu server: di bawah satu menit.",
                "Only what needs no servers: less than a minute.",
            ),
        ),
    ] = False,
    containers: Annotated[
        bool,
        typer.Option(
            "--containers",
            help=choose(
                "Hanya uji protokol dengan MongoDB dan Kafka dari citra kontainer.",
                "Only the protocol tests, with MongoDB and Kafka from container images.",
            ),
        ),
    ] = False,
    crash: Annotated[
        int | None,
        typer.Option(
            "--crash",
            min=1,
            metavar="N",
            help=choose(
                "Hanya uji kill: N kali di setiap titik.", "Only the kill tests: N times each."
            ),
        ),
    ] = None,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help=choose(
                "Hanya uji klaster: tiga mongod dan tiga Kafka yang dimatikan bergantian.",
                "Only the cluster tests: three mongods and three Kafkas, killed in turn.",
            ),
        ),
    ] = False,
    compose: Annotated[
        bool,
        typer.Option(
            "--compose",
            help=choose(
                "Hanya docker-compose.yml: dinyalakan, diisi, ditingkatkan; perlu Docker.",
                "Only docker-compose.yml: started, filled, upgraded; needs Docker.",
            ),
        ),
    ] = False,
    soak: Annotated[
        bool,
        typer.Option(
            "--soak",
            help=choose(
                "Hanya uji tanpa broker, selama sepuluh menit.",
                "Only the test without a broker, for ten minutes.",
            ),
        ),
    ] = False,
    scenarios: Annotated[
        bool,
        typer.Option(
            "--scenarios",
            help=choose(
                "Jalankan uji skenario, lalu tunjukkan yang terbukti.",
                "Run the tests of scenarios, then show which are proved.",
            ),
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help=choose(
                "Bersama --scenarios: satu dokumen JSON di stdout.",
                "With --scenarios: one JSON document on stdout.",
            ),
        ),
    ] = False,
) -> None:
    """Run the checks and the tests (for developers)."""
    from ops import test_command

    if scenarios:
        raise typer.Exit(test_command.run_scenarios(as_json=json))
    chosen = {"--cluster": cluster, "--compose": compose, "--soak": soak}
    only = [option for option, is_chosen in chosen.items() if is_chosen]
    if crash:
        only.append(f"--crash={crash}")
    raise typer.Exit(test_command.run_tests(quick=quick, containers=containers, only=only))


@command(
    development, "bench", "Ukur kecepatan satu hal (untuk pengembang).", "./bina bench pipeline"
)
def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar=choose("NAMA", "NAME"),
            help=choose(
                "Nama ukuran; nama yang salah menampilkan semua nama.",
                "Name of the bench; a wrong one shows all names.",
            ),
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Measure the speed of one thing (for developers)."""
    from ops.bench import bench as run

    raise typer.Exit(run(name, as_json=json))


@command(
    development, "docs", "Tulis berkas yang dibuat dari kode (untuk pengembang).", "./bina docs"
)
def docs() -> None:
    """Write the files that are generated from code (for developers)."""
    from ops.docs.generate import write_documents as run

    raise typer.Exit(run())


@command(
    development,
    "assets",
    "Bangun berkas peramban dari kunci npm (untuk pengembang).",
    "./bina assets",
)
def assets() -> None:
    """Build the browser files from the npm lock (for developers)."""
    from ops.docs.assets import write_assets as run

    raise typer.Exit(run())
