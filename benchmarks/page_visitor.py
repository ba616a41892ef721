"""A web host and a visitor with a browser, for benchmarks/page.py."""

import gzip
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlparse

# Run in the page before its own script: counts faces on canvases.
COUNT = """
window.painted = [];
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...all) { painted.push(performance.now()); put.apply(this, all); };
"""


class Host(ThreadingHTTPServer):
    """A static host that compresses, and counts what it sends."""

    daemon_threads = True

    def __init__(self, files):
        self.files = {f"/{name}": (content, gzip.compress(content)) for name, content in files.items()}
        self.files["/"] = self.files["/index.html"]
        self.sent = []  # path, raw and compressed bytes
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/"

    def __enter__(self):
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path not in self.server.files:
            self.server.sent.append((self.path, 0, 0))
            return self.send_error(404)
        raw, packed = self.server.files[self.path]
        self.server.sent.append((self.path, len(raw), len(packed)))
        kinds = {"": "text/html", "html": "text/html", "js": "text/javascript", "css": "text/css", "wasm": "application/wasm"}
        self.send_response(200)
        self.send_header("Content-Type", kinds.get(self.path.rpartition(".")[2].strip("/"), "application/octet-stream"))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)

    def log_message(self, *_):
        pass


class Visitor:
    """Opens pages in one Chromium, and remembers the hosts that they ask and the errors that they report."""

    def __init__(self, browser):
        self.browser, self.hosts, self.errors = browser, set(), []

    @contextmanager
    def open(self, address, script="", size=(1280, 800), wait=True, **options):
        width, height = size
        phone = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2} if min(size) < 600 else {}
        viewport = {"width": width, "height": height}
        context = self.browser.new_context(viewport=viewport, accept_downloads=True, **phone, **options)
        page = context.new_page()
        page.add_init_script(COUNT + script)
        page.on("request", lambda request: self.hosts.add(urlparse(request.url).hostname or urlparse(request.url).scheme))
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" and wait else None)
        page.goto(address)
        if wait:
            until(page, "painted.length")
        yield page
        context.close()
        if self.errors and wait:
            sys.exit(f"the page reports: {self.errors}")


def until(page, condition, seconds=30):
    """Wait for a condition, in JavaScript (the page's content security policy forbids playwright's own way)."""
    for _ in range(50 * seconds):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise SystemExit(f"this never came true: {condition}")


def settle(page):
    """Wait until no face has been drawn for a while."""
    page.wait_for_timeout(100)
    until(page, "performance.now() - painted.at(-1) > 300")
