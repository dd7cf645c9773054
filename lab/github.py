"""A stand-in for GitHub over a real git repository: what the service asks, answered alike.

Raw content at a SHA, the contents API, commit statuses and issue comments, with GitHub's checks
and error texts where the service could meet them. Source: https://docs.github.com/en/rest
"""

from __future__ import annotations

import itertools
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from lab.processes import run

MAX_DESCRIPTION = 140
MAX_COMMENT = 65_536


class Repository:
    """A git repository with a `main` branch; every commit can be read by its SHA."""

    def __init__(self, path: Path, name: str = "team/packages", private: bool = False) -> None:
        self.path = path
        self.name = name
        self.private = private
        path.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.name", "lab")
        self._git("config", "user.email", "lab@example.org")

    def commit(self, files: Mapping[str, str], branch: str = "main", message: str = "Edit") -> str:
        """Write files on a branch, made from `main` where it is missing; give the new SHA."""
        known = self._git("branch", "--list", branch, "main").split()
        if branch in known:
            self._git("checkout", "--quiet", branch)
        elif known:
            self._git("checkout", "--quiet", "-b", branch, "main")
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text, encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head(branch)

    def head(self, branch: str = "main") -> str:
        """Give the SHA of a branch's newest commit."""
        return self._git("rev-parse", branch).strip()

    def merge(self, branch: str, message: str = "Merge") -> str:
        """Merge a branch into `main`; give the merge commit's SHA."""
        self._git("checkout", "--quiet", "main")
        self._git("merge", "--quiet", "--no-ff", "--message", message, branch)
        return self.head()

    def read(self, ref: str, path: str) -> str | None:
        """Give a file at a commit, None if there is none."""
        done = run(["git", "-C", str(self.path), "show", f"{ref}:{path}"], check=False)
        return done.stdout if done.returncode == 0 else None

    def knows(self, sha: str) -> bool:
        """Tell whether there is such a commit."""
        command = ["git", "-C", str(self.path), "cat-file", "-e", f"{sha}^{{commit}}"]
        return run(command, check=False).returncode == 0

    def _git(self, *arguments: str) -> str:
        return run(["git", "-C", str(self.path), *arguments]).stdout


@dataclass
class Canned:
    """An answer for the next request whose path matches; `release` ends the wait before it."""

    pattern: str
    status: int = 500
    body: Any = field(default_factory=lambda: {"message": "Server Error"})
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None


@dataclass(frozen=True)
class Call:
    """One request that came in."""

    method: str
    path: str
    authorization: str | None


class GitHub:
    """The HTTP side. `token`, if set, is the one that is valid; `rights` may be taken from it."""

    def __init__(
        self, repository: Repository, token: str | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.repository = repository
        self.token = token
        self.address = address
        self.rights = True
        self.calls: list[Call] = []
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self._canned: list[Canned] = []
        self._numbers = itertools.count(1)
        self._server = make_server(address, 0, self._app(), threaded=True)

    @classmethod
    @contextmanager
    def running(
        cls, repository: Repository, token: str | None = None, address: str = "127.0.0.1"
    ) -> Iterator[Self]:
        """Serve until the block ends."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        github = cls(repository, token, address)
        thread = threading.Thread(target=github._server.serve_forever, name="github", daemon=True)
        thread.start()
        try:
            yield github
        finally:
            for canned in github._canned:
                if canned.release:
                    canned.release.set()
            github._server.shutdown()
            github._server.server_close()
            thread.join()

    @property
    def api_url(self) -> str:
        """The base of the REST API, as on GitHub Enterprise Server."""
        return f"http://{self.address}:{self._server.server_port}/api/v3"

    @property
    def raw_url(self) -> str:
        """The base of raw content."""
        return f"http://{self.address}:{self._server.server_port}/raw"

    def answer_next(self, pattern: str, **canned: Any) -> Canned:
        """Answer the next request whose path matches `pattern` with this instead."""
        self._canned.append(Canned(pattern, **canned))
        return self._canned[-1]

    # --- HTTP -----------------------------------------------------------------------------

    def _app(self) -> Flask:
        app = Flask("lab.github", static_folder=None)
        app.before_request(self._intercept)
        api = "/api/v3/repos/<owner>/<name>"
        mine = f"/api/v3/repos/{self.repository.name}"
        app.add_url_rule("/raw/<owner>/<name>/<sha>/<path:path>", view_func=self._raw)
        app.add_url_rule(f"{api}/contents/<path:path>", view_func=self._contents)
        app.add_url_rule(f"{mine}/statuses/<sha>", view_func=self._add_status, methods=["POST"])
        app.add_url_rule(f"{mine}/commits/<sha>/statuses", view_func=self._list_statuses)
        app.add_url_rule(
            f"{mine}/issues/<int:number>/comments",
            view_func=self._issue_comments,
            methods=["GET", "POST"],
        )
        app.add_url_rule(
            f"{mine}/issues/comments/<int:comment_id>",
            view_func=self._comment,
            methods=["GET", "PATCH", "DELETE"],
        )
        app.add_url_rule("/api/v3/rate_limit", view_func=self._rate_limit)
        return app

    def _intercept(self) -> Any:
        self.calls.append(Call(request.method, request.path, request.headers.get("Authorization")))
        for canned in self._canned:
            if re.search(canned.pattern, request.path):
                self._canned.remove(canned)
                if canned.release:
                    canned.release.wait(60)
                return jsonify(canned.body), canned.status, canned.headers
        given = request.headers.get("Authorization")
        if given and given != f"Bearer {self.token}":
            return jsonify(message="Bad credentials"), 401
        if request.method != "GET" and not given:
            return jsonify(message="Requires authentication"), 401
        if request.method != "GET" and not self.rights:
            return jsonify(message="Resource not accessible by personal access token"), 403
        if self.repository.private and not given:
            return jsonify(message="Not Found"), 404
        return None

    def _file(self, owner: str, name: str, ref: str, path: str) -> str | None:
        return (
            self.repository.read(ref, path) if f"{owner}/{name}" == self.repository.name else None
        )

    def _raw(self, owner: str, name: str, sha: str, path: str) -> Any:
        text = self._file(owner, name, sha, path)
        return ("404: Not Found", 404) if text is None else Response(text, mimetype="text/plain")

    def _contents(self, owner: str, name: str, path: str) -> Any:
        text = self._file(owner, name, request.args.get("ref", "main"), path)
        if text is None:
            return jsonify(message="Not Found"), 404
        if request.headers.get("Accept") == "application/vnd.github.raw+json":
            return Response(text, mimetype="application/vnd.github.raw+json")
        return jsonify(path=path, type="file", size=len(text.encode()))

    def _add_status(self, sha: str) -> Any:
        given = request.get_json()
        if not self.repository.knows(sha):
            return jsonify(message=f"No commit found for SHA: {sha}"), 422
        if given.get("state") not in {"pending", "success", "failure", "error"}:
            return jsonify(message="Validation Failed", errors=[{"field": "state"}]), 422
        if len(given.get("description") or "") > MAX_DESCRIPTION:
            return jsonify(message="Validation Failed", errors=[{"field": "description"}]), 422
        status = {"id": next(self._numbers), "context": "default", **given}
        self.statuses.setdefault(sha, []).insert(0, status)
        return jsonify(status), 201

    def _list_statuses(self, sha: str) -> Any:
        return jsonify(self.statuses.get(sha, []))

    def _issue_comments(self, number: int) -> Any:
        comments = self.comments.setdefault(number, [])
        if request.method == "GET":
            return self._page(comments)
        body = request.get_json().get("body") or ""
        if not 0 < len(body) <= MAX_COMMENT:
            return jsonify(message="Validation Failed", errors=[{"field": "body"}]), 422
        comments.append({"id": next(self._numbers), "body": body, "user": {"login": "lab-bot"}})
        return jsonify(comments[-1]), 201

    def _page(self, items: list[dict[str, Any]]) -> Any:
        size = min(int(request.args.get("per_page", 30)), 100)
        page = int(request.args.get("page", 1))
        reply = jsonify(items[(page - 1) * size : page * size])
        if page * size < len(items):
            following = f"{request.base_url}?per_page={size}&page={page + 1}"
            reply.headers["Link"] = f'<{following}>; rel="next"'
        return reply

    def _comment(self, comment_id: int) -> Any:
        for comments in self.comments.values():
            for comment in comments:
                if comment["id"] == comment_id:
                    return self._change(comments, comment)
        return jsonify(message="Not Found"), 404

    def _change(self, comments: list[dict[str, Any]], comment: dict[str, Any]) -> Any:
        if request.method == "DELETE":
            comments.remove(comment)
            return "", 204
        if request.method == "PATCH":
            comment["body"] = request.get_json()["body"]
        return jsonify(comment)

    def _rate_limit(self) -> Any:
        limit = 5000 if self.token else 60
        return jsonify(resources={"core": {"limit": limit, "remaining": limit}})
