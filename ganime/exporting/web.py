"""The web page in which the visitor's browser draws the faces: its files, as a folder or joined to one HTML (no TensorFlow)."""

import base64
import gzip
import hashlib
import re
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganime.exporting.manifest import check_ours
from ganime.exporting.web_model import is_web_model, run_web_model, write_web_model
from ganime.files import atomic_folder, atomic_write
from ganime.generation.chain import Chain
from ganime.generation.edits import Edits

PAGE = Path(__file__).parent / "page"
MODEL = "generator.safetensors"
KERNEL = "kernel.wasm"
NAMES = ("index.html", "style.css", "app.js", "worker.js", KERNEL, MODEL)  # of a page's files
_SCRIPT, _STYLE = '<script type="module" src="app.js"></script>', '<link rel="stylesheet" href="style.css" />'
_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_BLOCK = re.compile(r'<script type="application/gzip" data-file="([\w.]+)">([^<]*)<')
_EXPORT_LIST = re.compile(r"export\{([\w ,]+)\};")


def place(output: Path):
    """Where to write a page, in a `with` statement, to become `output` when all is done: an HTML file or a folder.

    Raises:
        InputError: If the folder holds anything but an earlier page.
    """
    if output.suffix.lower() == ".html":
        return atomic_write(output)
    ours = is_web_model(output / MODEL)  # else it is somebody's own index.html
    return atomic_folder(output, check_ours(output, "|".join(map(re.escape, NAMES))) if ours else ())


def write(place: Path, chain: Chain, facts: Mapping[str, str], edits: Edits | None) -> None:
    """Write the page of a generator.

    Args:
        place: An empty folder, for a web server, or an HTML file, which works from the disk.
        chain: The generator, in float32 or smaller weights.
        facts: What the page says of it, from `ganime.exporting.facts.describe`.
        edits: Of this generator.
    """
    files = page_files(chain, facts, edits)
    if not place.is_dir():
        place.write_bytes(join_files(files))
        return
    for name, content in files.items():
        (place / name).write_bytes(content)


def run(page: Path, latents: np.ndarray) -> np.ndarray:
    """The images that a written page makes, by the model and the kernel that it holds: see `run_web_model`."""
    if page.is_dir():
        return run_web_model(page / MODEL, latents, page / KERNEL)
    packed = dict(_BLOCK.findall(page.read_text("utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        for name in (MODEL, KERNEL):
            Path(folder, name).write_bytes(gzip.decompress(base64.b64decode(packed[name])))
        return run(Path(folder), latents)


def page_files(chain: Chain, facts: Mapping[str, str], edits: Edits | None = None) -> dict[str, bytes]:
    """The files of the page of a generator, by their names, for a web server. Arguments as for `write`."""
    with tempfile.TemporaryDirectory() as folder:
        write_web_model(Path(folder, MODEL), chain, facts, edits)
        model = Path(folder, MODEL).read_bytes()
    page = (PAGE / "index.html").read_text("utf-8").replace(_SCRIPT, '<script defer src="app.js"></script>')
    made = {"index.html": page.encode(), "app.js": join_modules("app.js").encode(), MODEL: model}
    made[KERNEL] = seal((PAGE / KERNEL).read_bytes())
    return {name: made.get(name) or (PAGE / name).read_bytes() for name in NAMES}


def seal(kernel: bytes) -> bytes:
    """A WebAssembly module with one more section, which nothing reads, at its end: its last bytes are the CRC-32 of all before,
    as in the model, by which the worker sees damage."""
    content = kernel + b"\0\x0a\x05crc32"  # a custom section of 10 bytes: the length of its name, and its name
    return content + zlib.crc32(content).to_bytes(4, "little")


def join_modules(name: str) -> str:
    """The page's JavaScript module of a name and all that it imports as one script, which needs fewer requests than they do and
    no server: each module is a function that returns what it exports, in an object `modules`."""
    joined = {}

    def join(name):
        text = (PAGE / name).read_text("utf-8")
        for _, other in _IMPORT.findall(text):
            if other not in joined:
                join(other)
        names = {name: name for name in _EXPORT.findall(text)}
        for pair in (pair for pairs in _EXPORT_LIST.findall(text) for pair in pairs.split(",")):
            inside, outside = pair.split(" as ")
            names[outside] = inside
        text = _IMPORT.sub(r'const { \1 } = modules["\2"];\n', _EXPORT_LIST.sub("", _EXPORT.sub("", text)))
        exports = ", ".join(f"{outside}: {inside}" for outside, inside in names.items())
        joined[name] = f'modules["{name}"] = (() => {{\n{text}\nreturn {{ {exports} }};\n}})();\n'

    join(name)
    return '"use strict";\nconst modules = {};\n' + "".join(joined.values())


def join_files(files: Mapping[str, bytes]) -> bytes:
    """The files of a page as one HTML: style and script in it as they are, all others compressed."""
    style, script = files["style.css"].decode(), files["app.js"].decode()
    replaced = {
        "script-src 'self'": f"script-src {_source(script)}",
        "style-src 'self'": f"style-src {_source(style)}",
        "connect-src 'self'": "connect-src data:",
        _STYLE: f"<style>{style}</style>",
        f"    {_SCRIPT}\n": "",
        "  </body>": "".join(map(_embed, files.items())) + f"<script>{script}</script>\n  </body>",
    }
    page = re.sub(r' *<link rel="preload".*\n', "", (PAGE / "index.html").read_text("utf-8"))
    for before, after in replaced.items():
        page = page.replace(before, after)
    return page.encode()


def _embed(file):
    name, content = file
    if name in ("index.html", "app.js", "style.css"):
        return ""
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'<script type="application/gzip" data-file="{name}">{packed}</script>\n'


def _source(text):
    """How a content security policy names a script or a style in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
