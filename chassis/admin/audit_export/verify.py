"""Checks an audit export of Bina on its own: python3 verify.py EXPORT.zip [FINGERPRINT]. Standard library only, nothing of Bina. Not here: what the rows mean.

What it checks: the signature over the manifest, every file against the manifest, every row against the hash in its block, the order of rows, the chain of blocks,
the anchors. Exit 0 when nothing was found, else 1 with one line for each finding. Compare the fingerprint that it prints with the one that the office gave you on paper.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, cast

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]


def add_points(one: Point, other: Point) -> Point:
    """The sum of two points of edwards25519, in extended coordinates (RFC 8032, 5.1.4)."""
    a, b = (
        (one[1] - one[0]) * (other[1] - other[0]) % P,
        (one[1] + one[0]) * (other[1] + other[0]) % P,
    )
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply_point(factor: int, point: Point) -> Point:
    """A multiple of a point."""
    result: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = add_points(result, point)
        point, factor = add_points(point, point), factor >> 1
    return result


def decode_point(data: bytes) -> Point:
    """A point from its 32 bytes; ValueError when they are none."""
    value = int.from_bytes(data, "little")
    y, sign = value & ((1 << 255) - 1), value >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P or (not x and sign):
        raise ValueError("no point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def has_valid_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this Ed25519 signature is of that key (RFC 8032, 5.1.7)."""
    try:
        key, commitment, s = (
            decode_point(public),
            decode_point(signature[:32]),
            int.from_bytes(signature[32:], "little"),
        )
    except ValueError:
        return False
    if len(signature) != 64 or s >= ORDER:  # noqa: PLR2004 - bytes of an Ed25519 signature
        return False
    challenge = (
        int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    )
    y = 4 * pow(5, -1, P) % P
    left, right = (
        multiply_point(s, decode_point(y.to_bytes(32, "little"))),
        add_points(commitment, multiply_point(challenge, key)),
    )
    return not (
        (left[0] * right[2] - right[0] * left[2]) % P
        or (left[1] * right[2] - right[1] * left[2]) % P
    )


def read_lines(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """The lines of a file, none when it is missing."""
    if name in archive.namelist():
        with archive.open(name) as file:
            yield from (line for line in (one.rstrip(b"\n") for one in file) if line)


def hash_file(archive: zipfile.ZipFile, name: str) -> str:
    """The hash of a file."""
    hashed = hashlib.sha256()
    with archive.open(name) as file:
        while content := file.read(1 << 20):
            hashed.update(content)
    return hashed.hexdigest()


def check_files(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> Iterator[str]:
    """Files that are missing, changed, twice there or not of the export."""
    there = set(archive.namelist()) - {"manifest.json", "manifest.sig"}
    for name, expected in manifest["files"].items():
        if name not in there:
            yield f"{name}: berkas tidak ada / file missing"
        elif hash_file(archive, name) != expected:
            yield f"{name}: berkas diubah / file changed"
    yield from (
        f"{name}: berkas asing / file not of this export"
        for name in sorted(there - manifest["files"].keys())
    )
    if len(archive.namelist()) > len(set(archive.namelist())):
        yield "ada berkas yang rangkap / a file is there twice"


def check_chain(
    archive: zipfile.ZipFile, service: str, blocks: list[dict[str, Any]]
) -> Iterator[str]:
    """Blocks that do not follow each other, or differ from their anchors."""
    anchors = {
        told["block"]: told
        for told in map(json.loads, read_lines(archive, f"{service}/anchors.jsonl"))
    }
    for before, block in zip([None, *blocks], blocks, strict=False):
        number = block["block"]
        if before is not None and (
            number != before["block"] + 1 or block["previous"] != before["digest"]
        ):
            yield f"{service}: blok {number} tidak menyambung / block {number} does not follow the one before"
        if number in anchors and (anchors[number]["digest"], anchors[number]["rows"]) != (
            block["digest"],
            block["count"],
        ):
            yield f"{service}: blok {number} berbeda dari jangkarnya / block {number} differs from its anchor"


def check_rows(
    archive: zipfile.ZipFile, service: str, blocks: list[dict[str, Any]]
) -> Iterator[str]:
    """Rows that were altered, removed, reordered or added."""
    expected = {id_: hash_ for block in blocks for id_, _, hash_, _ in block["rows"] if id_}
    found: list[str] = []
    seen = set[str]()
    for line in read_lines(archive, f"{service}/rows.jsonl"):
        try:
            id_ = str(cast("dict[str, Any]", json.loads(line))["_id"])
        except (ValueError, KeyError, TypeError):
            yield f"{service}: baris tidak terbaca / row unreadable: {line[:60]!r}"
            continue
        if id_ not in expected or id_ in seen:
            yield f"{service}: baris {id_} ditambahkan / row added"
            continue
        if hashlib.sha256(line).hexdigest() != expected[id_]:
            yield f"{service}: baris {id_} diubah / row altered"
        found.append(id_)
        seen.add(id_)
    yield from (
        f"{service}: baris {id_} dihapus / row removed" for id_ in expected if id_ not in seen
    )
    order = [id_ for id_ in expected if id_ in seen]
    yield from (
        f"{service}: baris {id_} pindah tempat / row reordered"
        for id_, right in zip(found, order, strict=True)
        if id_ != right
    )


def summarise_service(service: str, manifest: dict[str, Any]) -> str:
    """What a part of the export holds, in one line."""
    part = manifest["services"][service]
    number, whole, span = (
        part["rows"],
        part["rows_whole"],
        f"blok/blocks {part['first_block']}-{part['last_block']}",
    )
    return f"{service}: {number} baris, {whole} utuh, {number - whole} dengan teks disembunyikan / {number} rows, {whole} whole, {number - whole} with hidden texts; {span}"


def check_export(archive: zipfile.ZipFile, fingerprint: str) -> Iterator[str]:
    """Everything that is wrong with an export."""
    content = archive.read("manifest.json")
    manifest = cast("dict[str, Any]", json.loads(content))
    public = bytes.fromhex(manifest["public_key"])
    print(f"kunci penanda tangan / signing key: {hashlib.sha256(public).hexdigest()}")
    if fingerprint and hashlib.sha256(public).hexdigest() != fingerprint:
        yield "ditandatangani kunci lain / signed by another key"
    if not has_valid_signature(
        public, content, bytes.fromhex(archive.read("manifest.sig").decode())
    ):
        yield "manifest.json: tanda tangan tidak cocok / signature does not fit"
    yield from check_files(archive, manifest)
    for service in manifest["services"]:
        blocks = [
            cast("dict[str, Any]", json.loads(line))
            for line in read_lines(archive, f"{service}/blocks.jsonl")
        ]
        yield from check_chain(archive, service, blocks)
        yield from check_rows(archive, service, blocks)
        yield from (
            f"{service}: saat ekspor / when exported: {found}"
            for found in manifest["services"][service]["findings"]
        )
        print(summarise_service(service, manifest))


def main(arguments: list[str]) -> int:
    """Print the findings; 0 when there are none."""
    try:
        with zipfile.ZipFile(arguments[0]) as archive:
            found = list(check_export(archive, arguments[1] if len(arguments) > 1 else ""))
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        found = [
            f"rusak atau tidak lengkap / damaged or incomplete: {type(error).__name__} {error}"
        ]
    print("\n".join(found) or "utuh: tidak ada temuan / whole: nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
