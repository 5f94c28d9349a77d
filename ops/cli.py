"""The commands of ./bina: names, options, exit status. What each does lies in a module of its own, imported when it is called."""

import logging
import sys
from typing import Annotated

import typer

from ops.trouble import Trouble

app = typer.Typer(help="Bina: dari pembinaan ke penghidupan.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Satu dokumen JSON di stdout.")]


@app.command()
def up(*, detach: Annotated[bool, typer.Option("--detach", help="Kembali setelah semua siap.")] = False) -> None:
    """Jalankan seluruh sistem di mesin ini."""
    from ops.up import up as run

    raise typer.Exit(run(detach=detach))


@app.command()
def down() -> None:
    """Hentikan sistem yang sedang berjalan."""
    from ops.down import down as run

    raise typer.Exit(run())


@app.command()
def status(*, json: Json = False) -> None:
    """Tunjukkan keadaan setiap bagian."""
    from ops.status import status as run

    raise typer.Exit(run(as_json=json))


@app.command()
def logs(
    part: Annotated[str | None, typer.Argument(help="Bagian; tanpa ini, semua.")] = None,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Ikuti terus.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Satu dokumen JSON per baris.")] = False,
) -> None:
    """Tunjukkan catatan."""
    from ops.logs import logs as run

    raise typer.Exit(run(part, follow=follow, as_json=json))


def main() -> None:
    """Run the command; what a person must mend is told in two sentences, without a trace."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # while a broker starts it refuses at first; `up` tells what comes of it
    try:
        app()
    except Trouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
