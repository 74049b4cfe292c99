"""How many bytes wait in the kernel, on either end of a loopback connection. Where it does not tell, none do."""

import fcntl
import socket
import struct
import termios

_SOCK_DIAG = 4  # the netlink family
_BY_FAMILY = 20
_ANY = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_READ_QUEUE_AT = _HEADER.size + 4 + 48 + 4  # after state, addresses and timer of the socket
Address = tuple[str, int]


def unsent(sock: socket.socket) -> int:
    """Bytes written to `sock` that the far kernel has not acknowledged."""
    if sock.fileno() < 0:
        return 0
    try:
        return struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    except OSError:
        return 0


def unread(sock: socket.socket) -> int:
    """Bytes that the far kernel has taken from `sock` and the far process has not read yet."""
    try:
        here, far = sock.getsockname(), sock.getpeername()
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
            question = _question(far, here)
            kernel.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, 1, 1, 0) + question)
            answer = kernel.recv(8192)
    except (AttributeError, OSError):  # not Linux, no such permission, or the connection is gone
        return 0
    known = _HEADER.unpack_from(answer)[1] == _BY_FAMILY
    return struct.unpack_from("=I", answer, _READ_QUEUE_AT)[0] if known else 0


def _question(local: Address, remote: Address) -> bytes:
    ports = struct.pack(">HH", local[1], remote[1])
    hosts = b"".join(socket.inet_aton(address[0]) + bytes(12) for address in (local, remote))
    states = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY)
    return states + ports + hosts + struct.pack("=III", 0, _ANY, _ANY)
