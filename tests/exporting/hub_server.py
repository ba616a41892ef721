"""A model hub on the loopback: the part of its protocol that `huggingface_hub` uses to make, fill and read repositories.

Large files go the LFS way, which the library takes without hf_xet: batch, PUT, commit; and are served by a redirect, as there.
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

LICENSES = {"mit", "cc-by-4.0", "other"}
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
LARGE = (".keras", ".onnx", ".npz")


class Refused(Exception):
    """An answer other than success: its status, and the code and the message that the hub puts into headers.

    A message in JSON is the body instead.
    """

    def __init__(self, status, code="", message=""):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Hub:
    """The hub's state.

    Attributes:
        users: The user's name and the role of each token.
        commits: For each repository, as in `me/faces` or `spaces/me/faces`, its commits: dictionaries of files.
        sdks: Of the spaces.
        large: LFS objects by their SHA-256.
        requests: All that was asked, as in `GET /api/whoami-v2`.
    """

    def __init__(self):
        self.users = {"hf_me": ("me", "write"), "hf_reader": ("me", "read"), "hf_other": ("other", "write")}
        self.commits, self.sdks, self.large, self.requests = {}, {}, {}, []

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def files(self, repository, revision="main"):
        """The files of a repository at a revision, and its commit."""
        if repository not in self.commits:
            raise Refused(404, "RepoNotFound", "Repository not found")
        commits = self.commits[repository]
        hashes = [self.hash(repository, index) for index in range(len(commits))]
        if revision not in ("main", *hashes):
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        index = len(commits) - 1 if revision == "main" else hashes.index(revision)
        return commits[index], hashes[index]

    def hash(self, repository, index):
        """The name of a commit."""
        return hashlib.sha1(f"{repository} {index}".encode()).hexdigest()

    def put(self, repository, files):
        """Add a commit that holds these files and no others."""
        self.commits.setdefault(repository, []).append(dict(files))

    # What is asked for, by method and path.

    def whoami(self, user, body):
        """Whose token it is."""
        name, role = user
        return {"name": name, "orgs": [{"name": "our-club"}], "auth": {"accessToken": {"role": role}}}

    def create(self, user, body):
        space = body.get("type") == "space"
        repository = f"{'spaces/' if space else ''}{body['organization']}/{body['name']}"
        self.check_writer(user, repository)
        answer = {"url": f"{self.url}/{repository}"}
        if repository in self.commits:
            raise Refused(409, message=json.dumps(answer))
        self.put(repository, {".gitattributes": b"*.keras filter=lfs", **({"README.md": b"new"} if space else {})})
        if space:
            self.sdks[repository] = body["sdk"]
        return answer

    def validate(self, user, body):
        """The hub's checks of a card's metadata, as far as they are documented."""
        matter = yaml.safe_load(body["content"].split("---\n")[1])
        faults = []
        if matter.get("license", "other") not in LICENSES:
            faults.append('"license" must be one of a list')
        if matter.get("license") == "other" and "license_name" not in matter:
            faults.append('"license_name" is missing')
        if body["repoType"] == "space" and not (
            matter["sdk"] == "static" and {matter["colorFrom"], matter["colorTo"]} <= COLORS
        ):
            faults.append('"sdk" or "colorFrom" is not one of a list')
        if faults:
            raise Refused(400, message=json.dumps({"errors": [{"message": fault} for fault in faults]}))
        return {"errors": [], "warnings": []}

    def info(self, user, body, repository, revision="main"):
        files, commit = self.files(repository, revision)
        siblings = [{"rfilename": name} for name in files]
        return {"id": repository.removeprefix("spaces/"), "sha": commit, "siblings": siblings, "tags": [], "private": False}

    def tree(self, user, body, repository, revision):
        files, _ = self.files(repository, revision)
        return [{"type": "file", "path": name, "size": len(data), "oid": "0"} for name, data in files.items()]

    def preupload(self, user, body, repository):
        self.check_writer(user, repository)
        files, _ = self.files(repository)

        def describe(path):
            large = path.endswith(LARGE)
            data = files.get(path)
            git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() if data is not None else None
            oid = hashlib.sha256(data).hexdigest() if large and data is not None else git
            return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

        return {"files": [describe(file["path"]) for file in body["files"]]}

    def batch(self, user, body, repository):
        self.check_writer(user, repository)
        actions = [{"actions": {"upload": {"href": f"{self.url}/lfs/{item['oid']}"}}, **item} for item in body["objects"]]
        return {"transfer": "basic", "objects": actions}

    def commit(self, user, body, repository):
        self.check_writer(user, repository)
        files = dict(self.files(repository)[0])
        for key, value in ((line["key"], line["value"]) for line in body[1:]):
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            else:
                assert key == "deletedFile"
                del files[value["path"]]
        self.put(repository, files)
        commit = self.files(repository)[1]
        return {"success": True, "commitOid": commit, "commitUrl": f"{self.url}/{repository}/commit/{commit}"}

    def check_writer(self, user, repository):
        if user is None or user[0] != repository.split("/")[-2] or user[1] != "write":
            raise Refused(403, message="You don't have the rights to create a repo under this namespace")


_REPOSITORY, _REVISION = r"(?P<repository>(?:spaces/)?[\w.-]+/[\w.-]+?)", r"(?P<revision>\w+)"
_ROUTES = {
    "GET /api/whoami-v2": Hub.whoami,
    "POST /api/repos/create": Hub.create,
    "POST /api/validate-yaml": Hub.validate,
    f"GET /api/{_REPOSITORY}/revision/{_REVISION}": Hub.info,
    f"GET /api/{_REPOSITORY}/tree/{_REVISION}": Hub.tree,
    f"POST /api/{_REPOSITORY}/preupload/main": Hub.preupload,
    f"POST /api/{_REPOSITORY}/commit/main": Hub.commit,
    f"POST /{_REPOSITORY}.git/info/lfs/objects/batch": Hub.batch,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    hub: Hub

    def _answer(self):
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.command == "PUT":
                assert hashlib.sha256(content).hexdigest() == path.removeprefix("/lfs/")
                self.hub.large[path.removeprefix("/lfs/")] = content
                return self._send(200, b"")
            if path.startswith("/lfs/"):
                return self._send(200, self.hub.large[path.removeprefix("/lfs/")])
            if match := re.fullmatch(f"/{_REPOSITORY}/resolve/{_REVISION}/(?P<name>.+)", path):
                return self._resolve(**match.groupdict())
            lines = [json.loads(line) for line in content.splitlines()]
            body = lines if "ndjson" in self.headers.get("Content-Type", "") else next(iter(lines), None)
            self._send(200, json.dumps(self._route(path, body)).encode())
        except Refused as refused:
            in_body = refused.message.startswith("{")
            headers = {} if in_body else {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            self._send(refused.status, refused.message.encode() if in_body else b"", headers)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _route(self, path, body):
        for route, method in _ROUTES.items():
            if match := re.fullmatch(route, f"{self.command} {path.replace('/api/models/', '/api/')}"):
                return method(self.hub, self._user(), body, **match.groupdict())
        raise Refused(404, message=f"this hub does not know {self.command} {path}")

    def _user(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.users:
            raise Refused(401, message="Invalid credentials in Authorization header")
        return self.hub.users.get(token)

    def _resolve(self, repository, revision, name):
        self._user()
        files, commit = self.hub.files(repository, revision)
        if name not in files:
            raise Refused(404, "EntryNotFound", "Entry not found")
        data, headers = files[name], {"X-Repo-Commit": commit}
        if not name.endswith(LARGE):
            return self._send(200, data, {**headers, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'})
        digest = hashlib.sha256(data).hexdigest()
        self.hub.large[digest] = data
        location = f"{self.hub.url.replace('127.0.0.1', 'localhost')}/lfs/{digest}"  # as there, on another host
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data)), "Location": location}
        return self._send(302, b"", headers)

    def _send(self, status, data, headers=()):
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *words):
        pass
