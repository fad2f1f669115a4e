"""The server: one process, one port, until it is asked to end."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from dcgan.failure import DONE, NEEDS_SOMEBODY, NOT_NOW
from dcgan.page.app import Page

GRACE = 1
"""Seconds that answers under way have to be finished when the server is to end."""

CONNECTIONS = 96


class Server(uvicorn.Server):
    """A server that ends the endless answers first, and for which a signal is no death but the end."""

    def __init__(self, config: uvicorn.Config, page: Page) -> None:
        """Serve `page` as `config` says."""
        super().__init__(config)
        self._page = page

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; called in place of a signal's own action."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then all else."""
        self._page.feed.close()
        await super().shutdown(sockets)


def server(page: Page) -> Server:
    """Return a server of the page, without a socket yet."""
    config = uvicorn.Config(
        page.app(),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config, page)


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises `OSError` or, for a port that there cannot be, `OverflowError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def serve(folder: Path, host: str, port: int) -> int:
    """Serve the page of `folder` at `host`:`port` until a signal; return the exit code."""
    shown = f"[{host}]" if ":" in host else host
    try:
        listening = bind(host, port)
    except (OSError, OverflowError, UnicodeError) as error:
        return _unbound(f"{shown}:{port}", error)
    with listening:
        address = f"http://{shown}:{listening.getsockname()[1]}/"
        print(f"the page of {folder} is at {address}", file=sys.stderr, flush=True)
        asyncio.run(server(Page(folder)).serve([listening]))
    return DONE


def _unbound(address: str, error: Exception) -> int:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    now = isinstance(error, OSError)
    advice = "end what holds it, or choose another --port" if now else "choose a --port from 0 to 65535"
    print(f"opening the page at {address}: {reason.lower()}; {advice}", file=sys.stderr, flush=True)
    return NOT_NOW if now else NEEDS_SOMEBODY
