"""The commands `./bina events ...`: names, options, exit status.

Not here: what each command does, which is a module of its own.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.command_help import command, create_group
from ops.errors import OperatorError
from ops.language import choose

events = create_group(
    "Ikuti, periksa, ulangi dan kirim ulang peristiwa.",
    "Follow, inspect, retry and replay events.",
    "./bina events tail --follow",
    "./bina events parked list",
)
parked = create_group(
    "Lihat, ulangi atau buang peristiwa yang tertahan.",
    "List, retry or discard parked events.",
    "./bina events parked list",
    "./bina events parked retry --all",
)
events.add_typer(parked, name="parked")

_SEQUENCE = choose("URUTAN", "SEQUENCE")
_KEY = choose("KUNCI", "KEY")
_TIME = choose("WAKTU", "TIME")
Json = Annotated[
    bool,
    typer.Option(
        "--json", help=choose("Satu dokumen JSON di stdout.", "One JSON document on stdout.")
    ),
]
JsonLines = Annotated[
    bool,
    typer.Option(
        "--json", help=choose("Satu dokumen JSON per baris.", "One JSON document a line.")
    ),
]
Follow = Annotated[
    bool,
    typer.Option(
        "-f",
        "--follow",
        help=choose("Ikuti terus sampai Ctrl-C.", "Keep following until Ctrl-C."),
    ),
]
Service = Annotated[
    str | None,
    typer.Option(
        metavar=choose("LAYANAN", "SERVICE"),
        help=choose("Satu layanan; tanpa ini, semua.", "One service; all without it."),
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help=choose("Hanya tunjukkan apa yang akan terjadi.", "Only show what would happen."),
    ),
]
Key = Annotated[
    str | None,
    typer.Option(metavar=_KEY, help=choose("Hanya kunci ini.", "Only this key.")),
]
Sequence = Annotated[
    str,
    typer.Argument(
        metavar=_SEQUENCE,
        help=choose(
            "Urutan seperti pada `parked list`, atau TOPIK/KUNCI.",
            "A sequence as `parked list` shows it, or TOPIC/KEY.",
        ),
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar=_TIME,
        help=choose(
            "Sampai sebelum waktu ini; tanpa ini, sekarang.", "Before this time; now without it."
        ),
    ),
]


_MIN_REASON_LETTERS = 10


def require_reason(text: str) -> str:
    """Return a reason. Raises OperatorError if it is too short to explain anything later."""
    stripped = text.strip()
    if len(stripped) < _MIN_REASON_LETTERS:
        raise OperatorError(
            f"Alasan paling sedikit {_MIN_REASON_LETTERS} huruf: jejak audit menyimpannya.",
            f"A reason has at least {_MIN_REASON_LETTERS} letters: the audit keeps it.",
        )
    return stripped


def path(text: str) -> Path:
    """Return a path of the command line, relative to the caller's directory."""
    return Path(os.environ.get("BINA_FROM", ".")) / text


@command(
    events,
    "tail",
    "Tunjukkan peristiwa terakhir. Isi yang dapat berupa teks disembunyikan.",
    "./bina events tail --follow",
    "./bina events tail --type training.class-opened --last 1",
)
def tail(
    *,
    service: Service = None,
    key: Key = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar=choose("JENIS", "TYPE"),
            help=choose(
                "Hanya jenis ini, misalnya training.participant-enrolled.",
                "Only this type, for example training.participant-enrolled.",
            ),
        ),
    ] = None,
    last: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help=choose("Banyaknya yang terakhir.", "How many of the last events."),
        ),
    ] = 20,
    follow: Follow = False,
    json: JsonLines = False,
) -> None:
    """Show the last events. Fields that may hold text are hidden."""
    from ops.events.tail import print_events as run

    raise typer.Exit(run(service, key, kind, last, follow=follow, as_json=json))


@command(
    parked,
    "list",
    "Tunjukkan urutan yang tertahan. Termasuk sebabnya dan apa yang harus dilakukan.",
    "./bina events parked list",
    "./bina events parked list --service manpower",
)
def parked_list(*, service: Service = None, json: Json = False) -> None:
    """List the parked sequences. Each with its reason and what to do."""
    from ops.events.parked import list_sequences as run

    raise typer.Exit(run(service, as_json=json))


@command(
    parked,
    "show",
    "Tunjukkan satu urutan. Isi yang dapat berupa teks disembunyikan.",
    "./bina events parked show training.events/KEY --service manpower",
)
def parked_show(sequence: Sequence, *, service: Service = None, json: Json = False) -> None:
    """Show one sequence. Fields that may hold text are hidden."""
    from ops.events.parked import show_sequence as run

    raise typer.Exit(run(sequence, service, as_json=json))


@command(
    parked,
    "retry",
    "Ulangi urutan. Dari peristiwa pertama sampai habis atau gagal lagi.",
    "./bina events parked retry training.events/KEY --service manpower",
    "./bina events parked retry --all --dry-run",
)
def parked_retry(
    sequences: Annotated[
        list[str] | None,
        typer.Argument(
            metavar=_SEQUENCE,
            help=choose(
                "Urutan seperti pada `parked list`; boleh beberapa.",
                "Sequences as `parked list` shows them; one or more.",
            ),
        ),
    ] = None,
    *,
    every: Annotated[
        bool,
        typer.Option("--all", help=choose("Semua yang tertahan.", "Everything that is parked.")),
    ] = False,
    service: Service = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Retry sequences. From the first event until none is left or one fails."""
    from ops.events.parked import retry_sequences as run

    raise typer.Exit(run(sequences or [], service, is_all=every, dry_run=dry_run, as_json=json))


@command(
    parked,
    "discard",
    "Buang satu peristiwa untuk selamanya, dengan alasan.",
    "./bina events parked discard training.events/KEY \\",
    choose(
        '    --service manpower --reason "isi salah, tiket 12"',
        '    --service manpower --reason "wrong content, ticket 12"',
    ),
)
def parked_discard(
    sequence: Sequence,
    *,
    reason: Annotated[
        str,
        typer.Option(
            metavar=choose("ALASAN", "REASON"),
            help=choose(
                "Alasannya, paling sedikit 10 huruf; disimpan dalam jejak audit.",
                "Why, in at least 10 letters; it is kept in the audit.",
            ),
        ),
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help=choose("Jangan bertanya lagi.", "Do not ask again."))
    ] = False,
    letter: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help=choose(
                "Id peristiwa; tanpa ini, yang pertama.",
                "Id of the event; the first without it.",
            ),
        ),
    ] = None,
    service: Service = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Discard one event permanently, with a reason."""
    from ops.events.parked import discard_event as run

    text = require_reason(reason)
    if not (yes or dry_run):
        _ask(sequence)
    raise typer.Exit(run(sequence, service, letter, text, dry_run=dry_run, as_json=json))


def _ask(sequence: str) -> None:
    """Ask before an event is discarded. Raises OperatorError where nobody can answer."""
    if not sys.stdin.isatty():
        raise OperatorError(
            "Tidak ada yang dapat ditanya di sini: ulangi dengan --yes.",
            "Nobody can be asked here: repeat with --yes.",
        )
    question = choose(
        f"Buang peristiwa {sequence} untuk selamanya?", f"Discard the event {sequence} permanently?"
    )
    typer.confirm(question, abort=True)


@command(
    events,
    "replay",
    "Kirim ulang peristiwa dari arsip. Pembaca hanya memakai yang belum dikenalnya.",
    "./bina events replay --from 2026-11-24T10:00+07:00 --dry-run",
)
def replay(
    *,
    since: Annotated[
        str,
        typer.Option(
            "--from",
            metavar=_TIME,
            help=choose(
                "Sejak waktu ini, misalnya 2026-11-24T10:00+07:00; paling jauh 44 hari yang lalu.",
                "From this time, for example 2026-11-24T10:00+07:00; at most 44 days ago.",
            ),
        ),
    ],
    until: Until = None,
    key: Key = None,
    service: Service = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Publish events of the archive again. Readers apply only what is new to them."""
    from ops.events.replay import replay as run

    raise typer.Exit(run(service, since, until, key, dry_run=dry_run, as_json=json))


@command(
    events,
    "rebuild",
    "Bangun ulang satu proyeksi dari arsip. Yang baru dibangun di samping yang lama, lalu ditukar.",
    "./bina events rebuild timeline",
)
def rebuild(
    projection: Annotated[
        str,
        typer.Argument(
            metavar=choose("PROYEKSI", "PROJECTION"),
            help=choose(
                "Nama proyeksi, misalnya timeline.", "Name of a projection, for example timeline."
            ),
        ),
    ],
    *,
    service: Service = None,
    json: Json = False,
) -> None:
    """Rebuild one projection from the archive.

    The new one is built beside the old one, then swapped.
    """
    from ops.events.rebuild import rebuild_projection as run

    raise typer.Exit(run(projection, service, as_json=json))


@command(
    events,
    "lag",
    "Tunjukkan seberapa jauh tiap pembaca tertinggal.",
    "./bina events lag",
    "./bina events lag --service manpower",
)
def lag(*, service: Service = None, json: Json = False) -> None:
    """Show how far each reader is behind."""
    from ops.events.lag import print_lag as run

    raise typer.Exit(run(service, as_json=json))


@command(
    events,
    "outbox",
    "Tunjukkan peristiwa yang belum terkirim.",
    "./bina events outbox",
    "./bina events outbox --service training",
)
def outbox(*, service: Service = None, json: Json = False) -> None:
    """Show the events that are not sent yet."""
    from ops.events.lag import print_outbox as run

    raise typer.Exit(run(service, as_json=json))
