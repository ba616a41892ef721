"""Run the notebook anew and keep its pictures, small enough for a repository: `python notebooks/refresh.py`, two minutes."""

import base64
import io
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOK = Path(__file__).with_name("ganime.ipynb")


def main():
    """Run it in an empty folder; the outputs of cells with the tag `remove_output` are too large to keep."""
    notebook = nbformat.read(NOTEBOOK, 4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.metadata.pop("execution", None)
        cell.outputs = [] if "remove_output" in cell.metadata.get("tags", []) else cell.outputs
        for data in (output.get("data", {}) for output in cell.outputs):
            if "image/png" in data:
                data["image/jpeg"] = _as_jpeg(data.pop("image/png"))
    nbformat.write(notebook, NOTEBOOK)
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size / 1000:.0f} kB")


def _as_jpeg(png):
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main()
