"""The page's API: what each address answers on a good run folder, and who may ask."""

import json
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import httpx
import pytest

from dcgan.page.app import FOR_EVER, REVALIDATE, Page
from dcgan.page.events import changes
from dcgan.page.fields import TEXT_LIMIT
from dcgan.page.watch import Watch
from page_stand_in import JSON, RunFolder, answer, draw, events, picture, served, until


def test_the_page_and_all_its_parts_are_served_from_here(page: Page) -> None:
    index = answer(page, "GET", "/")
    assert index.status_code == 200
    assert "http" not in index.text.replace("http-equiv", ""), "an address outside"
    for part in ("page.css", "page.js", "chart.js", "icon.svg"):
        assert answer(page, "GET", f"/static/{part}").status_code == 200
    assert "javascript" in answer(page, "GET", "/static/page.js").headers["content-type"]
    for absent in ("nothing.js", "..%2fapp.py", "%2e%2e/app.py", "app.py"):
        assert answer(page, "GET", f"/static/{absent}").status_code == 404


def test_every_answer_forbids_what_is_not_from_here(page: Page) -> None:
    for address in ("/", "/healthz", "/api/state", "/samples/1.png", "/nowhere", "/samples/99.png"):
        headers = answer(page, "GET", address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_the_state_is_passed_on_with_its_age_and_pictures(run_folder: RunFolder, page: Page) -> None:
    run_folder.state(updated=time.time() - 40)
    said = answer(page, "GET", "/api/state").json()
    assert said["problem"] is None
    assert 39 < said["age_seconds"] < 45
    assert said["state"]["phase"] == "training"
    assert said["state"]["devices"][0]["compute_capability"] == "6.1"
    assert said["settings"] == {"recipe": "fast", "batch": 256, "seed": 1, "device": "auto", "epochs": 50}
    assert said["can_draw"] is True
    assert sorted(said["pictures"]["samples"], key=int) == [str(epoch) for epoch in range(13)]
    assert said["pictures"]["gif"] is None


def test_a_state_from_the_future_has_no_negative_age(run_folder: RunFolder, page: Page) -> None:
    run_folder.state(updated=time.time() + 900)
    assert answer(page, "GET", "/api/state").json()["age_seconds"] == 0


def test_metrics_are_given_after_an_epoch(page: Page) -> None:
    everything = answer(page, "GET", "/api/metrics").json()
    assert [row["epoch"] for row in everything["epochs"]] == list(range(1, 13))
    some = answer(page, "GET", "/api/metrics?after=10").json()
    assert [row["epoch"] for row in some["epochs"]] == [11, 12]
    assert (some["last"], some["run"]) == (12, everything["run"])
    assert answer(page, "GET", "/api/metrics?after=12").json()["epochs"] == []
    assert answer(page, "GET", "/api/metrics?after=99").json()["epochs"] == []


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 5000, "\u0663", ""])
def test_an_epoch_that_is_none_is_refused(page: Page, after: str) -> None:
    refusal = answer(page, "GET", "/api/metrics", params={"after": after})
    assert refusal.status_code == 400
    assert refusal.json() == {"error": "after is to be the number of an epoch"}


def test_another_run_has_another_name_and_a_resume_keeps_it(run_folder: RunFolder) -> None:
    watch = Watch(run_folder.path)
    before = watch.look().run
    run_folder.epoch(13)
    run_folder.state(epoch=13)
    assert watch.look().run == before
    run_folder.settings(seed=2)
    assert watch.look().run != before


def test_a_picture_may_be_kept_for_ever_under_its_version_only(run_folder: RunFolder, page: Page) -> None:
    version = answer(page, "GET", "/api/state").json()["pictures"]["samples"]["7"]
    current = answer(page, "GET", f"/samples/7.png?v={version}")
    assert current.headers["content-type"] == "image/png"
    assert current.headers["cache-control"] == FOR_EVER
    assert current.content == (run_folder.path / "samples/epoch-0007.png").read_bytes()
    for address in ("/samples/7.png", "/samples/7.png?v=other"):
        assert answer(page, "GET", address).headers["cache-control"] == REVALIDATE
    again = answer(page, "GET", "/samples/7.png", headers={"if-none-match": current.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    run_folder.put("samples/epoch-0007.png", picture(200, "PNG"))
    replaced = answer(page, "GET", "/samples/7.png", headers={"if-none-match": current.headers["etag"]})
    assert replaced.status_code == 200


def test_the_gif_is_served_once_it_is_there(run_folder: RunFolder, page: Page) -> None:
    assert answer(page, "GET", "/dcgan.gif").status_code == 404
    run_folder.put("dcgan.gif", picture(9, "GIF"))
    assert answer(page, "GET", "/dcgan.gif").headers["content-type"] == "image/gif"
    assert answer(page, "GET", "/api/state").json()["pictures"]["gif"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8890", "[::1]:1", "LOCALHOST:65535", "[::1]"])
def test_the_machine_answers_to_its_own_names(page: Page, host: str) -> None:
    assert answer(page, "GET", "/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.example",
        "localhost:x",
        "",
        "[::2]",
        "0.0.0.0",
        "localhost\t",
    ],
)
def test_another_host_is_refused(page: Page, host: str) -> None:
    for method, address in (("GET", "/"), ("POST", "/api/digits"), ("GET", "/samples/1.png")):
        refusal = answer(page, method, address, headers={"host": host})
        assert refusal.status_code == 421
        assert "SSH tunnel" in refusal.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        (JSON | {"origin": "http://evil.example"}, 403),
        (JSON | {"origin": "null"}, 403),
        (JSON | {"origin": "http://localhost:1"}, 403),
        (JSON | {"origin": "https://localhost:8890"}, 403),
        (JSON | {"origin": "http://localhost:8890"}, 400),
        ({"content-type": "application/json; charset=utf-8"}, 400),
    ],
)
def test_a_post_comes_from_this_page_only(page: Page, headers: dict[str, str], status: int) -> None:
    assert answer(page, "POST", "/api/digits", content=b"{}", headers=headers).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_else_takes_anything(page: Page, method: str) -> None:
    refusal = answer(page, method, "/api/state", headers=JSON)
    assert refusal.status_code == 405
    assert answer(page, "GET", "/api/digits").status_code == 405


def test_events_tell_the_whole_and_then_what_is_new(run_folder: RunFolder) -> None:
    with served(Page(run_folder.path, draw=draw, period=0.05)) as address, closing(events(address)) as heard:
        first = dict(next(heard) for _ in range(3))
        assert first.keys() == {"state", "pictures", "epochs"}
        assert len(first["epochs"]["epochs"]) == 12
        run_folder.epoch(13)
        news = next(said for name, said in heard if name == "epochs")
        assert (news["reset"], [row["epoch"] for row in news["epochs"]]) == (False, [13])


def test_only_so_many_may_listen_and_a_place_is_given_back(run_folder: RunFolder) -> None:
    with (
        served(Page(run_folder.path, listeners=2, period=0.05)) as address,
        closing(events(address)) as first,
        closing(events(address)) as second,
    ):
        next(first)
        next(second)
        refusal = httpx.get(f"{address}/api/events")
        assert refusal.status_code == 503
        assert "2 are listening already" in refusal.json()["error"]
        first.close()
        assert until(lambda: heard_at(address))


def heard_at(address: str) -> bool:
    """Whether one more may listen."""
    with httpx.stream("GET", f"{address}/api/events", timeout=10) as stream:
        return stream.status_code == 200


def test_changes_are_those_and_no_others(run_folder: RunFolder) -> None:
    watch = Watch(run_folder.path)
    before = watch.look()
    assert list(changes(before, watch.look())) == []
    assert names(changes(before, watch.look(), overdue=True)) == ["state"]
    run_folder.epoch(13)
    after = watch.look()
    assert names(changes(before, after)) == ["pictures", "epochs"]
    (told,) = [document(one) for one in changes(before, after) if b"event: epochs" in one]
    assert (told["reset"], [row["epoch"] for row in told["epochs"]]) == (False, [13])


def test_the_events_can_be_asked_about_without_listening(page: Page) -> None:
    assert answer(page, "HEAD", "/api/events").status_code == 200


def test_dropped_rows_are_told_as_a_reset(run_folder: RunFolder) -> None:
    watch = Watch(run_folder.path)
    before = watch.look()
    run_folder.put("metrics.jsonl", b"".join(run_folder.row(epoch) for epoch in range(1, 11)))
    (told,) = [document(one) for one in changes(before, watch.look()) if b"event: epochs" in one]
    assert told["reset"] is True
    assert len(told["epochs"]) == 10


def names(events: Iterable[bytes]) -> list[str]:
    """Return the names of events."""
    return [event.split(b"\n")[0].removeprefix(b"event: ").decode() for event in events]


def document(event: bytes) -> dict[str, Any]:
    """Return what an event says."""
    said: dict[str, Any] = json.loads(event.split(b"data: ", 1)[1])
    return said


def test_a_long_message_is_cut_to_a_line(run_folder: RunFolder, page: Page) -> None:
    run_folder.state(phase="failed", message="a\nb\x00\x1b[31m" + "x" * 100_000, exit_code=78)
    message = answer(page, "GET", "/api/state").json()["state"]["message"]
    assert message.startswith("a b")
    assert len(message) == TEXT_LIMIT
    assert message.isprintable()
