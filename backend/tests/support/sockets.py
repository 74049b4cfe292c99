"""Plain TCP on loopback: exact reads and writes, and the three ways to go away (FIN, RST, silence)."""

import asyncio
import contextlib
import os
import random
import socket
import struct

from tests.support.queues import unread, unsent
from tests.support.waiting import until

LOOPBACK = "127.0.0.1"


def listening(port: int = 0, backlog: int = 1024) -> socket.socket:
    """A socket that listens on loopback and does not block."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((LOOPBACK, port))
    sock.listen(backlog)
    return sock


async def accepted(listener: socket.socket) -> socket.socket:
    """The next connection to `listener`."""
    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def connected(port: int, receive_buffer: int | None = None) -> socket.socket:
    """A connection to `port`. A small `receive_buffer` (bytes) lets the far side feel soon that nobody reads."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (LOOPBACK, port))
    except BaseException:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def read(sock: socket.socket, most: int = 65536) -> bytes:
    """What has come, at most `most` bytes; empty when the far side is gone, in whatever way."""
    try:
        return await asyncio.get_running_loop().sock_recv(sock, most)
    except ConnectionError:
        return b""


async def write(sock: socket.socket, data: bytes) -> None:
    """Hand all of `data` to the kernel.

    Raises:
        ConnectionError: the far side is gone.
    """
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def everything_from(port: int) -> tuple[bytes, bool]:
    """All bytes of a response, and whether it ended with a reset."""
    got = b""
    with await connected(port) as sock:
        await write(sock, b"GET / HTTP/1.1\r\n\r\n")
        try:
            while data := await asyncio.get_running_loop().sock_recv(sock, 65536):
                got += data
        except ConnectionResetError:
            return got, True
        return got, False


async def delivered(sock: socket.socket, timeout: float = 5) -> None:
    """Return when the far side's kernel has everything that was written, or after `timeout` (its window is full)."""
    with contextlib.suppress(AssertionError):
        await until(lambda: unsent(sock) == 0, "written bytes are delivered", timeout=timeout, every=0.001)


async def taken(sock: socket.socket, timeout: float = 1) -> None:
    """Return when the far process (on this machine) has read everything that was written, or after `timeout`."""
    with contextlib.suppress(AssertionError):
        await until(lambda: unsent(sock) + unread(sock) == 0, "written bytes are read", timeout=timeout, every=0.0002)


def fin(sock: socket.socket) -> None:
    """Close in the polite way."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    _close(sock)


def reset(sock: socket.socket) -> None:
    """Close with a RST. What the far side's kernel already has, it can still read."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _close(sock)


def _close(sock: socket.socket) -> None:
    """Close, also where somebody still waits to read: the loop must not watch a number that is given again."""
    if sock.fileno() >= 0:
        with contextlib.suppress(RuntimeError):  # no loop runs here
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock.fileno())
            loop.remove_writer(sock.fileno())
    sock.close()


def free_port() -> int:
    """A port that nothing listens on, outside the range from which the kernel takes those of outgoing connections.

    Each of pytest's workers has its share of them: none takes one that another's service is about to come back to.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for port in random.SystemRandom().sample(range(20_000 + worker, 32_000, workers), 200):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            try:
                sock.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port on loopback")
