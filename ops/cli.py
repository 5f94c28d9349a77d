"""The commands of ./bina: names, options, exit status.

Not here: what each command does, which is a module of its own, imported when it is called.
"""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.audit.commands import audit
from ops.errors import OperatorError
from ops.events import commands

app = typer.Typer(
    help="Bina: dari pembinaan ke penghidupan.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(commands.events, name="events")
app.add_typer(audit, name="audit")


def _examples(*lines: str) -> str:
    """Return the closing lines of a help text; the first character keeps them unwrapped."""
    return "\b\n" + "\n".join(["Contoh:", *(f"  {line}" for line in lines)])


Json = Annotated[bool, typer.Option("--json", help="Satu dokumen JSON di stdout.")]


@app.command(epilog=_examples("./bina up", "./bina up --detach"))
def up(
    *, detach: Annotated[bool, typer.Option("--detach", help="Kembali setelah semua siap.")] = False
) -> None:
    """Jalankan seluruh sistem di mesin ini."""
    from ops.local.up import up as run

    raise typer.Exit(run(detach=detach))


@app.command(epilog=_examples("./bina down"))
def down() -> None:
    """Hentikan sistem yang sedang berjalan."""
    from ops.local.down import down as run

    raise typer.Exit(run())


@app.command(epilog=_examples("./bina status", "./bina status --json"))
def status(*, json: Json = False) -> None:
    """Tunjukkan keadaan setiap bagian."""
    from ops.local import state_dir
    from ops.local.status import print_status as run

    state_dir.adopt_runner_variables()
    raise typer.Exit(run(as_json=json))


@app.command(epilog=_examples("./bina logs training --follow"))
def logs(
    part: Annotated[str | None, typer.Argument(help="Bagian; tanpa ini, semua.")] = None,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Ikuti terus.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Satu dokumen JSON per baris.")] = False,
) -> None:
    """Tunjukkan catatan."""
    from ops.local.logs import logs as run

    raise typer.Exit(run(part, follow=follow, as_json=json))


@app.command(epilog=_examples("./bina token --role training_officer --claim facility=LP-TJP"))
def token(
    *,
    role: Annotated[str, typer.Option(help="Peran, misalnya training_officer.")],
    claim: Annotated[
        list[str] | None, typer.Option(help="NAMA=NILAI, misalnya facility=LP-TJP; boleh diulang.")
    ] = None,
) -> None:
    """Buat token penerbit bawaan (hanya pengembangan)."""
    from ops.local.token import print_token as run

    raise typer.Exit(run(role, claim or []))


@app.command(epilog=_examples("./bina key pembaca"))
def key(
    path: Annotated[
        Path,
        typer.Argument(
            parser=commands.path,
            help="Berkas kunci privat yang dibuat; kunci publiknya di sampingnya (.pub).",
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Buat sepasang kunci bagi pembaca cadangan atau pemegang kunci."""
    from ops.backup.create import make_holder_key as run

    raise typer.Exit(run(path, as_json=json))


@app.command(
    epilog=_examples(
        "./bina backup data --reader pembaca.pub --custody kunci",
        "    --holder satu.pub --holder dua.pub",
    )
)
def backup(
    directory: Annotated[
        Path, typer.Argument(parser=commands.path, help="Direktori tempat cadangan diletakkan.")
    ],
    *,
    reader: Annotated[
        list[Path],
        typer.Option(
            parser=commands.path, help="Kunci publik yang dapat membaca data; boleh diulang."
        ),
    ],
    custody: Annotated[
        Path,
        typer.Option(
            parser=commands.path, help="Direktori untuk berkas kunci, terpisah dari data."
        ),
    ],
    holder: Annotated[
        list[Path],
        typer.Option(
            parser=commands.path, help="Kunci publik pemegang kunci; dua kali, dua orang."
        ),
    ],
    json: Json = False,
) -> None:
    """Cadangkan semua basis data, terenkripsi. Keadaannya pada satu waktu, kuncinya terpisah."""
    from ops.backup.create import make_backup as run

    raise typer.Exit(run(directory, reader, custody, holder, as_json=json))


@app.command(epilog=_examples("./bina restore data/CADANGAN --reader-key pembaca --dry-run"))
def restore(
    directory: Annotated[
        Path, typer.Argument(parser=commands.path, help="Direktori satu cadangan.")
    ],
    *,
    reader_key: Annotated[
        Path, typer.Option(parser=commands.path, help="Kunci privat yang membaca data.")
    ],
    custody: Annotated[
        Path | None,
        typer.Option(parser=commands.path, help="Berkas kunci yang dibuat bersama cadangan ini."),
    ] = None,
    holder_key: Annotated[
        list[Path] | None,
        typer.Option(parser=commands.path, help="Kunci privat seorang pemegang; dua kali."),
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Ditolak: satu layanan tidak dipulihkan sendiri.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Ganti seluruh isi tempat ini.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Hanya periksa cadangan dan kuncinya.")
    ] = False,
    json: Json = False,
) -> None:
    """Pulihkan semua layanan dan kunci. Semuanya diperiksa sebelum ada yang disentuh."""
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


@app.command(epilog=_examples("./bina demo"))
def demo(*, json: Json = False) -> None:
    """Perankan seluruh alur pada sistem yang berjalan."""
    from ops.local import state_dir

    if state_dir.runner_pid() is None:
        raise OperatorError(
            "Bina tidak berjalan: jalankan ./bina up", "Bina is not running: run ./bina up"
        )
    from ops.demo.run import run_demo as run

    state_dir.adopt_runner_variables()
    raise typer.Exit(run(as_json=json))


@app.command(epilog=_examples("./bina test --quick", "./bina test"))
def test(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Yang tidak perlu server: di bawah satu menit.")
    ] = False,
    containers: Annotated[
        bool,
        typer.Option(
            "--containers", help="Uji wire dengan MongoDB dan Kafka dari citra kontainer."
        ),
    ] = False,
    crash: Annotated[
        int | None,
        typer.Option(
            "--crash", min=1, metavar="N", help="Hanya matriks kill: N kali di setiap titik."
        ),
    ] = None,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="Hanya uji klaster: tiga mongod dan tiga Kafka yang dimatikan bergantian.",
        ),
    ] = False,
    compose: Annotated[
        bool,
        typer.Option(
            "--compose",
            help="Hanya docker-compose.yml: dinyalakan, diisi, ditingkatkan; perlu Docker.",
        ),
    ] = False,
    soak: Annotated[
        bool, typer.Option("--soak", help="Hanya uji broker yang hilang, selama sepuluh menit.")
    ] = False,
    scenarios: Annotated[
        bool, typer.Option("--scenarios", help="Tunjukkan skenario yang terbukti.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Bersama --scenarios: satu dokumen JSON di stdout.")
    ] = False,
) -> None:
    """Buktikan semuanya."""
    from ops import test_command

    if scenarios:
        raise typer.Exit(test_command.run_scenarios(as_json=json))
    chosen = {"--cluster": cluster, "--compose": compose, "--soak": soak}
    only = [option for option, is_chosen in chosen.items() if is_chosen]
    if crash:
        only.append(f"--crash={crash}")
    raise typer.Exit(test_command.run_tests(quick=quick, containers=containers, only=only))


@app.command(epilog=_examples("./bina oncall deploy/monitoring/oncall.toml"))
def oncall(
    file: Annotated[
        Path, typer.Argument(help="Daftar piket, misalnya deploy/monitoring/oncall.toml.")
    ],
    *,
    book: Annotated[Path, typer.Option(help="Tempat menyimpan peringatan yang berjalan.")] = Path(
        "oncall-book.json"
    ),
    port: Annotated[int, typer.Option(help="Porta di 127.0.0.1.")] = 7095,
) -> None:
    """Teruskan peringatan kepada petugas piket. Berlanjut sampai ada yang menangani."""
    from ops.oncall.run import serve

    serve(file, book, "127.0.0.1", port)


@app.command(epilog=_examples("./bina bench pipeline"))
def bench(name: Annotated[str, typer.Argument(help="Nama bench.")], *, json: Json = False) -> None:
    """Ukur satu hal pada server sendiri."""
    from ops.bench import bench as run

    raise typer.Exit(run(name, as_json=json))


@app.command()
def docs() -> None:
    """Tulis berkas yang dibuat dari kode (untuk pengembang)."""
    from ops.docs.generate import write_documents as run

    raise typer.Exit(run())


def main() -> None:
    """Run the command; print an OperatorError as two sentences, without a traceback."""
    # A broker that starts refuses connections at first; `up` reports the result.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        app(prog_name="./bina")
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
