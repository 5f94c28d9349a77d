"""The commands `key`, `backup` and `restore`: names, options, exit status.

Not here: what each command does, which is a module of its own.
"""

from pathlib import Path
from typing import Annotated

import typer

from ops.command_help import command
from ops.events.commands import Json, path
from ops.language import choose

backups = typer.Typer()

_FILE = choose("BERKAS", "FILE")
_DIRECTORY = choose("DIREKTORI", "DIRECTORY")


@command(
    backups,
    "key",
    "Buat sepasang kunci untuk cadangan.",
    "./bina key reader",
)
def key(
    path: Annotated[
        Path,
        typer.Argument(
            parser=path,
            metavar=_FILE,
            help=choose(
                "Berkas kunci privat yang dibuat; kunci publiknya di sampingnya (.pub).",
                "The file of the private key to make; its public key is put beside it (.pub).",
            ),
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Make a pair of keys for backups."""
    from ops.backup.create import make_holder_key as run

    raise typer.Exit(run(path, as_json=json))


@command(
    backups,
    "backup",
    "Cadangkan semua basis data, terenkripsi. Semuanya menurut keadaan pada satu waktu; kuncinya"
    " disimpan terpisah dan hanya dibuka oleh dua pemegang bersama.",
    "./bina backup data --reader reader.pub --custody custody \\",
    "    --holder one.pub --holder two.pub",
)
def backup(
    directory: Annotated[
        Path,
        typer.Argument(
            parser=path,
            metavar=_DIRECTORY,
            help=choose("Tempat cadangan diletakkan.", "Where to put the backup."),
        ),
    ],
    *,
    reader: Annotated[
        list[Path],
        typer.Option(
            parser=path,
            metavar=_FILE,
            help=choose(
                "Kunci publik pembaca data; boleh diulang.",
                "Public key of a reader of the data; may be repeated.",
            ),
        ),
    ],
    custody: Annotated[
        Path,
        typer.Option(
            parser=path,
            metavar=_DIRECTORY,
            help=choose(
                "Tempat berkas kunci, terpisah dari data.",
                "Where to put the files of the keys, apart from the data.",
            ),
        ),
    ],
    holder: Annotated[
        list[Path],
        typer.Option(
            parser=path,
            metavar=_FILE,
            help=choose(
                "Kunci publik seorang pemegang; tepat dua kali.",
                "Public key of a holder; exactly twice.",
            ),
        ),
    ],
    json: Json = False,
) -> None:
    """Back up all databases, encrypted.

    All of them are read as of one time. The keys are stored apart, and only two holders together
    can open them.
    """
    from ops.backup.create import make_backup as run

    raise typer.Exit(run(directory, reader, custody, holder, as_json=json))


@command(
    backups,
    "restore",
    "Pulihkan semua layanan dan kunci dari satu cadangan. Semuanya diperiksa sebelum ada yang"
    " diubah.",
    "./bina restore data/BACKUP --reader-key reader --dry-run \\",
    "    --custody custody/BACKUP.keys.age --holder-key one --holder-key two",
)
def restore(
    directory: Annotated[
        Path,
        typer.Argument(
            parser=path,
            metavar=_DIRECTORY,
            help=choose("Direktori satu cadangan.", "The directory of one backup."),
        ),
    ],
    *,
    reader_key: Annotated[
        Path,
        typer.Option(
            parser=path,
            metavar=_FILE,
            help=choose("Kunci privat pembaca data.", "Private key of a reader of the data."),
        ),
    ],
    custody: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar=_FILE,
            help=choose(
                "Berkas kunci yang dibuat bersama cadangan ini.",
                "The file of the keys that was made with this backup.",
            ),
        ),
    ] = None,
    holder_key: Annotated[
        list[Path] | None,
        typer.Option(
            parser=path,
            metavar=_FILE,
            help=choose(
                "Kunci privat seorang pemegang; dua kali.", "Private key of a holder; twice."
            ),
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            metavar=choose("LAYANAN", "SERVICE"),
            help=choose(
                "Selalu ditolak: semua layanan dipulihkan bersama.",
                "Always refused: all services are restored together.",
            ),
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help=choose(
                "Ganti seluruh isi pemasangan ini.", "Replace everything in this installation."
            ),
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help=choose(
                "Hanya periksa cadangan dan kuncinya.", "Only check the backup and its keys."
            ),
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Restore all services and keys from one backup.

    Everything is checked before anything is changed.
    """
    from ops.backup.restore import restore as run

    raise typer.Exit(
        run(
            directory,
            reader_key,
            custody,
            holder_key or [],
            service,
            replace=replace,
            dry_run=dry_run,
            as_json=json,
        )
    )
