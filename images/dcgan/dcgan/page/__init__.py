"""The page on which anyone watches the training.

It reads the run folder and nothing else, imports no machine-learning framework, and shows what it
finds: an empty, half-written or broken folder is said in words, it is never an error of the page.
The training writes, this reads: neither needs the other to run.

What it answers (errors are JSON, `{"error": "one line"}`):

`GET /`
    The page itself. Its parts are at `/static/{name}`.
`GET /healthz`
    `ok` while the server lives, whatever the training does.
`GET /api/state`
    `{"state", "problem", "settings", "run", "age_seconds", "can_draw", "pictures"}`. `state` is
    state.json with every field checked (null where there is none yet), `problem` one line on what is
    missing or broken, `age_seconds` how long ago the training last wrote, by this machine's clock.
    `pictures` is `{"samples": {"12": version, …}, "gif": version | null}`.
`GET /api/metrics?after=EPOCH`
    `{"run", "last", "epochs"}`: the rows of metrics.jsonl after that epoch (0: all). `run` differs
    when another training began: then ask again from 0. A loss that is no number is null.
`GET /samples/{epoch}.png?v=VERSION`, `GET /dcgan.gif?v=VERSION`
    Pictures. With the version that is current they may be cached for ever, else they are revalidated.
`POST /api/digits`
    `{"count": 1 … 64, "seed": 0 … 2**32 - 1 | null}` draws new digits from the newest checkpoint:
    `{"seed", "count", "epoch", "image", "digits": [{"image", "reads", "confidence"}, …]}`, images as
    base64 of a PNG. 409: no checkpoint that can be used; 429: another drawing is being made.
`GET /api/events`
    Server-sent events: `state`, `pictures` (as above) and `epochs`, `{"run", "reset", "epochs"}`,
    where `reset` says that earlier rows no longer hold. 503 when too many listen: poll instead.

It is meant for loopback behind an SSH tunnel: a request whose Host is not this machine's own name
for itself is refused, and so is a POST from another page (see `guard`).

Importing this package makes its ASGI stack importable (see `vendored`).
"""

from pathlib import Path

from dcgan.page import vendored

vendored.mount()


def serve(folder: Path, host: str, port: int) -> int:
    """Serve the page of the run in `folder` until SIGTERM or SIGINT; return the exit code.

    0 when it was asked to end; 75 when the address cannot be had now; 78 when it never can. The
    reason is one line on stderr. Port 0 takes a free one, which that line on stderr names.
    """
    from dcgan.page.server import serve as serve_here

    return serve_here(folder, host, port)
