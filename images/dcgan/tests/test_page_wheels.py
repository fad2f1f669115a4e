"""The ASGI stack that travels with the package: what is listed is what is there, and it runs as it lies."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dcgan.page import vendored

WHEELS = vendored.WHEELS
LOCK = re.compile(r"^(\S+)==(\S+) \\\n    --hash=sha256:([0-9a-f]{64})$", re.MULTILINE)
MOST_BYTES = 1_000_000
LICENCE = re.compile(r"\.dist-info/.*LICEN[CS]E")
# A need of older Pythons, of Windows or of an extra is none of ours.
NEED = re.compile(r"^Requires-Dist: ([\w-]+)(?!.*(?:extra ==|\"3\.11\"|Windows|win32))", re.MULTILINE)
PURE = "-py3-none-any.whl"


def locked() -> dict[str, str]:
    """Return the digest of each wheel as wheels.txt gives it, by file name."""
    found = LOCK.findall((WHEELS / "wheels.txt").read_text(encoding="utf-8"))
    return {f"{name.replace('-', '_')}-{version}{PURE}": digest for name, version, digest in found}


def test_the_list_names_the_files_and_their_digests() -> None:
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in WHEELS.glob("*.whl")}
    assert there == locked()
    assert {path.name for path in vendored.listed()} == there.keys()
    assert {path.name for path in WHEELS.iterdir()} == there.keys() | {"wheels.txt"}


def test_they_are_small_and_pure_python() -> None:
    assert sum(path.stat().st_size for path in WHEELS.glob("*.whl")) < MOST_BYTES
    for path in vendored.listed():
        names = zipfile.ZipFile(path).namelist()
        assert not [name for name in names if name.endswith((".so", ".pyd", ".dll"))]
        assert [name for name in names if LICENCE.search(name)], f"{path.name} has no licence"


def test_each_has_all_that_it_needs_among_them() -> None:
    names = {path.name.split("-")[0].replace("_", "-").lower() for path in vendored.listed()}
    for path in vendored.listed():
        wheel = zipfile.ZipFile(path)
        (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        needs = NEED.findall(wheel.read(metadata).decode())
        assert {need.replace("_", "-").lower() for need in needs} <= names, path.name


BARE = """
import sys
sys.path[:0] = {paths!r}
import dcgan.page
from dcgan.page.server import server
from dcgan.page.app import Page
from pathlib import Path
server(Page(Path("nowhere")))
for name in ("starlette", "uvicorn", "anyio", "h11", "click", "idna", "typing_extensions"):
    __import__(name)
    print(name, sys.modules[name].__file__)
heavy = {{"tensorflow", "jax", "keras", "torch", "PIL"}} & sys.modules.keys()
assert not heavy, heavy
"""


def test_they_run_as_they_lie_where_nothing_else_is_installed(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    # Only NumPy and Pillow, by links, so that nothing that lies beside them is importable.
    for package in Path(numpy.__file__).parents[1].iterdir():
        if package.name.lower().startswith(("numpy", "pil", "pillow")):
            (tmp_path / package.name).symlink_to(package)
    script = BARE.format(paths=[str(WHEELS.parent), str(tmp_path)])
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    python = str(base) if base.exists() else sys.executable
    bare = subprocess.run([python, "-I", "-S", "-B", "-c", script], capture_output=True, text=True, timeout=60)
    assert bare.returncode == 0, bare.stderr
    lines = bare.stdout.split("\n")[:-1]
    assert len(lines) == 7
    assert all(str(WHEELS) in line for line in lines), bare.stdout


def test_a_stack_that_is_nowhere_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendored, "NEEDED", ("no_such_module_here",))
    with pytest.raises(ModuleNotFoundError, match=r"neither installed nor among the wheels in .*; lay the folder"):
        vendored.mount(tmp_path)
