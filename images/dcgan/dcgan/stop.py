"""Being asked to stop: by systemd (SIGTERM) or at the keyboard (SIGINT)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):  # Like KeyboardInterrupt: no library may take it for a failure of its own.
    """The signal came while there was nothing to save."""


class StopRequest:
    """Whether a signal came. Until `deferred` is set it also ends at once what runs, by `Stopped`."""

    def __init__(self) -> None:
        """No signal came yet."""
        self.came = False
        self.deferred = False

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Take note of the signal."""
        self.came = True
        if not self.deferred:
            raise Stopped


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Take SIGTERM and SIGINT over for a while. Only the main thread may do this."""
    request = StopRequest()
    previous = [signal.signal(number, request.handle) for number in _SIGNALS]
    try:
        yield request
    finally:
        for number, handler in zip(_SIGNALS, previous, strict=True):
            signal.signal(number, handler)
