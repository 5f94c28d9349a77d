"""The keys, kept apart from the data: which there are, their fingerprints, and the file that two holders open together. Not here: the data, and how bytes are sealed.

Without the keys of NIK, lookup and issuers a restored database is a heap of sealed texts; with them in the same hands as the data, its encryption would be a
formality. No key is therefore in a backup of the data, which holds their fingerprints only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ops.backup import encryption
from ops.backup.encryption import Chest, NotForUs
from ops.errors import OperatorError
from ops.local import secret_files, topology

HOLDER_COUNT = 2
_EXCLUDED_SUFFIXES = (
    "mongo-password",
    "_mongo_url",
    "_kafka_password",
)  # of this installation's servers: restored ones have their own
_KEY_TITLES = {
    "master_key": "kunci NIK dan nama",
    "lookup_key": "kunci pencarian NIK",
    "name_key": "kunci nama pada sertifikat",
    "keys_dir": "kunci penerbit sertifikat",
}


def fingerprint(name: str, key: bytes) -> str:
    """Tells two keys apart and says nothing of them: they are random."""
    return hashlib.sha256(b"bina key fingerprint\0" + name.encode() + b"\0" + key).hexdigest()[:32]


def fingerprints(keys: Mapping[str, bytes]) -> dict[str, str]:
    """Each key's fingerprint by its name."""
    return {name: fingerprint(name, key) for name, key in sorted(keys.items())}


def find_keys(directory: Path) -> dict[str, bytes]:
    """Every key of the installation at `place`, by its path below it."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(_find_key_files(directory))
    }


def _find_key_files(directory: Path) -> Iterable[Path]:
    for service in topology.PROCESSES:
        for folder in (
            directory / "secrets" / service.name,
            *(directory / service.name / name for name in service.directories),
        ):
            yield from (
                path
                for path in folder.rglob("*")
                if path.is_file()
                and not path.name.startswith(".")
                and not path.name.endswith(_EXCLUDED_SUFFIXES)
            )


def collect_keys(directory: Path, issuers: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """Every key of the whole installation at `place`. OperatorError that lists those that the data needs and that are not there; `issuers` are their keys by LSP and name."""
    keys = find_keys(directory)
    needed = [
        f"secrets/{service.name}/{service.name}_{name}"
        for service in topology.PROCESSES
        for name in ("signing_key", "audit_key", *service.keys)
    ]
    needed += [f"certification/keys_dir/{lsp}/{name}.pem" for lsp, name in issuers]
    if gone := [name for name in needed if name not in keys]:
        listed = "\n".join(f"  tidak ada / missing: {_describe_key(name)}" for name in gone)
        raise OperatorError(
            f"Di {directory} tidak ada {len(gone)} kunci yang diperlukan data ini: cadangan tanpa kunci tidak dapat dipakai, tidak ada yang dibuat. "
            f"Tunjukkan tempatnya dengan BINA_DIR.\n{listed}",
            f"{directory} lacks {len(gone)} keys that this data needs (listed above): a backup without them is of no use, none was made. Name their place by BINA_DIR.",
        )
    return keys


def write_custody_file(
    path: Path,
    id_: str,
    now: datetime,
    keys: Mapping[str, bytes],
    holders: Sequence[tuple[str, X25519PublicKey]],
) -> None:
    """Write the keys so that both holders are needed to read them."""
    key = encryption.random_key()
    shares = encryption.split(key)
    content = json.dumps(
        {name: b64encode(value).decode() for name, value in sorted(keys.items())}
    ).encode()
    told = {
        "format": 1,
        "id": id_,
        "made_at": now.isoformat(),
        "keys": fingerprints(keys),
        "holders": [
            {
                "name": name,
                "key": encryption.name_of(public),
                "share": encryption.seal_for(public, share, f"custody/{id_}/{number}"),
            }
            for number, ((name, public), share) in enumerate(zip(holders, shares, strict=True))
        ],
        "content": b64encode(Chest(key).seal(content, 0, f"custody/{id_}")).decode(),
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret_files.write_private(path, json.dumps(told, indent=1))


def open_custody_file(path: Path, holder_keys: Sequence[X25519PrivateKey]) -> dict[str, bytes]:
    """The keys in a custody file. OperatorError that names the holder whose key is missing, or says that the file was changed."""
    try:
        told = cast("dict[str, Any]", json.loads(path.read_text()))
        shares = [_open_share(told, number, holder_keys) for number in range(HOLDER_COUNT)]
        gone = [
            f"{holder['name']} (kunci {holder['key']})"
            for holder, share in zip(told["holders"], shares, strict=True)
            if share is None
        ]
        if gone:
            raise OperatorError(
                f"Kunci pemegang {' dan '.join(gone)} belum diberikan: kedua pemegang harus hadir, masing-masing dengan --holder-key.",
                f"The key of holder {' and '.join(gone)} is missing: both holders are needed, each by --holder-key.",
            )
        one, other = (share or b"" for share in shares)
        content = Chest(encryption.join(one, other)).open(
            b64decode(told["content"], validate=True), 0, f"custody/{told['id']}"
        )
        return {
            _require_relative_path(name): b64decode(value)
            for name, value in json.loads(content).items()
        }
    except OSError as error:
        raise OperatorError(
            f"Berkas kunci {path} tidak dapat dibaca.",
            f"The custody file {path} cannot be read: {error.strerror}.",
        ) from error
    except (NotForUs, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            f"Berkas kunci {path} rusak, terpotong atau diubah.",
            f"The custody file {path} is damaged, cut short or changed.",
        ) from error


def _require_relative_path(name: str) -> str:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(name)
    return name


def _open_share(
    document: dict[str, Any], number: int, holder_keys: Sequence[X25519PrivateKey]
) -> bytes | None:
    holder = document["holders"][number]
    for private in holder_keys:
        if encryption.name_of(private.public_key()) == holder["key"]:
            return encryption.open_with(
                private, holder["share"], f"custody/{document['id']}/{number}"
            )
    return None


def require_keys(expected: Mapping[str, str], keys: Mapping[str, bytes] | None) -> None:
    """OperatorError that lists every key that the data needs and that is missing or another one. `keys` None = there is no custody file."""
    has = fingerprints(keys or {})
    gone = [name for name in expected if name not in has]
    other = [name for name in expected if name in has and has[name] != expected[name]]
    if not gone and not other:
        return
    listed = "\n".join(
        [
            *(f"  tidak ada / missing: {_describe_key(name)}" for name in gone),
            *(f"  kunci lain / another key: {_describe_key(name)}" for name in other),
        ]
    )
    raise OperatorError(
        f"{len(gone) + len(other)} dari {len(expected)} kunci yang diperlukan data ini tidak ada. Tanpa kunci itu data tidak terbaca; tidak ada yang dipulihkan:\n{listed}\n"
        "Berikan berkas kunci yang dibuat bersama cadangan ini (--custody).",
        f"{len(gone) + len(other)} of the {len(expected)} keys that this data needs are not here (listed above); nothing is restored. Give the custody file made with this backup.",
    )


def _describe_key(name: str) -> str:
    return next((f"{name} ({words})" for part, words in _KEY_TITLES.items() if part in name), name)


def install_keys(directory: Path, keys: Mapping[str, bytes], replaced_directory: Path) -> None:
    """Write the keys below `place`; those that were there are not lost but moved to `aside`."""
    for path in list(_find_key_files(directory)):
        kept = replaced_directory / path.relative_to(directory)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(path, kept)  # a service's folder may be a volume of its own
    for name, key in keys.items():
        path = directory / name
        for folder in reversed(
            [parent for parent in path.parents if parent.is_relative_to(directory)]
        ):
            folder.mkdir(mode=0o700, exist_ok=True)
        secret_files.write_private(path, key.decode())
