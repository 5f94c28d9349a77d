"""The commands of ./bina: names, options, exit status.

Not here: what each command does, which is a module of its own, imported when it is called.
"""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ops.audit.commands import audit
from ops.backup.commands import backups
from ops.command_help import command, create_group, describe_usage_error
from ops.developer_commands import development
from ops.errors import OperatorError
from ops.events import commands
from ops.events.commands import Json, JsonLines
from ops.language import choose
from ops.text_output import print_error
from ops.version import read_version

app = create_group(
    "Bina: dari pembinaan ke penghidupan. Bantuan satu perintah: ./bina PERINTAH --help.",
    "Bina: from prison training to a livelihood. Help of one command: ./bina COMMAND --help.",
    "./bina up",
    "./bina demo",
    "./bina status",
)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if is_asked:
        sys.stdout.write(f"{read_version()}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help=choose("Tampilkan versi ini.", "Show this version."),
        ),
    ] = False,
) -> None:
    """Take the options of ./bina itself."""
    del version  # its callback has printed it


app.add_typer(backups)
app.add_typer(development)
app.add_typer(commands.events, name="events")
app.add_typer(audit, name="audit")

FILE = choose("BERKAS", "FILE")


@command(app, "up", "Jalankan seluruh sistem di komputer ini.", "./bina up", "./bina up --detach")
def up(
    *,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help=choose(
                "Kembali setelah semua siap; sistem tetap berjalan.",
                "Return when everything is ready; the system keeps running.",
            ),
        ),
    ] = False,
) -> None:
    """Start the whole system on this computer."""
    from ops.local.up import up as run

    raise typer.Exit(run(detach=detach))


@command(app, "down", "Hentikan sistem yang sedang berjalan.", "./bina down")
def down() -> None:
    """Stop the running system."""
    from ops.local.down import down as run

    raise typer.Exit(run())


@command(
    app,
    "status",
    "Tunjukkan keadaan setiap bagian sistem.",
    "./bina status",
    "./bina status --json",
)
def status(*, json: Json = False) -> None:
    """Show the state of every part of the system."""
    from ops.local import state_dir
    from ops.local.status import print_status as run

    state_dir.adopt_runner_variables()
    raise typer.Exit(run(as_json=json))


@command(
    app,
    "logs",
    "Tunjukkan catatan (log) bagian-bagian sistem.",
    "./bina logs",
    "./bina logs training --follow",
    "./bina logs --since 10m --level warning",
)
def logs(
    part: Annotated[
        str | None,
        typer.Argument(
            metavar=choose("BAGIAN", "PART"),
            help=choose(
                "Satu bagian, misalnya training; tanpa ini, semua.",
                "One part, for example training; all without it.",
            ),
        ),
    ] = None,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            metavar=choose("WAKTU", "TIME"),
            help=choose(
                "Sejak waktu ini: 10m, 2h, 1d atau 2026-11-24T10:00+07:00.",
                "From this time: 10m, 2h, 1d or 2026-11-24T10:00+07:00.",
            ),
        ),
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            metavar="N",
            help=choose(
                "Paling banyak sekian baris terakhir; tanpa ini 200, dengan --since semua.",
                "At most this many last lines; without it 200, with --since all.",
            ),
        ),
    ] = None,
    level: Annotated[
        str,
        typer.Option(
            metavar=choose("TINGKAT", "LEVEL"),
            help=choose(
                "Paling rendah tingkat ini: debug, info, warning, error, critical.",
                "At least this level: debug, info, warning, error, critical.",
            ),
        ),
    ] = "debug",
    follow: commands.Follow = False,
    json: JsonLines = False,
) -> None:
    """Show the logs of the parts of the system."""
    from ops.local import logs as run

    chosen = run.choose_lines(run.parse_since(since), run.require_level(level), lines)
    raise typer.Exit(run.logs(part, chosen, follow=follow, as_json=json))


@command(
    app,
    "token",
    "Buat token untuk sebuah peran (hanya pengembangan).",
    "./bina token --role training_officer --claim facility=LP-TJP",
)
def token(
    *,
    role: Annotated[
        str,
        typer.Option(
            metavar=choose("PERAN", "ROLE"),
            help=choose("Peran, misalnya training_officer.", "Role, for example training_officer."),
        ),
    ],
    claim: Annotated[
        list[str] | None,
        typer.Option(
            metavar=choose("NAMA=NILAI", "NAME=VALUE"),
            help=choose(
                "Batas data peran itu, misalnya facility=LP-TJP; boleh diulang.",
                "What data the role may see, for example facility=LP-TJP; may be repeated.",
            ),
        ),
    ] = None,
) -> None:
    """Make a token for a role (development only)."""
    from ops.local.token import print_token as run

    raise typer.Exit(run(role, claim or []))


@command(app, "demo", "Perankan perjalanan satu orang pada sistem yang berjalan.", "./bina demo")
def demo(*, json: Json = False) -> None:
    """Play one person's path on the running system."""
    from ops.local import state_dir

    if state_dir.runner_pid() is None:
        raise OperatorError(
            "Bina tidak berjalan: jalankan ./bina up", "Bina is not running: run ./bina up"
        )
    from ops.demo.run import run_demo as run

    state_dir.adopt_runner_variables()
    raise typer.Exit(run(as_json=json))


@command(
    app,
    "oncall",
    "Teruskan peringatan kepada petugas piket. Petugas berikutnya dihubungi sampai ada yang"
    " menangani.",
    "./bina oncall deploy/monitoring/oncall.toml",
)
def oncall(
    file: Annotated[
        Path,
        typer.Argument(
            metavar=FILE,
            help=choose(
                "Daftar piket, misalnya deploy/monitoring/oncall.toml.",
                "The on-call schedule, for example deploy/monitoring/oncall.toml.",
            ),
        ),
    ],
    *,
    book: Annotated[
        Path,
        typer.Option(
            metavar=FILE,
            help=choose(
                "Tempat menyimpan peringatan yang berjalan.", "Where to store open incidents."
            ),
        ),
    ] = Path("oncall-book.json"),
    port: Annotated[
        int, typer.Option(metavar="N", help=choose("Porta di 127.0.0.1.", "Port on 127.0.0.1."))
    ] = 7095,
) -> None:
    """Notify the people on call of alerts.

    One person after another is notified until somebody acknowledges.
    """
    from ops.oncall.run import serve

    serve(file, book, "127.0.0.1", port)


def main() -> None:
    """Run the command; print an error in one language, without a traceback."""
    # A broker that starts refuses connections at first; `up` reports the result.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        status = app(prog_name="./bina", standalone_mode=False)
    except TyperException as error:
        print_error(describe_usage_error(error))
        sys.exit(getattr(error, "exit_code", 1))
    except typer.Abort:
        print_error(choose("Dibatalkan.", "Cancelled."))
        sys.exit(1)
    except OperatorError as error:
        print_error(str(error))
        sys.exit(1)
    sys.exit(status)


if __name__ == "__main__":
    main()
