"""The notebook, run as a reader does it, in a kernel; with fewer and simpler steps of training, of smaller networks."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

PATH = ROOT / "notebooks" / "ganime.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(PATH, 4)


def test_it_is_small_and_its_links_lead_somewhere(notebook):
    assert PATH.stat().st_size < 300_000
    nbformat.validate(notebook)
    for cell in notebook.cells:
        for link in re.findall(r"\]\((.+?)\)", cell.source if cell.cell_type == "markdown" else ""):
            assert (PATH.parent / link).exists(), link


def test_it_runs_and_shows_what_it_should(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.delenv(name, raising=False)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    (training,) = (cell for cell in cells if "STEPS = 600" in cell.source)
    small = "image_size=32, generator_widths=(16, 8, 8), discriminator_widths=(8, 8, 16), r1_weight=0, augmentations=()"
    training.source = training.source.replace("STEPS = 600", "STEPS = 6").replace("image_size=32", small)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    bar, grid = training.outputs
    assert 'value="6" max="6"' in bar.data["text/html"] and "6 of 6" in bar.data["text/plain"]
    assert "image/jpeg" in grid.data
    shown = [{kind for output in cell.outputs for kind in output.get("data", ())} for cell in cells]
    assert sum("image/png" in kinds for kinds in shown) == 3  # faces at once, one's own, and edited ones
    assert [*("image/gif" in kinds for kinds in shown)].count(True) == 1
    (walk,) = (cell for cell in cells if "animate" in cell.source)
    assert "data:image/gif" in walk.outputs[0].data["text/html"]
    (runs,) = (cell for cell in cells if cell.source == "ganime.runs()")
    assert runs.outputs[0].data["text/plain"].startswith("drawn: step 6, d_loss ")
