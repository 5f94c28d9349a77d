"""Verifier of audit exports that runs without Bina.

Usage: python3 verify.py EXPORT.zip [FINGERPRINT]

It uses the standard library only. It checks the signature over the manifest, every file against the
manifest, every row against the hash in its block, the order of rows, the chain of blocks and the
anchors. Exit status 0: nothing was found; 1: one line for each finding; 2: no file could be
read. Compare the fingerprint that it prints with the one that the office gave you on paper.

Not here: what the rows mean.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, cast

# Prime, order of the base point and curve constant of edwards25519 (RFC 8032, 5.1).
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SIGNATURE_BYTES = 64
Point = tuple[int, int, int, int]


def add_points(left: Point, right: Point) -> Point:
    """Return the sum of two points of edwards25519 in extended coordinates (RFC 8032, 5.1.4)."""
    a = (left[1] - left[0]) * (right[1] - right[0]) % P
    b = (left[1] + left[0]) * (right[1] + right[0]) % P
    c = 2 * left[3] * right[3] * D % P
    d = 2 * left[2] * right[2] % P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply_point(factor: int, point: Point) -> Point:
    """Return a multiple of a point."""
    result: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = add_points(result, point)
        point = add_points(point, point)
        factor >>= 1
    return result


def decode_point(data: bytes) -> Point:
    """Decode a point from its 32 bytes (RFC 8032, 5.1.3). Raises ValueError."""
    value = int.from_bytes(data, "little")
    y = value & ((1 << 255) - 1)
    sign = value >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P or (not x and sign):
        raise ValueError("no point")
    is_odd = x & 1
    if is_odd != sign:
        x = P - x
    return x, y, 1, x * y % P


def has_valid_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether this Ed25519 signature was made by that key (RFC 8032, 5.1.7)."""
    try:
        key = decode_point(public)
        commitment = decode_point(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != SIGNATURE_BYTES or s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(hashed, "little") % ORDER
    base_y = 4 * pow(5, -1, P) % P
    base = decode_point(base_y.to_bytes(32, "little"))
    left = multiply_point(s, base)
    right = add_points(commitment, multiply_point(challenge, key))
    has_same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    has_same_y = (left[1] * right[2] - right[1] * left[2]) % P == 0
    return has_same_x and has_same_y


def read_lines(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield the lines of a file that are not empty; a missing file has none."""
    if name in archive.namelist():
        with archive.open(name) as file:
            for line in file:
                if content := line.rstrip(b"\n"):
                    yield content


def hash_file(archive: zipfile.ZipFile, name: str) -> str:
    """Return the SHA-256 of a file."""
    hashed = hashlib.sha256()
    with archive.open(name) as file:
        while content := file.read(1 << 20):
            hashed.update(content)
    return hashed.hexdigest()


def check_files(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> Iterator[str]:
    """Yield files that are missing, changed, duplicate or not in the manifest."""
    present = set(archive.namelist()) - {"manifest.json", "manifest.sig"}
    for name, expected in manifest["files"].items():
        if name not in present:
            yield f"{name}: berkas tidak ada / file missing"
        elif hash_file(archive, name) != expected:
            yield f"{name}: berkas diubah / file changed"
    yield from (
        f"{name}: berkas asing / file not of this export"
        for name in sorted(present - manifest["files"].keys())
    )
    if len(archive.namelist()) > len(set(archive.namelist())):
        yield "ada berkas yang rangkap / a file is there twice"


def check_chain(
    archive: zipfile.ZipFile, service: str, blocks: list[dict[str, Any]]
) -> Iterator[str]:
    """Yield blocks that do not follow each other, or differ from their anchors."""
    lines = read_lines(archive, f"{service}/anchors.jsonl")
    anchors = {anchor["block"]: anchor for anchor in map(json.loads, lines)}
    for before, block in zip([None, *blocks], blocks, strict=False):
        number = block["block"]
        if before is not None and not _follows(block, before):
            yield (
                f"{service}: blok {number} tidak menyambung / "
                f"block {number} does not follow the one before"
            )
        anchor = anchors.get(number)
        if anchor and (anchor["digest"], anchor["rows"]) != (block["digest"], block["count"]):
            yield (
                f"{service}: blok {number} berbeda dari jangkarnya / "
                f"block {number} differs from its anchor"
            )


def _follows(block: dict[str, Any], before: dict[str, Any]) -> bool:
    return block["block"] == before["block"] + 1 and block["previous"] == before["digest"]


def check_rows(
    archive: zipfile.ZipFile, service: str, blocks: list[dict[str, Any]]
) -> Iterator[str]:
    """Yield rows that were altered, removed, reordered or added."""
    expected: dict[str, str] = {}
    for block in blocks:
        expected.update({id_: hash_ for id_, _, hash_, _ in block["rows"] if id_})
    ids: dict[str, None] = {}  # in the order of the file
    for line in read_lines(archive, f"{service}/rows.jsonl"):
        try:
            id_ = str(cast("dict[str, Any]", json.loads(line))["_id"])
        except (ValueError, KeyError, TypeError):
            yield f"{service}: baris tidak terbaca / row unreadable: {line[:60]!r}"
            continue
        if id_ not in expected or id_ in ids:
            yield f"{service}: baris {id_} ditambahkan / row added"
            continue
        if hashlib.sha256(line).hexdigest() != expected[id_]:
            yield f"{service}: baris {id_} diubah / row altered"
        ids[id_] = None
    yield from (
        f"{service}: baris {id_} dihapus / row removed" for id_ in expected if id_ not in ids
    )
    order = [id_ for id_ in expected if id_ in ids]
    yield from (
        f"{service}: baris {id_} pindah tempat / row reordered"
        for id_, right in zip(ids, order, strict=True)
        if id_ != right
    )


def summarise_service(service: str, manifest: dict[str, Any]) -> str:
    """Return what the export holds of one service, in one line."""
    counts = manifest["services"][service]
    rows = counts["rows"]
    whole = counts["rows_whole"]
    hidden = rows - whole
    return (
        f"{service}: {rows} baris, {whole} utuh, {hidden} dengan teks disembunyikan / "
        f"{rows} rows, {whole} whole, {hidden} with hidden texts; "
        f"blok/blocks {counts['first_block']}-{counts['last_block']}"
    )


def check_export(archive: zipfile.ZipFile, fingerprint: str) -> Iterator[str]:
    """Yield everything that is wrong with an export."""
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
        for finding in manifest["services"][service]["findings"]:
            yield f"{service}: saat ekspor / when exported: {finding}"
        print(summarise_service(service, manifest))


def main(arguments: list[str]) -> int:
    """Print the findings; return 0 when there are none, 1 for findings, 2 without a usable file."""
    if not arguments:
        print("Pakai: python3 verify.py BERKAS.zip [SIDIK_JARI]")
        print("Usage: python3 verify.py FILE.zip [FINGERPRINT]")
        return 2
    fingerprint = arguments[1] if len(arguments) > 1 else ""
    try:
        with zipfile.ZipFile(arguments[0]) as archive:
            findings = list(check_export(archive, fingerprint))
    except OSError as error:
        print(f"tidak dapat dibaca / cannot be read: {arguments[0]}: {error.strerror}")
        return 2
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        cause = f"{type(error).__name__} {error}"
        findings = [f"rusak atau tidak lengkap / damaged or incomplete: {cause}"]
    print("\n".join(findings) or "utuh: tidak ada temuan / whole: nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
