"""A collector that takes batches of events as Segment's does: ``POST /v1/batch``.

See https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ for form, limits and authentication.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

from scenarios.errors import DeliveryError, InputError
from scenarios.replays.bounded_http import connection_to, read_answer
from scenarios.replays.recorded_run import RecordedLine
from scenarios.replays.target import Receiver

_MOST_BYTES: Final = 500_000
_MOST_EVENT_BYTES: Final = 32 << 10
_ENVELOPE_BYTES: Final = 64
"""Bytes reserved for the JSON around the events of a batch."""

_DEFAULT_PATH: Final = "/v1/batch"
_TIMEOUT_S: Final = 30.0
"""Seconds for a request: to connect, to send a batch and to read the answer."""
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
# A collector that asks for an hour would look like a hang; five minutes show that it is alive.
_LONGEST_ASKED_S: Final = 300.0
_REQUEST_TIMEOUT, _TOO_MANY, _SERVER_ERROR = 408, 429, 500
_SHOWN: Final = 200
_MOST_ANSWER_BYTES: Final = 64 << 10
"""What is read of the body of an answer; a longer one costs a new connection."""
_PRINTABLE: Final = re.compile("[!-~]*")


class HttpTarget:
    """A collector at an address.

    A batch is acknowledged by a 2xx answer. On 408, 429, 5xx and when the connection fails it is sent again, after as
    long as ``Retry-After`` says, or twice as long each time. Where an answer is lost, the collector may get a batch
    twice; its events carry the same ``messageId``.

    Args:
        address: ``http://HOST:PORT`` or ``https://HOST``; a path other than ``/v1/batch`` may follow.
        receiver: Clock, write key and number of retries.

    Attributes:
        n_retries: How often a batch was sent again.

    Raises:
        InputError: The address is wrong.
    """

    def __init__(self, address: str, receiver: Receiver) -> None:
        self._url = _parsed(address)
        self._address = address
        self._receiver = receiver
        self._path = (self._url.path if self._url.path.strip("/") else _DEFAULT_PATH) + (
            f"?{self._url.query}" if self._url.query else ""
        )
        # Segment's API takes the write key as the user name of HTTP Basic, without a password.
        key = base64.b64encode(f"{receiver.write_key}:".encode(errors="surrogateescape")).decode()
        self._headers = {"Content-Type": "application/json", "User-Agent": "funnelsim", "Authorization": f"Basic {key}"}
        self._connection = connection_to(self._url)
        self.n_retries = 0

    @property
    def n_bytes(self) -> None:
        """None, because a collector is no file."""

    def refuses(self, line: RecordedLine) -> str:
        """Why a line can never be sent: broken JSON would break the batch, and large events are not taken."""
        if len(line.line) > _MOST_EVENT_BYTES:
            return "too_large"
        return "" if line.is_event else "broken"

    def fits(self, n_lines: int, n_bytes: int) -> bool:
        """Whether a batch stays below 500 KB."""
        return n_bytes + n_lines + _ENVELOPE_BYTES <= _MOST_BYTES  # a comma each

    def send(self, batch: Sequence[RecordedLine]) -> None:
        """Send a batch until it is acknowledged.

        Raises:
            DeliveryError: The collector refuses it, or does not take it after so many tries.
        """
        events = b",".join(line.line for line in batch)
        for n_tries in range(self._receiver.max_retries + 1):
            fault, asked_s = self._tried(events)
            if not fault:
                return
            if n_tries < self._receiver.max_retries:
                self.n_retries += 1
                wait_s = min(_FIRST_WAIT_S * 2**n_tries, _LONGEST_WAIT_S) if asked_s is None else asked_s
                self._receiver.announce(f"{self._address}: {fault}; trying again in {wait_s:g} s")
                self._receiver.clock.sleep(wait_s)
        raise DeliveryError(f"{self._address}: {fault}; given up after {self._receiver.max_retries} retries")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _tried(self, events: bytes) -> tuple[str, float | None]:
        """Send a batch once; return what went wrong, and after how many seconds the collector asks to be tried again.

        A connection that was kept open may have been closed at the other end since; that alone is no fault.
        """
        kept_open = self._connection.sock is not None
        try:
            try:
                return self._answer(events)
            except (http.client.RemoteDisconnected, ConnectionError):
                self.close()
                # A new connection that fails is a fault; an old one may only have timed out at the other end.
                if not kept_open:
                    raise
                return self._answer(events)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise DeliveryError(f"{self._address}: its certificate is not valid: {error.verify_message}") from error
        except TimeoutError:
            self.close()
            return f"does not answer within {_TIMEOUT_S:g} s", None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return (getattr(error, "strerror", None) or str(error).strip() or type(error).__name__)[:_SHOWN], None

    def _answer(self, events: bytes) -> tuple[str, float | None]:
        # The collector corrects clocks by sentAt, so it must be the moment of sending and not of the recording.
        sent_at = self._receiver.clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = b'{"batch":[' + events + b'],"sentAt":"' + sent_at.encode() + b'"}'
        self._connection.begin(_TIMEOUT_S)
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        # Read even if it is not shown: the connection can be used again only after the end of an answer.
        text = read_answer(response, _MOST_ANSWER_BYTES).decode("utf-8", "replace")
        if response.will_close or not response.isclosed():
            self.close()
        return self._judged(response, text)

    def _judged(self, response: http.client.HTTPResponse, text: str) -> tuple[str, float | None]:
        status = response.status
        if 200 <= status < 300:  # noqa: PLR2004 - as the standard has it
            return "", None
        answer = f"answers {status} {response.reason[:_SHOWN]}".rstrip()
        if status in {_REQUEST_TIMEOUT, _TOO_MANY} or status >= _SERVER_ERROR:
            return answer, self._asked_s(response.getheader("Retry-After"))
        place = response.getheader("Location")
        advice = f", and that it is at {place[:_SHOWN]}" if place else f": {text[:_SHOWN]}" if text else ""
        raise DeliveryError(f"{self._address}: {answer}{advice}")

    def _asked_s(self, header: str | None) -> float | None:
        """Seconds to wait, as the collector asks in seconds or by a date; what it asks for is bounded.

        Args:
            header: The value of ``Retry-After``; None where there is none.
        """
        if header is None:
            return None
        if header.strip().isdecimal():
            seconds = float(header)
        else:
            try:
                moment = parsedate_to_datetime(header)
            except ValueError:
                return None
            seconds = (_aware(moment) - self._receiver.clock.now()).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_ASKED_S)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parsed(address: str) -> SplitResult:
    try:
        url = urlsplit(address)
        # As the name goes to the resolver; it refuses empty and long labels.
        host = (url.hostname or "").encode("idna").decode()
        usable = bool(host) and bool(_PRINTABLE.fullmatch(host)) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"--to: must be http://HOST:PORT or https://HOST, perhaps with a path (got {address!r})")
    if not _PRINTABLE.fullmatch(url.path + url.query):
        raise InputError(f"--to: write the path with %-escapes, such as %C3%BC for ü (got {address!r})")
    if url.username or url.password:
        # A key in the address would be printed with it, and kept in the state file.
        raise InputError("--to: give the write key by --write-key or FUNNELSIM_WRITE_KEY, not in the address")
    return url
