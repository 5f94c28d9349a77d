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
from ops.command_help import command, create_group, describe_usage_error
from ops.errors import OperatorError
from ops.events import commands
from ops.events.commands import Json, JsonLines
from ops.language import choose
from ops.text_output import print_error

app = create_group(
    "Bina: dari pembinaan ke penghidupan. Bantuan satu perintah: ./bina PERINTAH --help.",
    "Bina: from prison training to a livelihood. Help of one command: ./bina COMMAND --help.",
    "./bina up",
    "./bina demo",
    "./bina status",
)
app.add_typer(commands.events, name="events")
app.add_typer(audit, name="audit")

FILE = choose("BERKAS", "FILE")
DIRECTORY = choose("DIREKTORI", "DIRECTORY")


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
    follow: commands.Follow = False,
    json: JsonLines = False,
) -> None:
    """Show the logs of the parts of the system."""
    from ops.local.logs import logs as run

    raise typer.Exit(run(part, follow=follow, as_json=json))


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


@command(
    app,
    "key",
    "Buat sepasang kunci untuk cadangan.",
    "./bina key reader",
)
def key(
    path: Annotated[
        Path,
        typer.Argument(
            parser=commands.path,
            metavar=FILE,
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
    app,
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
            parser=commands.path,
            metavar=DIRECTORY,
            help=choose("Tempat cadangan diletakkan.", "Where to put the backup."),
        ),
    ],
    *,
    reader: Annotated[
        list[Path],
        typer.Option(
            parser=commands.path,
            metavar=FILE,
            help=choose(
                "Kunci publik pembaca data; boleh diulang.",
                "Public key of a reader of the data; may be repeated.",
            ),
        ),
    ],
    custody: Annotated[
        Path,
        typer.Option(
            parser=commands.path,
            metavar=DIRECTORY,
            help=choose(
                "Tempat berkas kunci, terpisah dari data.",
                "Where to put the files of the keys, apart from the data.",
            ),
        ),
    ],
    holder: Annotated[
        list[Path],
        typer.Option(
            parser=commands.path,
            metavar=FILE,
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
    app,
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
            parser=commands.path,
            metavar=DIRECTORY,
            help=choose("Direktori satu cadangan.", "The directory of one backup."),
        ),
    ],
    *,
    reader_key: Annotated[
        Path,
        typer.Option(
            parser=commands.path,
            metavar=FILE,
            help=choose("Kunci privat pembaca data.", "Private key of a reader of the data."),
        ),
    ],
    custody: Annotated[
        Path | None,
        typer.Option(
            parser=commands.path,
            metavar=FILE,
            help=choose(
                "Berkas kunci yang dibuat bersama cadangan ini.",
                "The file of the keys that was made with this backup.",
            ),
        ),
    ] = None,
    holder_key: Annotated[
        list[Path] | None,
        typer.Option(
            parser=commands.path,
            metavar=FILE,
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
            help=choose("Tunjukkan skenario yang terbukti.", "Show which scenarios are proved."),
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


@command(app, "bench", "Ukur kecepatan satu hal (untuk pengembang).", "./bina bench pipeline")
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


@command(app, "docs", "Tulis berkas yang dibuat dari kode (untuk pengembang).", "./bina docs")
def docs() -> None:
    """Write the files that are generated from code (for developers)."""
    from ops.docs.generate import write_documents as run

    raise typer.Exit(run())


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
