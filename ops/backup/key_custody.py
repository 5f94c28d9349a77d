"""The keys of an installation, stored apart from its data: two holders open them together.

Without the keys a restored database is unreadable. If one person had the keys and the data, the
encryption would protect nothing. A backup therefore contains only fingerprints of the keys.

Custody is three age files: the keys (`<id>.keys.age`), encrypted for a key pair of this backup
alone, and one share of its private key for each holder (`<id>.<holder>.share.age`). Both shares
are needed. Not here: the data, and the age format (encryption).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pyrage import x25519

from ops.backup import encryption
from ops.backup.encryption import NotForUs
from ops.errors import OperatorError
from ops.language import Bilingual
from ops.local import secret_files, topology

HOLDER_COUNT = 2
KEYS_SUFFIX = ".keys.age"
SHARE_SUFFIX = ".share.age"
# Passwords of this installation's servers: a restored installation has servers of its own.
_EXCLUDED_SUFFIXES = ("mongo-password", "_mongo_url", "_kafka_password")
_KEY_TITLES = {
    "master_key": Bilingual("kunci NIK dan nama", "key of NIK and names"),
    "lookup_key": Bilingual("kunci pencarian NIK", "key of the NIK lookup"),
    "name_key": Bilingual("kunci nama pada sertifikat", "key of names on certificates"),
    "keys_dir": Bilingual("kunci penerbit sertifikat", "key of a certificate issuer"),
}


def fingerprint(name: str, key: bytes) -> str:
    """Return a fingerprint that identifies a key and does not reveal a random one."""
    return hashlib.sha256(b"bina key fingerprint\0" + name.encode() + b"\0" + key).hexdigest()[:32]


def fingerprints(keys: Mapping[str, bytes]) -> dict[str, str]:
    """Return each key's fingerprint by its name."""
    return {name: fingerprint(name, key) for name, key in sorted(keys.items())}


def find_keys(directory: Path) -> dict[str, bytes]:
    """Return every key of the installation in this directory, by its relative path."""
    paths = sorted(_find_key_files(directory))
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


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
    """Return every key of the installation; `issuers` are the certificate issuers, (LSP, name).

    Raises OperatorError with the keys that the data needs but that are missing.
    """
    keys = find_keys(directory)
    needed = [
        f"secrets/{service.name}/{service.name}_{name}"
        for service in topology.PROCESSES
        for name in ("signing_key", "audit_key", *service.keys)
    ]
    needed += [f"certification/keys_dir/{lsp}/{name}.pem" for lsp, name in issuers]
    missing = [name for name in needed if name not in keys]
    if missing:
        listed = _list_keys(missing, [])
        raise OperatorError(
            f"Di {directory} tidak ada {len(missing)} kunci yang diperlukan data ini: cadangan "
            "tanpa kunci tidak dapat dipakai, tidak ada yang dibuat. Tunjukkan tempatnya dengan "
            f"BINA_DIR.\n{listed.indonesian}",
            f"{directory} lacks {len(missing)} keys that this data needs: a backup without them "
            "cannot be used, none was made. Name their directory in BINA_DIR.\n"
            f"{listed.english}",
        )
    return keys


def write_custody(
    directory: Path,
    id_: str,
    keys: Mapping[str, bytes],
    holders: Sequence[tuple[str, x25519.Recipient]],
) -> Path:
    """Write the keys and the two shares; return the file of the keys."""
    custody_key = encryption.new_identity()
    texts = {name: b64encode(value).decode() for name, value in sorted(keys.items())}
    content = encryption.encrypt_as_text(json.dumps(texts).encode(), custody_key.to_public())
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for (name, public), share in zip(holders, encryption.split(custody_key), strict=True):
        share_file = directory / f"{id_}.{name}{SHARE_SUFFIX}"
        secret_files.write_private(share_file, encryption.encrypt_as_text(share, public))
    keys_file = directory / f"{id_}{KEYS_SUFFIX}"
    secret_files.write_private(keys_file, content)
    return keys_file


def remove_custody(directory: Path, id_: str) -> None:
    """Remove the custody files of a backup that was not completed."""
    for path in directory.glob(f"{id_}.*.age"):
        path.unlink()


def open_custody(keys_file: Path, holder_keys: Sequence[x25519.Identity]) -> dict[str, bytes]:
    """Return the keys; reads the shares in the directory of the file.

    Raises OperatorError when a holder's key is missing or a file is missing or damaged.
    """
    try:
        return _open_custody(keys_file, holder_keys)
    except OSError as error:
        raise OperatorError(
            f"Berkas kunci {keys_file} tidak dapat dibaca: {error.strerror}.",
            f"The custody file {keys_file} cannot be read: {error.strerror}.",
        ) from error
    except (NotForUs, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            f"Berkas kunci {keys_file} rusak, terpotong atau diubah.",
            f"The custody file {keys_file} is damaged, truncated or changed.",
        ) from error


def _open_custody(keys_file: Path, holder_keys: Sequence[x25519.Identity]) -> dict[str, bytes]:
    encrypted = keys_file.read_bytes()
    id_ = keys_file.name.removesuffix(KEYS_SUFFIX)
    share_files = sorted(keys_file.parent.glob(f"{id_}.*{SHARE_SUFFIX}"))
    if len(share_files) != HOLDER_COUNT:
        raise OperatorError(
            f"Di samping {keys_file} harus ada bagian kunci kedua pemegang "
            f"({id_}.<pemegang>{SHARE_SUFFIX}); ada {len(share_files)}.",
            f"The shares of both holders must be beside {keys_file} "
            f"({id_}.<holder>{SHARE_SUFFIX}); {len(share_files)} are there.",
        )
    shares = {path: _open_share(path, holder_keys) for path in share_files}
    absent = [
        path.name.removeprefix(f"{id_}.").removesuffix(SHARE_SUFFIX)
        for path, share in shares.items()
        if share is None
    ]
    if absent:
        raise OperatorError(
            f"Kunci pemegang {' dan '.join(absent)} belum diberikan: kedua pemegang harus hadir, "
            "masing-masing dengan --holder-key.",
            f"The key of holder {' and '.join(absent)} is missing: both holders must be present, "
            "each with --holder-key.",
        )
    share, other_share = (share or b"" for share in shares.values())
    content = encryption.decrypt(encrypted, encryption.join(share, other_share))
    return {
        _require_relative_path(name): b64decode(value)
        for name, value in json.loads(content).items()
    }


def _open_share(path: Path, holder_keys: Sequence[x25519.Identity]) -> bytes | None:
    """Return the share, or None when none of these keys opens it."""
    encrypted = path.read_bytes()
    for private in holder_keys:
        try:
            return encryption.decrypt(encrypted, private)
        except NotForUs:
            continue
    return None


def _require_relative_path(name: str) -> str:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(name)
    return name


def require_keys(expected: Mapping[str, str], keys: Mapping[str, bytes] | None) -> None:
    """Raise OperatorError with every needed key that is missing or has another fingerprint.

    `expected` has the fingerprints by name. `keys` is None if no custody file was given.
    """
    given = fingerprints(keys or {})
    missing = [name for name in expected if name not in given]
    different = [name for name in expected if name in given and given[name] != expected[name]]
    if not missing and not different:
        return
    listed = _list_keys(missing, different)
    count = len(missing) + len(different)
    raise OperatorError(
        f"{count} dari {len(expected)} kunci yang diperlukan data ini tidak ada. Tanpa kunci itu "
        f"data tidak terbaca; tidak ada yang dipulihkan:\n{listed.indonesian}\n"
        "Berikan berkas kunci yang dibuat bersama cadangan ini (--custody).",
        f"{count} of the {len(expected)} keys that this data needs are missing or different. "
        f"Without them the data is unreadable; nothing is restored:\n{listed.english}\n"
        "Give the custody file that was made with this backup (--custody).",
    )


def _list_keys(missing: Iterable[str], different: Iterable[str]) -> Bilingual:
    """Return a line for each key."""
    lines = [_describe_key(name, Bilingual("tidak ada", "missing")) for name in missing]
    lines += [_describe_key(name, Bilingual("kunci lain", "another key")) for name in different]
    return Bilingual(
        "\n".join(line.indonesian for line in lines), "\n".join(line.english for line in lines)
    )


def _describe_key(name: str, problem: Bilingual) -> Bilingual:
    titles = [title for fragment, title in _KEY_TITLES.items() if fragment in name]
    if not titles:
        return Bilingual(f"  {problem.indonesian}: {name}", f"  {problem.english}: {name}")
    return Bilingual(
        f"  {problem.indonesian}: {name} ({titles[0].indonesian})",
        f"  {problem.english}: {name} ({titles[0].english})",
    )


def install_keys(directory: Path, keys: Mapping[str, bytes], replaced_directory: Path) -> None:
    """Write the keys into the installation; move existing ones to `replaced_directory`."""
    for path in list(_find_key_files(directory)):
        replaced = replaced_directory / path.relative_to(directory)
        replaced.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(path, replaced)  # a service's folder may be a volume of its own
    for name, key in keys.items():
        path = directory / name
        parents = [parent for parent in path.parents if parent.is_relative_to(directory)]
        for folder in reversed(parents):
            folder.mkdir(mode=0o700, exist_ok=True)
        secret_files.write_private(path, key.decode())
