"""Snapshot files for wire tests: the sample's folder and mappings, and lists of people."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SNAPSHOTS = Path(__file__).parent / "snapshots"
HEADINGS: tuple[str, ...] = (
    "No",
    "ID WBP",
    "No. Reg",
    "Nama Lengkap",
    "NIK",
    "Tgl Lahir",
    "JK",
    "Gol",
    "Tanggal Masuk",
    "Ekspirasi",
    "2/3",
    "Kamar",
    "Keberadaan",
    "Ket. Keluar",
    "Tanggal Keluar",
    "Pend.",
    "Tingkat Risiko",
    "Digabung ke",
    "Kode UPT",
)
USUAL_VALUES = {
    "No. Reg": "B.I 1/2026",
    "Tgl Lahir": "05/03/1990",
    "JK": "L",
    "Gol": "B.I",
    "Tanggal Masuk": "01/02/2026",
    "Ekspirasi": "01/02/2031",
    "2/3": "01/02/2029",
    "Kamar": "A1",
    "Pend.": "SMA",
    "Tingkat Risiko": "Rendah",
}


def mapping_tables(code: str) -> dict[str, Any]:
    """Return the tables of one facility of the sample, as mappings.toml has them."""
    tables = tomllib.loads((SNAPSHOTS / "mappings.toml").read_text())
    return {"facility": tables["facility"][code], "common": tables["common"]}


def snapshot_file(
    facility_id: str, people: Mapping[str, Mapping[str, str]], number: str = ""
) -> bytes:
    """Return a list of people in the format of Lapas Tanjungpandan.

    `people` are {source_ref: {heading: value}}, with usual values for the other headings. `number`
    fills a column that is not read, so that two lists of the same people have different bytes.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADINGS, delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    for ref, values in people.items():
        own = {"No": number, "ID WBP": ref, "Nama Lengkap": f"Uji {ref}", "Kode UPT": facility_id}
        writer.writerow(own | USUAL_VALUES | dict(values))
    return text.getvalue().encode("utf-8-sig")
