"""A Hugging Face Hub in a folder, for tests: the protocol that huggingface_hub 2.4 speaks, over real HTTP, without xet.

    python tests/local_hub.py FOLDER [--port 8765] [--part-size BYTES] [--page-size ROWS]

It writes its address as the first line of its output. `tests/conftest.py` starts it as the fixture `local_hub`;
`tests/integration/publish/test_local_hub.py` pins it to the real client. Two users have accounts:

    tester     writes to `tester` and `acme`     tokens: hf_write…, hf_read… (may only read), hf_expired…
    stranger   writes to `stranger`              token: hf_stranger…

Storage answers under another host name (`localhost` instead of `127.0.0.1`), as the Hub's does, so that a client that
sent its token there would be seen. Faults are ordered over HTTP (`POST /_faults`), and the next requests that match
have them: `status` answers with an error, `drop` hangs up after so many bytes of the body, `lost` does what was asked
and hangs up instead of answering, `cut` hangs up after so many bytes of the answer, `stall` stops reading after so many
bytes and holds on. `GET /_requests` has what was asked.
"""

import argparse
import base64
import fnmatch
import hashlib
import hmac
import json
import re
import secrets
import shutil
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml

TOKENS = {
    "hf_writeTokenOfTheLocalHub0123456789": ("tester", "write"),
    "hf_readTokenOfTheLocalHub01234567890": ("tester", "read"),
    "hf_expiredTokenOfTheLocalHub01234567": ("tester", "expired"),
    "hf_strangerTokenOfTheLocalHub0123456": ("stranger", "write"),
}
WRITES_TO = {"tester": ["tester", "acme"], "stranger": ["stranger"]}
LARGE = 10 * 1024**2
"""Files from here on are LFS whatever their name (bytes)."""
LFS_NAMES = """
*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy *.npz *.onnx *.ot
*.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar *.tflite *.tgz *.wasm *.xz
*.zip *.zst *tfevents*
"""
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_NAMES.split())
STALLED_FOR = 120
"""Seconds that a stalled request is held, unless its client goes first."""


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": message}
        self.headers = {"X-Error-Message": message.replace("\n", " ")} | headers
        if code:
            self.headers["X-Error-Code"] = code


class HangUp(Exception):
    """The connection is closed without a word."""


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def pointer(oid: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Repo:
    """One repository: a folder with its record, its small files and its LFS objects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kind, self.id = folder.parents[1].name, "/".join(folder.parts[-2:])
        self.row: dict[str, Any] = json.loads((folder / "repo.json").read_text())

    @staticmethod
    def create(folder: Path, *, private: bool) -> "Repo":
        (folder / "blobs").mkdir(parents=True)
        (folder / "lfs").mkdir()
        row = {"private": private, "created": now(), "commits": {}, "branches": {"main": None}, "tags": {}}
        (folder / "repo.json").write_text(json.dumps(row))
        repo = Repo(folder)
        files = {".gitattributes": repo.keep(ATTRIBUTES.encode())}
        repo.commit("main", files, "initial commit", "", "system")
        return repo

    def save(self) -> None:
        partial = self.folder / "repo.json.partial"
        partial.write_text(json.dumps(self.row, indent=1))
        partial.replace(self.folder / "repo.json")

    def keep(self, content: bytes) -> dict[str, Any]:
        oid = git_oid(content)
        (self.folder / "blobs" / oid).write_bytes(content)
        return {"oid": oid, "size": len(content), "lfs": None}

    def lfs_path(self, oid: str) -> Path:
        return self.folder / "lfs" / oid

    def commit(self, branch: str, files: dict[str, Any], title: str, message: str, author: str) -> str:
        parent = self.row["branches"].get(branch)
        row = {"parent": parent, "files": files, "title": title, "message": message, "author": author, "date": now()}
        oid = hashlib.sha1(json.dumps([row, secrets.token_hex(8)]).encode()).hexdigest()
        self.row["commits"][oid] = row
        self.row["branches"][branch] = oid
        self.save()
        return oid

    def resolve(self, revision: str) -> str:
        """Return the commit of a branch, a tag or (the beginning of) a hash."""
        tag = self.row["tags"].get(revision)
        found = tag["commit"] if tag else self.row["branches"].get(revision)
        if not found and re.fullmatch("[0-9a-f]{7,40}", revision):
            found = next((oid for oid in self.row["commits"] if oid.startswith(revision)), None)
        if not found:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return str(found)

    def files(self, commit: str) -> dict[str, Any]:
        return dict(self.row["commits"][commit]["files"])

    def content(self, entry: dict[str, Any]) -> bytes:
        path = self.lfs_path(entry["lfs"]) if entry["lfs"] else self.folder / "blobs" / entry["oid"]
        return path.read_bytes()

    def card(self, commit: str) -> dict[str, Any]:
        entry = self.files(commit).get("README.md")
        text = self.content(entry).decode() if entry else ""
        block = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, flags=re.S)
        data = yaml.safe_load(block[1]) if block else None
        return json.loads(json.dumps(data, default=str)) if isinstance(data, dict) else {}


def hub_tags(card: dict[str, Any]) -> list[str]:
    """Return a repository's tags as the Hub draws them from its card."""

    def several(name: str) -> list[str]:
        value = card.get(name) or []
        return [str(one) for one in (value if isinstance(value, list) else [value])]

    relation = card.get("base_model_relation") or ("adapter" if card.get("library_name") == "peft" else "finetune")
    found = [*several("library_name"), *several("tags"), *several("pipeline_tag"), *several("language")]
    found += [f"dataset:{name}" for name in several("datasets")]
    for base in several("base_model"):
        found += [f"base_model:{base}", f"base_model:{relation}:{base}"]
    found += [f"license:{name}" for name in several("license")] + ["region:us"]
    return list(dict.fromkeys(found))


def matches(path: str, patterns: list[str]) -> bool:
    name = path.rsplit("/", 1)[-1]
    return any(fnmatch.fnmatch(path if "/" in pattern else name, pattern) for pattern in patterns)


class Hub:
    """All repositories, the faults to come, and what was asked."""

    def __init__(self, folder: Path, part_size: int, page_size: int) -> None:
        self.folder, self.part_size, self.page_size = folder, part_size, page_size
        self.lock = threading.RLock()
        self.faults: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.secret = secrets.token_bytes(16)
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, kind: str, repo: str) -> Path:
        return self.folder / kind / repo

    def all(self, kind: str) -> list[Repo]:
        return [Repo(path.parent) for path in sorted((self.folder / kind).glob("*/*/repo.json"))]

    def fault(self, line: str) -> dict[str, Any] | None:
        with self.lock:
            for fault in self.faults:
                if fault["times"] and re.search(fault["match"], line):
                    fault["times"] -= 1
                    return fault
        return None

    def sign(self, text: str) -> str:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One request: who asks, what has gone wrong by order, and the answer."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        self.route, self.query = parts.path, parse_qs(parts.query)
        self.taken, self.answered = 0, False
        line = f"{self.command} {self.path}"
        own = self.route.startswith("/_")
        self.now_wrong = None if own else self.hub.fault(line)
        self.note = {"line": line, "status": None, "bytes": 0, "host": self.headers.get("Host", ""),
                     "token": "Authorization" in self.headers, "stalled": False}  # fmt: skip
        if not own:
            self.hub.requests.append(self.note)
        try:
            self.body = self.read_body()
            self.note["bytes"] = self.taken
            self.go()
        except (HangUp, ConnectionError, TimeoutError):
            self.note["bytes"] = self.taken
            self.close_connection = True
            self.connection.close()
        except Refusal as refusal:
            self.answer(refusal.body, refusal.status, **refusal.headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    def go(self) -> None:
        wrong = self.now_wrong or {}
        if wrong.get("kind") == "status":
            body = wrong.get("body", {"error": "Ordered by the test"})
            self.answer(body, wrong["status"], **wrong.get("headers", {}))
            return
        for method, pattern, name in ROUTES:
            found = re.fullmatch(pattern, self.route)
            if found and (method == self.command or (method == "GET" and self.command == "HEAD")):
                groups = {key: unquote(value) for key, value in found.groupdict().items() if value is not None}
                with self.hub.lock:
                    value = getattr(self, name)(**groups)
                if not self.answered:
                    self.answer(value)
                return
        raise Refusal(404, f"This local Hub has no route for {self.command} {self.route}")

    def read_body(self) -> bytes:
        wrong = self.now_wrong or {}
        limit = wrong.get("after", 0) if wrong.get("kind") in ("drop", "stall") else None
        kept = bytearray()
        for piece in self.pieces():
            kept += piece
            self.taken = len(kept)
            if limit is not None and self.taken >= limit:
                break
        if wrong.get("kind") == "stall":
            self.note |= {"stalled": True, "bytes": self.taken}
            self.wait_for_the_end()
        if limit is not None:
            raise HangUp
        return bytes(kept)

    def wait_for_the_end(self) -> None:
        deadline = time.monotonic() + STALLED_FOR
        while time.monotonic() < deadline:
            self.connection.settimeout(1)
            try:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                continue
            time.sleep(0.2)  # more is waiting to be read, and nobody reads it

    def pieces(self) -> Any:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                raise HangUp
            left -= len(piece)
            yield piece

    def answer(self, value: Any = None, status: int = 200, **headers: str) -> None:
        wrong = self.now_wrong or {}
        if wrong.get("kind") == "lost":
            raise HangUp
        content = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        headers = {name.replace("_", "-"): text for name, text in headers.items()}
        headers.setdefault(
            "Content-Type", "application/octet-stream" if isinstance(value, bytes) else "application/json"
        )
        headers.setdefault("Content-Length", str(len(content)))
        headers["X-Request-Id"] = secrets.token_hex(4)
        self.answered = True
        self.note["status"] = status
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: wrong["after"]] if wrong.get("kind") == "cut" else content)
        if wrong.get("kind") == "cut":
            raise HangUp

    # Who asks.

    def user(self) -> str | None:
        return self.token()[0]

    def token(self) -> tuple[str | None, str]:
        given = self.headers.get("Authorization", "")
        if not given:
            return None, "none"
        found = TOKENS.get(given.removeprefix("Bearer "))
        if found is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if found[1] == "expired":
            raise Refusal(401, "User Access Token is expired")
        return found

    def repo(self, kind: str, repo: str) -> Repo:
        """Return a repository that may be read: what may not be read is not there."""
        user, _ = self.token()
        path = self.hub.path(kind, repo)
        if (path / "repo.json").exists():
            found = Repo(path)
            if not found.row["private"] or repo.split("/")[0] in WRITES_TO.get(user or "", []):
                return found
        raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")

    def may_write(self, namespace: str, what: str) -> str:
        user, role = self.token()
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        if role != "write":
            raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
        if namespace not in WRITES_TO[user]:
            raise Refusal(403, f'You don\'t have the rights to {what} under the namespace "{namespace}"')
        return user

    def writable(self, kind: str, repo: str) -> Repo:
        found = self.repo(kind, repo)
        self.may_write(repo.split("/")[0], f"push to {repo}")
        return found

    # Accounts and repositories.

    def whoami(self) -> Any:
        user, role = self.token()
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        orgs = [{"type": "org", "name": name, "roleInOrg": "write"} for name in WRITES_TO[user] if name != user]
        auth = {"type": "access_token", "accessToken": {"displayName": "local", "role": role}}
        return {"type": "user", "id": user, "name": user, "fullname": user, "orgs": orgs, "auth": auth}

    def create(self) -> Any:
        asked = json.loads(self.body)
        user, _ = self.token()
        namespace = asked.get("organization") or user
        kind = f"{asked.get('type') or 'model'}s"
        self.may_write(namespace, f"create a {kind[:-1]}")
        repo = f"{namespace}/{asked['name']}"
        url = f"{self.base()}/{'' if kind == 'models' else kind + '/'}{repo}"
        if (self.hub.path(kind, repo) / "repo.json").exists():
            self.answer({"error": f"You already created this {kind[:-1]} repo", "url": url}, 409)
            return None
        Repo.create(self.hub.path(kind, repo), private=asked.get("visibility", "public") == "private")
        return {"url": url, "name": repo, "id": secrets.token_hex(12)}

    def delete(self) -> Any:
        asked = json.loads(self.body)
        repo = f"{asked.get('organization') or self.user()}/{asked['name']}"
        shutil.rmtree(self.writable(f"{asked.get('type') or 'model'}s", repo).folder)

    def settings(self, kind: str, repo: str) -> Any:
        found, asked = self.writable(kind, repo), json.loads(self.body)
        if "visibility" in asked or "private" in asked:
            found.row["private"] = asked.get("visibility") == "private" or asked.get("private") is True
            found.save()
        return {"private": found.row["private"]}

    def auth_check(self, kind: str, repo: str, write: str = "") -> Any:
        self.writable(kind, repo) if write else self.repo(kind, repo)
        return {}

    # Reading.

    def info(self, kind: str, repo: str, rev: str = "main") -> Any:
        found = self.repo(kind, repo)
        row = self.describe(found, found.resolve(rev), blobs="blobs" in self.query)
        wanted = self.query.get("expand")
        return {name: row[name] for name in ("_id", "id", *(wanted or row)) if name in row}

    def describe(self, repo: Repo, commit: str, *, blobs: bool) -> dict[str, Any]:
        card = repo.card(commit)
        siblings = []
        for path, entry in sorted(repo.files(commit).items()):
            row = {"rfilename": path}
            if blobs:
                row |= {"size": entry["size"], "blobId": entry["oid"]}
                if entry["lfs"]:
                    size = len(pointer(entry["lfs"], entry["size"]))
                    row["lfs"] = {"sha256": entry["lfs"], "size": entry["size"], "pointerSize": size}
            siblings.append(row)
        row = {
            "_id": hashlib.md5(repo.id.encode()).hexdigest()[:24], "id": repo.id, "author": repo.id.split("/")[0],
            "sha": commit, "lastModified": repo.row["commits"][commit]["date"], "createdAt": repo.row["created"],
            "private": repo.row["private"], "gated": False, "disabled": False, "downloads": 0, "likes": 0,
            "tags": hub_tags(card), "cardData": card, "siblings": siblings,
        }  # fmt: skip
        if repo.kind == "models":
            row["modelId"] = repo.id
            names = ("pipeline_tag", "library_name", "model-index")
            row |= {name: card[name] for name in names if card.get(name)}
        return row

    def listing(self, kind: str) -> Any:
        user, _ = self.token()
        seen = []
        for repo in self.hub.all(kind):
            owner = repo.id.split("/")[0]
            row = self.describe(repo, repo.resolve("main"), blobs=False)
            if (
                (not repo.row["private"] or owner in WRITES_TO.get(user or "", []))
                and owner == self.query.get("author", [owner])[0]
                and self.query.get("search", [""])[0].lower() in repo.id.lower()
                and set(self.query.get("filter", [])) <= {*row["tags"]}
            ):
                seen.append(self.listed(row))
        start = int(self.query.get("cursor", ["0"])[0])
        stop = start + min(self.hub.page_size, int(self.query.get("limit", ["1000"])[0]))
        headers = {}
        if stop < len(seen):
            rest = "&".join(f"{k}={quote(v)}" for k, values in self.query.items() if k != "cursor" for v in values)
            headers["Link"] = f'<{self.base()}/api/{kind}?{rest}{"&" if rest else ""}cursor={stop}>; rel="next"'
        self.answer(seen[start:stop], **headers)

    def listed(self, row: dict[str, Any]) -> dict[str, Any]:
        full = self.query.get("full") in (["true"], ["True"])
        names = ["likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt", "modelId"]
        names += ["author", "lastModified", "sha", "siblings", "gated", "disabled"] if full else []
        names += ["cardData"] if "cardData" in self.query else []
        names = self.query.get("expand", names)
        return {name: row[name] for name in ("_id", "id", *names) if name in row}

    def entry_row(self, path: str, entry: dict[str, Any]) -> dict[str, Any]:
        row = {"type": "file", "path": path, "size": entry["size"], "oid": entry["oid"]}
        if entry["lfs"]:
            size = len(pointer(entry["lfs"], entry["size"]))
            row["lfs"] = {"oid": entry["lfs"], "size": entry["size"], "pointerSize": size}
        return row

    def tree(self, kind: str, repo: str, rev: str, path: str = "") -> Any:
        found = self.repo(kind, repo)
        files = found.files(found.resolve(rev))
        below = {name: entry for name, entry in files.items() if not path or name.startswith(f"{path}/")}
        if path and not below:
            raise Refusal(404, f'{path} does not exist on "{rev}"', "EntryNotFound")
        depth = len(path.split("/")) if path else 0
        folders = {"/".join(name.split("/")[:end]) for name in below for end in range(depth + 1, name.count("/") + 1)}
        if self.query.get("recursive", ["false"])[0].lower() not in ("true", "1"):
            below = {name: entry for name, entry in below.items() if name.count("/") == depth}
            folders = {name for name in folders if name.count("/") == depth}
        rows = [{"type": "directory", "path": name, "size": 0, "oid": git_oid(name.encode())} for name in folders]
        rows += [self.entry_row(name, entry) for name, entry in below.items()]
        return sorted(rows, key=lambda row: row["path"])

    def paths_info(self, kind: str, repo: str, rev: str) -> Any:
        found = self.repo(kind, repo)
        files = found.files(found.resolve(rev))
        text = self.body.decode()
        asked = json.loads(text) if text.startswith("{") else parse_qs(text)
        rows = []
        for path in asked.get("paths", []):
            if path in files:
                rows.append(self.entry_row(path, files[path]))
            elif any(name.startswith(f"{path}/") for name in files):
                rows.append({"type": "directory", "path": path, "size": 0, "oid": git_oid(path.encode())})
        return rows

    def refs(self, kind: str, repo: str) -> Any:
        row = self.repo(kind, repo).row
        branches = [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": oid} for name, oid in row["branches"].items()
        ]
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": tag["commit"]}
            for name, tag in row["tags"].items()
        ]
        return {"branches": branches, "converts": [], "tags": tags, "pullRequests": []}

    def commits(self, kind: str, repo: str, rev: str) -> Any:
        found = self.repo(kind, repo)
        oid: str | None = found.resolve(rev)
        rows = []
        while oid:
            row = found.row["commits"][oid]
            rows.append({"id": oid, "title": row["title"], "message": row["message"], "date": row["date"],
                         "authors": [{"user": row["author"]}]})  # fmt: skip
            oid = row["parent"]
        return rows

    def file(self, repo: str, rev: str, path: str, kind: str = "models") -> Any:
        found = self.repo(kind, repo)
        commit = found.resolve(rev)
        entry = found.files(commit).get(path)
        if entry is None:
            raise Refusal(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit)
        if entry["lfs"]:
            oid = entry["lfs"]
            url = f"{self.storage()}/cdn/{kind}/{repo}/{oid}?signature={self.hub.sign(f'get {kind} {repo} {oid}')}"
            self.answer(None, 302, Location=url, X_Repo_Commit=commit, X_Linked_Etag=f'"{oid}"',
                        X_Linked_Size=str(entry["size"]), ETag=f'"{entry["oid"]}"')  # fmt: skip
        else:
            self.send_content(found.content(entry), X_Repo_Commit=commit, ETag=f'"{entry["oid"]}"')

    def cdn(self, kind: str, repo: str, oid: str) -> Any:
        self.signed(f"get {kind} {repo} {oid}")
        self.send_content(Repo(self.hub.path(kind, repo)).lfs_path(oid).read_bytes(), ETag=f'"{oid}"')

    def send_content(self, content: bytes, **headers: str) -> None:
        headers |= {"Accept_Ranges": "bytes", "Content_Disposition": "inline"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            self.answer(content, **headers)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if first >= len(content):
            raise Refusal(416, "Range Not Satisfiable", Content_Range=f"bytes */{len(content)}")
        self.answer(content[first : last + 1], 206, Content_Range=f"bytes {first}-{last}/{len(content)}", **headers)

    # Writing.

    def validate_yaml(self) -> Any:
        text = json.loads(self.body)["content"]
        block = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, flags=re.S)
        if not block:
            return {"warnings": [{"message": "empty or missing yaml metadata in repo card"}], "errors": []}
        try:
            data = yaml.safe_load(block[1])
        except yaml.YAMLError as error:
            self.answer({"errors": [{"message": f"YAML Metadata Error: {error}"}], "warnings": []}, 400)
            return None
        wrong = [] if data is None or isinstance(data, dict) else ["YAML Metadata Error: metadata must be a mapping"]
        licence = data.get("license") if isinstance(data, dict) else None
        if licence is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", str(licence)):
            wrong.append(f'"license" must be one of the Hub\'s identifiers, not {licence!r}')
        if wrong:
            self.answer({"errors": [{"message": message} for message in wrong], "warnings": []}, 400)
            return None
        return {"warnings": [], "errors": []}

    def preupload(self, kind: str, repo: str, rev: str) -> Any:
        found = self.writable(kind, repo)
        asked = json.loads(self.body)
        files = found.files(found.resolve(rev))
        patterns, ignored = self.lfs_patterns(found, files), asked.get("gitIgnore", "").split()
        rows = []
        for row in asked["files"]:
            path, there = row["path"], files.get(row["path"])
            binary = b"\0" in base64.b64decode(row["sample"])
            lfs = row["size"] > 0 and (matches(path, patterns) or row["size"] > LARGE or binary)
            told = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": matches(path, ignored)}
            if there:
                told["oid"] = there["lfs"] or there["oid"]
            rows.append(told)
        return {"files": rows}

    def lfs_patterns(self, repo: Repo, files: dict[str, Any]) -> list[str]:
        entry = files.get(".gitattributes")
        lines = repo.content(entry).decode().splitlines() if entry else []
        return [line.split()[0] for line in lines if "filter=lfs" in line]

    def batch(self, repo: str, kind: str = "models") -> Any:
        found = self.writable(kind, repo)
        return {
            "transfer": "basic",
            "objects": [self.upload_row(found, **row) for row in json.loads(self.body)["objects"]],
        }

    def upload_row(self, repo: Repo, oid: str, size: int) -> dict[str, Any]:
        row: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
        if repo.lfs_path(oid).exists():
            return row
        put = f"{self.storage()}/s3/{repo.kind}/{repo.id}/{oid}"
        if size <= self.hub.part_size:
            upload = {"href": f"{put}/0?signature={self.hub.sign(f'put {repo.kind} {repo.id} {oid} 0')}"}
        else:
            count = -(-size // self.hub.part_size)
            parts = {
                f"{part:05d}": f"{put}/{part}?signature={self.hub.sign(f'put {repo.kind} {repo.id} {oid} {part}')}"
                for part in range(1, count + 1)
            }
            done = f"signature={self.hub.sign(f'complete {repo.kind} {repo.id} {oid}')}"
            href = f"{self.base()}/api/complete_multipart/{repo.kind}/{repo.id}?{done}"
            upload = {"href": href, "header": {"chunk_size": str(self.hub.part_size), **parts}}
        prefix = "" if repo.kind == "models" else f"{repo.kind}/"
        verify = {"href": f"{self.base()}/{prefix}{repo.id}.git/info/lfs/objects/verify"}
        return row | {"actions": {"upload": upload, "verify": verify}}

    def s3(self, kind: str, repo: str, oid: str, part: str) -> Any:
        self.signed(f"put {kind} {repo} {oid} {part}")
        found = Repo(self.hub.path(kind, repo))
        if part == "0":
            self.store(found, oid, self.body)
        else:
            found.lfs_path(f"{oid}.{part}").write_bytes(self.body)
        self.answer(None, ETag=f'"{hashlib.md5(self.body).hexdigest()}"')

    def complete(self, kind: str, repo: str) -> Any:
        asked = json.loads(self.body)
        self.signed(f"complete {kind} {repo} {asked['oid']}")
        found = Repo(self.hub.path(kind, repo))
        paths = [found.lfs_path(f"{asked['oid']}.{part['partNumber']}") for part in asked["parts"]]
        for path, part in zip(paths, asked["parts"], strict=True):
            if part["etag"].strip('"') != hashlib.md5(path.read_bytes()).hexdigest():
                raise Refusal(400, "One of the parts has another etag")
        self.store(found, asked["oid"], b"".join(path.read_bytes() for path in paths))
        for path in paths:
            path.unlink()
        return {"success": True}

    def store(self, repo: Repo, oid: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refusal(400, "The content does not have this hash")
        partial = repo.lfs_path(f"{oid}.partial")
        partial.write_bytes(content)
        partial.replace(repo.lfs_path(oid))

    def verify(self, repo: str, kind: str = "models") -> Any:
        found, asked = self.writable(kind, repo), json.loads(self.body)
        path = found.lfs_path(asked["oid"])
        if not path.exists() or path.stat().st_size != asked["size"]:
            raise Refusal(404, "Object does not exist")
        return {}

    def commit(self, kind: str, repo: str, rev: str) -> Any:
        found = self.writable(kind, repo)
        user = self.user() or ""
        rows = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        header = rows[0]["value"]
        head = found.row["branches"].get(rev)
        if head is None:
            raise Refusal(404, f"Invalid rev id: {rev}", "RevisionNotFound")
        if header.get("parentCommit") not in (None, head):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = found.files(head)
        for row in rows[1:]:
            self.apply(found, files, row["key"], row["value"])
        oid = found.commit(rev, files, header["summary"], header.get("description", ""), user)
        prefix = "" if kind == "models" else f"{kind}/"
        return {"success": True, "commitOid": oid, "commitUrl": f"{self.base()}/{prefix}{repo}/commit/{oid}"}

    def apply(self, repo: Repo, files: dict[str, Any], key: str, value: dict[str, Any]) -> None:
        path = value["path"]
        if key == "file":
            files[path] = repo.keep(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            if not repo.lfs_path(value["oid"]).exists():
                raise Refusal(400, f"Your push was rejected: the LFS object {value['oid']} of {path} is not there")
            size = repo.lfs_path(value["oid"]).stat().st_size
            files[path] = {"oid": git_oid(pointer(value["oid"], size)), "size": size, "lfs": value["oid"]}
            if not matches(path, self.lfs_patterns(repo, files)):
                old = repo.content(files[".gitattributes"]) if ".gitattributes" in files else b""
                files[".gitattributes"] = repo.keep(old + f"{path} filter=lfs diff=lfs merge=lfs -text\n".encode())
        elif key == "deletedFile":
            if path not in files:
                raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            del files[path]
        elif key == "deletedFolder":
            for name in [name for name in files if name.startswith(f"{path.rstrip('/')}/")]:
                del files[name]
        else:
            raise Refusal(400, f"Unknown operation {key}")

    def tag(self, kind: str, repo: str, rev: str) -> Any:
        found, asked = self.writable(kind, repo), json.loads(self.body)
        if asked["tag"] in found.row["tags"]:
            raise Refusal(409, f"Tag reference exists already: refs/tags/{asked['tag']}")
        found.row["tags"][asked["tag"]] = {"commit": found.resolve(rev), "message": asked.get("message", "")}
        found.save()
        return {}

    def untag(self, kind: str, repo: str, rev: str) -> Any:
        found = self.writable(kind, repo)
        if found.row["tags"].pop(rev, None) is None:
            raise Refusal(404, f"Invalid rev id: {rev}", "RevisionNotFound")
        found.save()
        return {}

    def branch(self, kind: str, repo: str, rev: str) -> Any:
        found = self.writable(kind, repo)
        if rev in found.row["branches"]:
            raise Refusal(409, f"Reference already exists: refs/heads/{rev}")
        found.row["branches"][rev] = found.resolve(json.loads(self.body or b"{}").get("startingPoint") or "main")
        found.save()
        return {}

    # What tests ask.

    def put_faults(self) -> Any:
        self.hub.faults = json.loads(self.body)
        return {}

    def get_requests(self) -> Any:
        return self.hub.requests

    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def storage(self) -> str:
        return f"http://localhost:{self.server.server_address[1]}"

    def signed(self, text: str) -> None:
        if self.query.get("signature") != [self.hub.sign(text)]:
            raise Refusal(403, "AccessDenied: the signature does not match")


KIND = r"/api/(?P<kind>models|datasets)"
REPO = KIND + r"/(?P<repo>[^/]+/[^/]+)"
GIT = r"/(?:(?P<kind>datasets)/)?(?P<repo>[^/]+/[^/]+)"
STORED = r"/(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)"
ROUTES = [
    ("GET", "/api/whoami-v2", "whoami"),
    ("POST", "/api/repos/create", "create"),
    ("DELETE", "/api/repos/delete", "delete"),
    ("POST", "/api/validate-yaml", "validate_yaml"),
    ("POST", "/api/complete_multipart" + STORED, "complete"),
    ("GET", KIND, "listing"),
    ("GET", REPO, "info"),
    ("GET", REPO + "/revision/(?P<rev>[^/]+)", "info"),
    ("PUT", REPO + "/settings", "settings"),
    ("GET", REPO + "/auth-check(?:/(?P<write>write))?", "auth_check"),
    ("GET", REPO + "/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?", "tree"),
    ("POST", REPO + "/paths-info/(?P<rev>[^/]+)", "paths_info"),
    ("GET", REPO + "/refs", "refs"),
    ("GET", REPO + "/commits/(?P<rev>[^/]+)", "commits"),
    ("POST", REPO + "/preupload/(?P<rev>[^/]+)", "preupload"),
    ("POST", REPO + "/commit/(?P<rev>[^/]+)", "commit"),
    ("POST", REPO + "/tag/(?P<rev>[^/]+)", "tag"),
    ("DELETE", REPO + "/tag/(?P<rev>[^/]+)", "untag"),
    ("POST", REPO + "/branch/(?P<rev>[^/]+)", "branch"),
    ("POST", GIT + r"\.git/info/lfs/objects/batch", "batch"),
    ("POST", GIT + r"\.git/info/lfs/objects/verify", "verify"),
    ("GET", GIT + "/resolve/(?P<rev>[^/]+)/(?P<path>.+)", "file"),
    ("GET", "/cdn" + STORED + "/(?P<oid>[0-9a-f]{64})", "cdn"),
    ("PUT", "/s3" + STORED + r"/(?P<oid>[0-9a-f]{64})/(?P<part>\d+)", "s3"),
    ("POST", "/_faults", "put_faults"),
    ("GET", "/_requests", "get_requests"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="A Hugging Face Hub in a folder, for tests.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument(
        "--part-size", type=int, default=4 * 1024**2, help="larger LFS files go up in parts of so many bytes"
    )
    parser.add_argument("--page-size", type=int, default=1000, help="rows of a listing's page")
    given = parser.parse_args()
    Handler.hub = Hub(given.folder, given.part_size, given.page_size)
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
