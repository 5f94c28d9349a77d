"""Starting the rota: its file read, its book opened, its port served until a signal comes. Not here: what it does."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from ops.rota import told
from ops.rota.book import Book
from ops.rota.notifier import Reaching
from ops.rota.server import Doors, Duty


def serve(rota_file: Path, book_file: Path, host: str, port: int) -> None:
    """Serve until a signal comes; Trouble when the rota's file cannot be used."""
    rota = told.rota(rota_file)
    # no log of requests: the address of a notice is what lets somebody answer it
    web.run_app(Doors(Duty(rota, Book(book_file), Reaching(rota))).application(), host=host, port=port, print=None, access_log=None)
