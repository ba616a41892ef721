"""A web server for the page of one's own generator, on this computer only."""

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "wasm": "application/wasm",
    "safetensors": "application/octet-stream",
}


class PageServer(ThreadingHTTPServer):
    """Serves some files, and nothing else, to browsers of this computer.

    Pages of other hosts whose name was made to lead here (DNS rebinding) are refused.

    Args:
        files: Contents by name; `index.html` is also the address itself.
        port: 0: any that is free.

    Attributes:
        address: Of the page.

    Raises:
        OSError: If the port is in use, or not allowed.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], port: int = 0):
        self.files = {f"/{name}": content for name, content in files.items()} | {"/": files["index.html"]}
        super().__init__(("127.0.0.1", port), _Handler)
        # Browsers leave out port 80.
        ending = "" if self.server_port == 80 else f":{self.server_port}"
        self.hosts = {f"127.0.0.1{ending}", f"localhost{ending}"}
        self.address = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request, client_address):
        """Say nothing: a browser has left before it had all."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        if self.headers.get("Host") not in self.server.hosts:
            return self.send_error(403)
        if path not in self.server.files:
            return self.send_error(404)
        content = self.server.files[path]
        self.send_response(200)
        self.send_header("Content-Type", _TYPES[path.rpartition(".")[2] if path != "/" else "html"])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")  # another generator may be next at this address
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *arguments):
        """Say nothing."""
