"""What stands before every request.

The page is on loopback, and whoever can reach it may see it. What is to be kept out is other web
pages in the same browser: one that has its own name resolve to 127.0.0.1 (so Host must be a name by
which a machine calls itself), and one that posts blindly (so a POST must be JSON, from our own
origin). The answer's headers let nothing run that was not served from here.
"""

import asyncio
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dcgan.page.drawing import Refused

HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII)
ELSEWHERE = "this page answers to localhost, 127.0.0.1 and [::1] only: open it through the SSH tunnel"
BODY_LIMIT = 4096
BODY_SECONDS = 5.0

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Refuses what no page of ours would ask, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = refused(scope) if scope["type"] == "http" else None
        answer = self._app if refusal is None else refusal
        await answer(scope, receive, send_guarded)


def refused(scope: Scope) -> JSONResponse | None:
    """Return the refusal of a request by its headers, None where it may pass."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
        return error(421, ELSEWHERE)
    if scope["method"] != "POST":
        return None
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return error(415, "a POST to this page is to be application/json")
    if headers.get("origin", f"http://{hosts[0]}").lower() != f"http://{hosts[0]}".lower():
        return error(403, "a POST to this page comes from this page only")
    return None


def error(status: int, line: str) -> JSONResponse:
    """Return an error as every error here is told: one line of JSON."""
    return JSONResponse({"error": line}, status, {"cache-control": "no-store"})


async def body(request: Request) -> bytes:
    """Return the body of a request, bounded in size and in time; raises `Refused`."""
    try:
        return await asyncio.wait_for(_body(request), BODY_SECONDS)
    except TimeoutError:
        raise Refused(408, f"the request took longer than {BODY_SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise Refused(400, "the request broke off") from None


async def _body(request: Request) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > BODY_LIMIT:
            raise Refused(413, f"a request may have at most {BODY_LIMIT} bytes")
    return data
