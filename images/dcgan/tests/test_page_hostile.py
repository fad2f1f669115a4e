"""The page over folders that no good training leaves: it says what is wrong, and never fails itself."""

import json
import os
import random
from pathlib import Path

import pytest

from dcgan.page import epochs, fields, files, status, watch
from dcgan.page.app import Page
from dcgan.page.watch import NO_FOLDER, NO_STATE, Watch
from page_stand_in import RunFolder, answer, draw, picture

ADDRESSES = ("/", "/healthz", "/api/state", "/api/metrics", "/samples/0.png", "/samples/3.png", "/dcgan.gif")


def ask_everything(folder: Path) -> None:
    """Ask for all that there is; no answer may be an error of the page."""
    page = Page(folder, draw=draw)
    for address in ADDRESSES:
        reply = answer(page, "GET", address)
        assert reply.status_code in (200, 404), address
        if address.startswith("/api"):
            json.loads(reply.content, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.mark.parametrize("there", [False, True])
def test_nothing_yet_is_said_in_words(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    ask_everything(folder)
    said = Watch(folder).look()
    assert (said.state, said.problem) == (None, NO_STATE if there else NO_FOLDER)
    assert (said.epochs, said.samples, said.can_draw) == ((), {}, False)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"")
    ask_everything(tmp_path / "run")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON from line 1, column 1"),
        (b'{"format": 1, "phase": "trai', "not JSON from line 1"),
        (b"\xff\xfe\x00", "not text"),
        (b"[1]", "holds no JSON object"),
        (b"[" * 100_000, "not JSON|no training writes"),
        (b'{"epoch": ' + b"9" * 5000 + b"}", "no training writes"),
        (b'{"format": 2, "phase": "training"}', "format is 2, and this page knows format 1"),
        (b'{"phase": "training"}', "format is None"),
        (b'{"format": 1, "phase": "sleeping"}', "its phase is none of starting"),
        (b'{"format": 1, "phase": ["training"]}', "its phase is none of"),
        (b" " * (status.LIMIT + 1), "more than the"),
    ],
)
def test_a_broken_state_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    run = RunFolder(tmp_path / "run").trained(3)
    run.put("state.json", content)
    ask_everything(run.path)
    said = Watch(run.path).look()
    assert said.state is None
    assert said.problem is not None
    assert said.problem.startswith("reading state.json: ")
    assert any(part in said.problem for part in says.split("|"))
    assert len(said.epochs) == 3, "what can be read is shown"


def test_a_field_that_is_none_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(1)
    run.state(
        epoch="12",
        step=-1,
        seconds_left=float("nan"),
        images_per_second=float("inf"),
        updated=1e300,
        backend=7,
        devices=[None, {"name": "\ud800", "share": 2}, "x"] * 40,
        gain={"alone": {"GPU:0": "fast"}, "ratio": []},
        exit_code=True,
        message={"a": 1},
    )
    ask_everything(run.path)
    state = Watch(run.path).look().state
    assert state is not None
    assert (state["epoch"], state["step"], state["seconds_left"], state["updated"]) == (
        None,
        None,
        None,
        None,
    )
    assert (state["backend"], state["exit_code"], state["message"]) == (None, None, None)
    assert len(state["devices"]) == status.DEVICES
    assert state["devices"][1] == {
        "name": "?",
        "kind": None,
        "compute_capability": None,
        "memory_bytes": None,
        "share": None,
    }
    assert state["gain"] == {"alone": {"GPU:0": None}, "together": None, "ratio": None, "note": None}
    assert state["epochs"] == 50, "and what is right stays"


def test_a_last_line_that_is_half_written_waits_for_its_end(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(3)
    whole = run.row(4)
    with (run.path / "metrics.jsonl").open("ab") as metrics:
        metrics.write(whole[:40])
    looking = Watch(run.path)
    assert [row["epoch"] for row in looking.look().epochs] == [1, 2, 3]
    with (run.path / "metrics.jsonl").open("ab") as metrics:
        metrics.write(whole[40:])
    assert [row["epoch"] for row in looking.look().epochs] == [1, 2, 3, 4]


def test_losses_that_are_no_numbers_are_null(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(1)
    run.epoch(2, generator_loss=float("nan"), discriminator_loss=float("inf"), legible=7, digits=[1] * 11)
    ask_everything(run.path)
    row = Watch(run.path).look().epochs[-1]
    assert (row["generator_loss"], row["discriminator_loss"], row["legible"], row["digits"]) == (None,) * 4
    assert row["seconds"] == 30.5


def test_rows_are_in_order_and_the_later_line_holds(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    lines = [
        run.row(2),
        b"garbage\n",
        run.row(1),
        b"\n",
        run.row(2, seconds=9.0),
        b"[]\n",
        run.row(0),
        run.row(-3),
    ]
    assert [(row["epoch"], row["seconds"]) for row in epochs.rows(b"".join(lines))] == [(1, 30.5), (2, 9.0)]


def test_of_a_huge_metrics_file_only_the_end_is_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(0)
    path = run.path / "metrics.jsonl"
    with path.open("wb") as metrics:
        metrics.seek(2 * 2**30)
        metrics.write(b"\n" + run.row(70) + run.row(71))
    assert [row["epoch"] for row in Watch(run.path).look().epochs] == [70, 71]
    path.write_bytes(b"x" * (2 * epochs.LINE_LIMIT) + b"\n" + run.row(1))
    assert [row["epoch"] for row in Watch(run.path).look().epochs] == [1]


def test_what_is_no_file_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(3)
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(1, "PNG"))
    for name, spoil in (
        ("state.json", os.mkfifo),
        ("metrics.jsonl", os.mkdir),
        ("samples/epoch-0003.png", lambda path: path.symlink_to(secret)),
        ("dcgan.gif", os.mkfifo),
        ("run.json", os.mkdir),
    ):
        (run.path / name).unlink(missing_ok=True)
        spoil(run.path / name)
    ask_everything(run.path)
    page = Page(run.path)
    assert answer(page, "GET", "/samples/3.png").status_code == 404
    assert "state.json: it is not a plain file" in str(Watch(run.path).look().problem)


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(3)
    (run.path / "state.json").chmod(0)
    ask_everything(run.path)
    assert Watch(run.path).look().problem == "reading state.json: permission denied"


def test_a_picture_may_vanish_or_be_half_there(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(3)
    page = Page(run.path)
    assert "3" in answer(page, "GET", "/api/state").json()["pictures"]["samples"]
    (run.path / "samples/epoch-0003.png").unlink()
    assert answer(page, "GET", "/samples/3.png?v=1").status_code == 404
    run.put("samples/epoch-0002.png", picture(2, "PNG")[:-3])
    half = answer(page, "GET", "/samples/2.png")
    assert (half.status_code, half.json()) == (
        404,
        {"error": "reading epoch-0002.png: it is not a whole picture"},
    )
    assert half.headers["cache-control"] == "no-store"


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(1)
    for name, limit in (("dcgan.gif", watch.GIF_LIMIT), ("samples/epoch-0009.png", watch.PNG_LIMIT)):
        with (run.path / name).open("wb") as file:
            file.truncate(limit + 1)
    ask_everything(run.path)
    found = Watch(run.path).look()
    assert found.gif is None
    assert 9 not in found.samples


@pytest.mark.parametrize(
    "epoch",
    [
        "..",
        "1%2f..%2f2",
        "%2e%2e%2fstate",
        "-1",
        "1e3",
        "0x1",
        "99999999",
        "9" * 6000,
        "\uff11",
        "1%00",
        "%ff",
    ],
)
def test_no_name_from_outside_reaches_the_folder(tmp_path: Path, epoch: str) -> None:
    run = RunFolder(tmp_path / "run").trained(2)
    assert answer(Page(run.path), "GET", f"/samples/{epoch}.png").status_code == 404


def test_a_folder_with_very_many_entries_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LISTED", 5)
    run = RunFolder(tmp_path / "run").trained(20)
    assert len(Watch(run.path).look().samples) == 5


def test_any_bytes_are_borne(tmp_path: Path) -> None:
    chance = random.Random(7)
    run = RunFolder(tmp_path / "run").trained(2)
    good = {name: (run.path / name).read_bytes() for name in ("state.json", "metrics.jsonl", "run.json")}
    looking = Watch(run.path)
    for _ in range(400):
        name = chance.choice(list(good))
        run.put(name, spoiled(good[name], chance))
        found = looking.look()
        json.dumps([found.status(), found.pictures(), found.after(0)], allow_nan=False).encode()
        json.dumps(found.status(), ensure_ascii=False).encode()


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """Return the data with a piece cut out, bytes changed, or a value put in place of another."""
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.randrange(1, 30))
    values = [
        b"",
        b"NaN",
        b"-1e999",
        b"null",
        b'"\\ud800"',
        b"[[[",
        b"{}",
        b"1" * 400,
        bytes([chance.randrange(256)]),
    ]
    return data[:start] + chance.choice(values) + data[end:]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, None),
        ("1", None),
        (float("nan"), None),
        (10**400, None),
        (-(10**400), None),
        (None, None),
    ],
)
def test_a_number_is_a_finite_number(value: object, number: float | None) -> None:
    assert fields.number(value) == number


def test_a_read_is_bounded_though_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"0123456789")
    found = files.read(path, 4, tail=True)
    assert found is not None
    assert found.data == b"6789"
    with pytest.raises(files.Unreadable, match="reading grows: 10 bytes, more than the 4"):
        files.read(path, 4)
    assert files.read(tmp_path / "absent", 4) is None
    assert files.read(tmp_path / "grows" / "below", 4) is None
