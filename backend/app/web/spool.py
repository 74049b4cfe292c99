"""A large body to a file without a name: nothing of it is left, whatever happens to the request or the process."""

import asyncio
import errno
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from app.errors import StorageError, StorageFull
from app.web.json_body import check_is_json

PIECE_BYTES = 2**20  # written at a time: a gibibyte in a thousand trips to a thread
MAX_SECONDS = 3600.0  # for all of a body: a gibibyte over a slow line; nobody holds the place for longer

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@asynccontextmanager
async def spooled(request: Request, folder: Path) -> AsyncGenerator[BinaryIO]:
    """The body of `request`, which must be JSON by its headers, in a file beside what is in `folder`.

    Raises:
        HTTPException: 415; 413, above the limit of its path; 408, it came too slowly; 400, not to its end.
        StorageFull, StorageError: there is no room for it.
    """
    check_is_json(request)
    file = await asyncio.to_thread(_open, folder)
    try:
        await _take(request, file)
        yield file
    finally:
        await asyncio.to_thread(file.close)


async def _take(request: Request, file: BinaryIO) -> None:
    waiting: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(MAX_SECONDS):
            async for chunk in request.stream():
                waiting.append(chunk)
                size += len(chunk)
                if size >= PIECE_BYTES:
                    await asyncio.to_thread(_write, file, b"".join(waiting))
                    waiting, size = [], 0
            await asyncio.to_thread(_write, file, b"".join(waiting))
    except TimeoutError as error:
        raise HTTPException(408) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The file was cut off.") from error  # nobody reads this; it is no fault of ours


def _open(folder: Path) -> BinaryIO:
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError as error:
        raise _trouble(error) from error


def _write(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[_written(file, rest) :]
    except OSError as error:
        raise _trouble(error) from error


def _written(file: BinaryIO, data: memoryview) -> int:
    """How many bytes the disk took at once."""
    return file.write(data)


def _trouble(error: OSError) -> StorageError:
    if error.errno in _NO_ROOM:
        return StorageFull("There is no room on the server's disk for the file. Make room, then try again.")
    return StorageError("The file cannot be put down on the server's disk at the moment. Try again.", retry_after=5)
