"""The commands `./bina audit ...`: names, options, exit status.

Not here: what each command does, which is a module of its own.
"""

from pathlib import Path
from typing import Annotated

import typer

from ops.command_help import command, create_group
from ops.events.commands import Json, Service, Until, path, require_reason
from ops.language import choose

audit = create_group(
    "Cari, ekspor dan periksa jejak audit.",
    "Search, export and verify the audit.",
    "./bina audit verify",
)

_REFERENCE = choose("RUJUKAN", "REFERENCE")
Person = Annotated[
    str | None,
    typer.Option(
        metavar=_REFERENCE,
        help=choose(
            "Rujukan orang (atau data) yang dicari.", "Reference of a person (or a datum)."
        ),
    ),
]
Actor = Annotated[
    str | None,
    typer.Option(metavar=_REFERENCE, help=choose("Siapa yang bertindak.", "Who acted.")),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar=choose("WAKTU", "TIME"),
        help=choose(
            "Sejak waktu ini, misalnya 2026-11-24T10:00+07:00.",
            "From this time, for example 2026-11-24T10:00+07:00.",
        ),
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        metavar=choose("ALASAN", "REASON"),
        help=choose(
            "Untuk apa, paling sedikit 10 huruf; disimpan dalam jejak audit.",
            "What for, in at least 10 letters; it is kept in the audit.",
        ),
    ),
]


@command(
    audit,
    "search",
    "Cari siapa melakukan apa terhadap data siapa. Juga atas nama siapa dan untuk apa.",
    choose(
        './bina audit search --actor siti --reason "surat tugas 12/2026"',
        './bina audit search --actor siti --reason "order 12/2026"',
    ),
)
def search(
    *,
    reason: Reason,
    person: Person = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int,
        typer.Option(
            min=1,
            max=10_000,
            metavar="N",
            help=choose("Paling banyak sekian baris.", "At most this number of rows."),
        ),
    ] = 200,
    service: Service = None,
    json: Json = False,
) -> None:
    """Find who did what to whose data. Also on whose behalf and what for."""
    from ops.audit.search import search as run

    text = require_reason(reason)
    raise typer.Exit(run(service, person, actor, since, until, text, limit, as_json=json))


@command(
    audit,
    "export",
    "Buat berkas untuk pemeriksa. Isinya baris, blok, jangkar dan alat pemeriksa, semuanya"
    " ditandatangani.",
    choose(
        './bina audit export --out audit.zip --reason "surat tugas 12/2026"',
        './bina audit export --out audit.zip --reason "order 12/2026"',
    ),
)
def export(
    *,
    out: Annotated[
        Path,
        typer.Option(
            parser=path,
            metavar=choose("BERKAS", "FILE"),
            help=choose("Berkas ZIP yang dibuat.", "The ZIP file to make."),
        ),
    ],
    reason: Reason,
    since: Since = None,
    until: Until = None,
    person: Person = None,
    actor: Actor = None,
    service: Service = None,
    json: Json = False,
) -> None:
    """Make a file for an inspector. It has rows, blocks, anchors and a verifier, and is signed."""
    from ops.audit.export import export_audit as run

    text = require_reason(reason)
    raise typer.Exit(run(service, person, actor, since, until, text, out, as_json=json))


@command(
    audit,
    "fingerprints",
    "Tunjukkan sidik jari kunci penanda tangan ekspor. Tulis di kertas untuk pemeriksa.",
    "./bina audit fingerprints",
)
def fingerprints(*, json: Json = False) -> None:
    """Show the fingerprints of the keys that sign exports. Hand them over on paper."""
    from ops.audit.fingerprints import print_fingerprints as run

    raise typer.Exit(run(as_json=json))


@command(
    audit,
    "verify",
    "Periksa jejak audit terhadap segel dan jangkarnya. Jangkar ada di Kafka.",
    "./bina audit verify",
    "./bina audit verify --service training",
)
def verify(*, service: Service = None, json: Json = False) -> None:
    """Check the audit against its seals and anchors. The anchors are in Kafka."""
    from ops.audit.verify import verify as run

    raise typer.Exit(run(service, as_json=json))
