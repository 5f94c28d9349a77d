"""The commands `./bina events ...`: names, options, exit status.

Not here: what each command does, which is a module of its own.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

events = typer.Typer(
    help="Operasikan peristiwa: ikuti, periksa yang tertahan, ulangi, kirim ulang.",
    no_args_is_help=True,
)
parked = typer.Typer(help="Peristiwa yang tertahan: lihat, ulangi, buang.", no_args_is_help=True)
events.add_typer(parked, name="parked")

Json = Annotated[bool, typer.Option("--json", help="Satu dokumen JSON di stdout.")]
Service = Annotated[str | None, typer.Option(help="Satu layanan; tanpa ini, semua.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Hanya tunjukkan apa yang akan terjadi.")]
Sequence = Annotated[
    str, typer.Argument(help="Urutan seperti pada `parked list`, atau TOPIK/KUNCI.")
]


def path(text: str) -> Path:
    """Return a path of the command line, relative to the caller's directory."""
    return Path(os.environ.get("BINA_FROM", ".")) / text


@events.command()
def tail(
    *,
    service: Service = None,
    key: Annotated[str | None, typer.Option(help="Hanya kunci ini.")] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", help="Hanya jenis ini, misalnya training.participant-enrolled."),
    ] = None,
    last: Annotated[int, typer.Option(min=0, help="Banyaknya yang terakhir.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Ikuti terus.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Satu dokumen JSON per baris.")] = False,
) -> None:
    """Tunjukkan peristiwa yang lewat; isi yang dapat berupa teks disembunyikan."""
    from ops.events.tail import print_events as run

    raise typer.Exit(run(service, key, kind, last, follow=follow, as_json=json))


@parked.command("list")
def parked_list(*, service: Service = None, json: Json = False) -> None:
    """Daftar urutan yang tertahan, sebabnya, dan apa yang harus dilakukan."""
    from ops.events.parked import list_sequences as run

    raise typer.Exit(run(service, as_json=json))


@parked.command("show")
def parked_show(sequence: Sequence, *, service: Service = None, json: Json = False) -> None:
    """Tunjukkan satu urutan; isi yang dapat berupa teks disembunyikan."""
    from ops.events.parked import show_sequence as run

    raise typer.Exit(run(sequence, service, as_json=json))


@parked.command("retry")
def parked_retry(
    sequences: Annotated[
        list[str] | None, typer.Argument(help="Urutan seperti pada `parked list`; boleh beberapa.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Semua yang tertahan.")] = False,
    service: Service = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Ulangi dari peristiwa pertama sampai habis atau gagal lagi."""
    from ops.events.parked import retry_sequences as run

    raise typer.Exit(run(sequences or [], service, is_all=every, dry_run=dry_run, as_json=json))


@parked.command("discard")
def parked_discard(
    sequence: Sequence,
    *,
    reason: Annotated[str, typer.Option(help="Alasannya; disimpan dalam jejak audit.")],
    letter: Annotated[
        str | None, typer.Option(help="Id peristiwa; tanpa ini, yang pertama.")
    ] = None,
    service: Service = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Buang satu peristiwa untuk selamanya, dengan alasan."""
    from ops.events.parked import discard_event as run

    raise typer.Exit(run(sequence, service, letter, reason, dry_run=dry_run, as_json=json))


@events.command()
def replay(
    *,
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help="Sejak waktu ini, misalnya 2026-11-24T10:00+07:00; paling jauh 44 hari yang lalu.",
        ),
    ],
    until: Annotated[
        str | None, typer.Option("--to", help="Sampai sebelum waktu ini; tanpa ini, sekarang.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Hanya kunci ini.")] = None,
    service: Service = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Kirim ulang peristiwa dari arsip; pembaca hanya memakai yang belum dikenalnya."""
    from ops.events.replay import replay as run

    raise typer.Exit(run(service, since, until, key, dry_run=dry_run, as_json=json))


@events.command()
def rebuild(
    projection: Annotated[str, typer.Argument(help="Nama proyeksi, misalnya timeline.")],
    *,
    service: Service = None,
    json: Json = False,
) -> None:
    """Bangun ulang proyeksi dari arsip, di samping yang lama, lalu tukar."""
    from ops.events.rebuild import rebuild_projection as run

    raise typer.Exit(run(projection, service, as_json=json))


@events.command()
def lag(*, service: Service = None, json: Json = False) -> None:
    """Tunjukkan seberapa jauh tiap pembaca tertinggal."""
    from ops.events.lag import print_lag as run

    raise typer.Exit(run(service, as_json=json))


@events.command()
def outbox(*, service: Service = None, json: Json = False) -> None:
    """Tunjukkan yang sudah tercatat tetapi belum terkirim."""
    from ops.events.lag import print_outbox as run

    raise typer.Exit(run(service, as_json=json))
