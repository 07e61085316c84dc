"""HTTP connections to a collector that nobody vouches for: a request has one deadline, and its answer a size.

The timeout of a socket is for each call, so that a collector could hold a request for ever with a byte now and then;
and what it sends before the end of its headers has no size.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any, Final
from urllib.parse import SplitResult

_BLOCK_BYTES: Final = 16_384
_MOST_BYTES: Final = 128 << 10
"""Bytes of an answer that are taken from the network at most: headers, and as much of the body as is asked for."""


class _Limit:
    """What is left to one request.

    Args:
        seconds: Until its deadline.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.n_bytes = _MOST_BYTES

    def left_s(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: It has passed.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    """Bytes from a socket, within the limit of the request."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, limit: _Limit) -> None:
        self._raw, self._sock, self._limit = raw, sock, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer
        if not self._limit.n_bytes:
            raise http.client.HTTPException(f"has sent {_MOST_BYTES:,} bytes without coming to the end of its answer")
        self._sock.settimeout(self._limit.left_s())
        n = self._raw.readinto(memoryview(buffer)[: self._limit.n_bytes])
        self._limit.n_bytes -= n or 0
        return n

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, limit: _Limit, method: str | None) -> None:
        super().__init__(sock, method=method)
        self.fp: io.BufferedReader = io.BufferedReader(_Reader(self.fp.detach(), sock, limit))


class _Bounded(http.client.HTTPConnection):
    """A connection whose requests have a deadline each."""

    def begin(self, seconds: float) -> None:
        """Begin a request.

        Args:
            seconds: Until its answer must be read, connecting and sending included.
        """
        self._limit = _Limit(seconds)
        self.timeout = seconds
        # A class in the eyes of http.client, which only calls it.
        self.response_class = self._response  # type: ignore[assignment]

    def _response(self, sock: socket.socket, _debuglevel: int = 0, *, method: str | None = None) -> _Response:
        return _Response(sock, self._limit, method)

    def send(self, data: Any) -> None:  # noqa: ANN401 - bytes, as all that is sent here
        """Send bytes before the deadline."""
        if self.sock is None:
            self.connect()
        for begin in range(0, len(data), _BLOCK_BYTES):
            # Of each block anew: sending through TLS has a timeout for each of many calls.
            self.sock.settimeout(self._limit.left_s())
            super().send(data[begin : begin + _BLOCK_BYTES])


class _BoundedTls(_Bounded, http.client.HTTPSConnection):
    pass


def connection_to(url: SplitResult) -> _Bounded:
    """Return a connection to a host, which is opened with the first request.

    Args:
        url: Its address.
    """
    return (_BoundedTls if url.scheme == "https" else _Bounded)(url.hostname or "", url.port)


def read_answer(response: http.client.HTTPResponse, n_bytes: int) -> bytes:
    """Read the beginning of an answer's body.

    Args:
        response: The answer.
        n_bytes: How much to read at most; of a longer one the rest is left.

    Raises:
        http.client.IncompleteRead: The connection has ended before the body.
    """
    body = response.read(n_bytes)
    if len(body) < n_bytes and response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body
