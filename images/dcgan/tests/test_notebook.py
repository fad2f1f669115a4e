"""JupyterLab's notebook, executed cell by cell in a real kernel on MNIST's own images.

Two things are other than on the machine: the package is a copy whose `mnist.json` names the tests' data file, and
one epoch of a few images is trained, on a processor. What this does not prove is that the pinned image of JupyterLab
has all that the notebook imports: the kernel here is the one of requirements.txt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from conftest import PACKAGE, DataFile, metrics_of

NOTEBOOK = PACKAGE.parent.parent / "templates/usr/share/lab/notebooks/dcgan.ipynb"
TINY = 'Settings(epochs=1, batch=8, limit=64, samples=4, device="cpu")'


def package_for(mnist: DataFile, folder: Path) -> Path:
    """A copy of the package that knows the tests' data file instead of the net's."""
    shutil.copytree(PACKAGE / "dcgan", folder / "dcgan", ignore=shutil.ignore_patterns("__pycache__"))
    known = folder / "dcgan/mnist.json"
    fields = json.loads(known.read_text("utf-8"))
    fields |= {"sha256": mnist.sha256, "size": mnist.path.stat().st_size}
    known.write_text(json.dumps(fields), "utf-8")
    return folder


def changed(source: str, before: str, after: str) -> str:
    """A cell's source with the one place changed that must be there."""
    assert source.count(before) == 1, f"the notebook no longer says {before}"
    return source.replace(before, after)


def executed(package: Path, work: Path) -> Any:
    """The notebook with the outputs of all its cells. Raises when one of them fails."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source = changed(code[0].source, '"/opt/dcgan"', repr(str(package)))
    code[2].source = changed(code[2].source, "Settings(epochs=5)", TINY)
    work.mkdir()
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(work)}})
    client.execute()
    assert all(cell.execution_count for cell in code)
    return code


def printed(cell: Any) -> str:
    """What a cell wrote to its standard output."""
    return "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stdout")


def pictures(cell: Any) -> int:
    """How many pictures a cell shows."""
    return sum("image/png" in out.get("data", {}) for out in cell.outputs)


def test_every_cell_of_the_notebook_works(mnist: DataFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_DATA", str(mnist.path))
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    # The kernel finds the package where the notebook says, and nowhere else.
    elsewhere = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(PACKAGE)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(elsewhere))
    code = executed(package_for(mnist, tmp_path / "package"), tmp_path / "work")
    assert [pictures(cell) for cell in code] == [0, 1, 0, 0, 1, 2, 1, 0]
    assert re.search(r"^tensorflow \S+ \w+ \[", printed(code[3]))
    assert re.search(r"^epoch +1: +[\d.]+ s, \d+% legible$", printed(code[3]), re.MULTILINE)
    assert re.search(r"% of 1000 digits are legible\n0 ", printed(code[7]))
    (epoch,) = metrics_of(tmp_path / "work/dcgan-run")
    assert epoch["epoch"] == 1
