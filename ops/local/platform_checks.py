"""Checks of this machine: platform, free ports, disk space.

Not here: checks of one server's own needs.
"""

import platform
import secrets
import shutil
import socket
from pathlib import Path

from ops.errors import ALTERNATIVES_EN, ALTERNATIVES_ID, OperatorError

LOOPBACK = "127.0.0.1"
MIB = 1024 * 1024
_OUTGOING_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_FIRST_OUTGOING_PORT = 32_768
_TEST_PORTS = range(20_000, 32_000)


def require_linux_x86_64() -> None:
    """Raise OperatorError unless the embedded mongod and JVM can run here."""
    seen = f"{platform.system()} {platform.machine()}"
    if seen != "Linux x86_64":
        raise OperatorError(
            f"Server bawaan hanya ada untuk Linux x86-64, mesin ini {seen}: {ALTERNATIVES_ID}.",
            f"The embedded servers exist for Linux x86-64 only, this machine is {seen}:"
            f" {ALTERNATIVES_EN}.",
        )


def require_space(directory: Path, mebibytes: int) -> None:
    """Raise OperatorError when the directory's disk has less than `mebibytes` MiB left."""
    free = shutil.disk_usage(_existing_ancestor(directory)).free // MIB
    if free < mebibytes:
        raise OperatorError(
            f"Ruang disk untuk {directory} tinggal {free} MiB, perlu {mebibytes} MiB:"
            " kosongkan disk, lalu ulangi.",
            f"The disk of {directory} has {free} MiB left and {mebibytes} MiB are needed:"
            " free some space, then try again.",
        )


def require_port(port: int, process: str, variable: str) -> None:
    """Raise OperatorError with the holder of the port when a loopback port is in use.

    `variable` is the one that moves the process to another port.
    """
    if _is_free(port):
        return
    holder = find_port_holder(port)
    if holder is None and _is_outgoing(port):
        raise OperatorError(
            f"Porta {port} untuk {process} sedang dipakai sambungan keluar mesin ini: ulangi"
            f" sebentar lagi, atau pilih porta lain dengan {variable} (di bawah"
            f" {_first_outgoing_port()}).",
            f"Port {port} of {process} is held by an outgoing connection of this machine: try"
            f" again in a moment, or choose another port with {variable} (below"
            f" {_first_outgoing_port()}).",
        )
    raise OperatorError(
        f"Porta {port} untuk {process} sedang dipakai {holder or 'proses milik pengguna lain'}:"
        f" hentikan proses itu, atau pilih porta lain dengan {variable}.",
        f"Port {port} of {process} is held by {holder or 'a process of another user'}:"
        f" stop it, or choose another port with {variable}.",
    )


def _is_outgoing(port: int) -> bool:
    """Return whether connections have this local port and no process listens on it."""
    import psutil  # absent from the services' images, which need the rest of this module

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return False
    states = [one.status for one in connections if one.laddr and one.laddr[1] == port]
    return bool(states) and psutil.CONN_LISTEN not in states


def _first_outgoing_port() -> int:
    """Return the first port that this machine gives to outgoing connections."""
    try:
        return int(_OUTGOING_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return _DEFAULT_FIRST_OUTGOING_PORT


def find_port_holder(port: int) -> str | None:
    """Return `name (pid N)` of the process that listens on the port, None if it is not visible."""
    import psutil  # absent from the services' images, which need the rest of this module

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr[1] == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return None
    return None


def find_free_ports(count: int) -> list[int]:
    """Return loopback ports that were free a moment ago.

    They lie below the range of outgoing connections, of which one could take the port first.
    """
    free_ports: set[int] = set()
    while len(free_ports) < count:
        free_ports.add(find_free_port_range(1))
    return list(free_ports)


def find_free_port_range(count: int) -> int:
    """Return the first of `count` consecutive loopback ports that were free a moment ago.

    They lie below the range of outgoing connections, of which one could take a port first.
    """
    while True:
        first = _TEST_PORTS.start + secrets.randbelow(len(_TEST_PORTS) - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _existing_ancestor(directory: Path) -> Path:
    while not directory.exists():
        directory = directory.parent
    return directory
