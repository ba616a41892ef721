"""The web page: its files; what is refused; how it is served. `benchmarks/page.py` drives a browser."""

import base64
import gzip
import re
import urllib.error
import urllib.request
from threading import Thread

import numpy as np
import pytest

from ganime.errors import InputError
from ganime.exporting import web
from ganime.exporting.serve import PageServer
from ganime.generation import latents
from ganime.generation.chain import Chain, Layer
from ganime.generation.numpy_generator import NumpyGenerator


@pytest.fixture
def page():
    """The files of a page of a small generator."""
    return web.page_files(small_chain(), {"name": "tiny", "license": "MIT"})


def small_chain():
    sizes = [(4, 8, 6), (4, 6, 8), (4, 4, 6), (4, 3, 4)]
    random = np.random.RandomState(0)
    layers = [
        Layer(random.normal(0, 0.1, (side, side, out, into)).astype(np.float32), np.zeros(out, np.float32), 1 + (i > 0), 0.2)
        for i, (side, out, into) in enumerate(sizes)
    ]
    return Chain((*layers[:-1], Layer(layers[-1].kernel, layers[-1].bias, 2, None)))


def test_a_page_asks_no_other_host(page):
    text = b"".join(page[name] for name in page if name.endswith((".html", ".css", ".js"))).decode()
    hosts = {*re.findall(r"https?://([\w.-]+)", text)}
    assert hosts <= {"www.w3.org", "github.com", "arxiv.org"}  # a namespace, and comments
    policy = re.search(r'content="(default-src [^"]+)"', page["index.html"].decode())[1]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy


def test_a_page_in_one_file_holds_all_files(page):
    joined = web.join_files(page).decode()
    blocks = dict(re.findall(r'<script type="application/gzip" data-file="([\w.]+)">([\w+/=]+)</script>', joined))
    assert blocks.keys() == {"worker.js", "kernel.wasm", "generator.safetensors"}
    assert all(gzip.decompress(base64.b64decode(block)) == page[name] for name, block in blocks.items())
    assert not re.search(r'(src|href)="(?!#|data:)', joined)
    for kind in ("script", "style"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", joined, re.DOTALL)
        assert f"{kind}-src {web._source(content)}" in joined


def test_a_page_is_written_whole_and_over_a_page_only(tmp_path):
    def write(name, about):
        with web.place(tmp_path / name) as place:
            web.write(place, small_chain(), {"name": about}, None)

    write("page", "one")
    before = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    write("page", "another")
    after = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    assert before.keys() == after.keys() == {*web.NAMES}
    assert before[web.MODEL] != after[web.MODEL]
    (tmp_path / "page" / "mine.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("mine")
    for name in ("page", "other"):
        there = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        with pytest.raises(InputError):
            write(name, "a third")
        assert {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} == there
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "page"]


@pytest.mark.parametrize("name", ["page", "page.html"])
def test_a_written_page_makes_the_generators_faces(tmp_path, name):
    chain, points = small_chain(), latents.from_seeds(range(3), small_chain().latent_size)
    with web.place(tmp_path / name) as place:
        web.write(place, chain, {"name": "tiny"}, None)
    assert np.abs(web.run(tmp_path / name, points) - NumpyGenerator(chain)(points)).max() < 1e-5


def test_the_server_gives_a_page_to_this_computer_only(page):
    with PageServer(page) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with urllib.request.urlopen(server.address) as answer:
            assert answer.read() == page["index.html"] and answer.headers["Content-Type"].startswith("text/html")
        with urllib.request.urlopen(server.address + "kernel.wasm") as answer:
            assert answer.read() == page["kernel.wasm"] and answer.headers["Content-Type"] == "application/wasm"
            assert answer.headers["Cache-Control"] == "no-store"
        for path, host, code in (("../setup.cfg", None, 404), ("nothing.js", None, 404), ("", "evil.example", 403)):
            request = urllib.request.Request(server.address + path, headers={"Host": host} if host else {})
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(request)
            assert error.value.code == code
        server.shutdown()
