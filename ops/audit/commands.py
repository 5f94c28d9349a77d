"""The commands `./bina audit ...`: names, options, exit status.

Not here: what each command does, which is a module of its own.
"""

from pathlib import Path
from typing import Annotated

import typer

from ops.events.commands import Json, Service, path

audit = typer.Typer(help="Jejak audit.", no_args_is_help=True)

Person = Annotated[str | None, typer.Option(help="Rujukan orang (atau data) yang dicari.")]
Actor = Annotated[str | None, typer.Option(help="Siapa yang bertindak.")]
Since = Annotated[
    str | None, typer.Option("--from", help="Sejak waktu ini, misalnya 2026-11-24T10:00+07:00.")
]
Until = Annotated[
    str | None, typer.Option("--to", help="Sampai sebelum waktu ini; tanpa ini, sekarang.")
]
Reason = Annotated[str, typer.Option(help="Untuk apa; disimpan dalam jejak audit.")]


@audit.command()
def search(
    *,
    reason: Reason,
    person: Person = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Paling banyak sekian baris.")
    ] = 200,
    service: Service = None,
    json: Json = False,
) -> None:
    """Cari: siapa melakukan apa terhadap data siapa, atas nama siapa, untuk apa."""
    from ops.audit.search import search as run

    raise typer.Exit(run(service, person, actor, since, until, reason, limit, as_json=json))


@audit.command()
def export(
    *,
    out: Annotated[Path, typer.Option(parser=path, help="Berkas ZIP yang dibuat.")],
    reason: Reason,
    since: Since = None,
    until: Until = None,
    person: Person = None,
    actor: Actor = None,
    service: Service = None,
    json: Json = False,
) -> None:
    """Buat berkas untuk pemeriksa: baris, blok, jangkar dan alat pemeriksanya, ditandatangani."""
    from ops.audit.export import export_audit as run

    raise typer.Exit(run(service, person, actor, since, until, reason, out, as_json=json))


@audit.command()
def fingerprints(*, json: Json = False) -> None:
    """Tunjukkan sidik jari kunci penanda tangan ekspor tiap bagian, untuk ditulis di kertas."""
    from ops.audit.fingerprints import print_fingerprints as run

    raise typer.Exit(run(as_json=json))


@audit.command()
def verify(*, service: Service = None, json: Json = False) -> None:
    """Periksa rantai jejak audit terhadap segelnya dan terhadap jangkarnya di Kafka."""
    from ops.audit.verify import verify as run

    raise typer.Exit(run(service, as_json=json))
