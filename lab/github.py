"""A stand-in for GitHub over a real git repository: what the service asks, answered alike.

Raw content at a SHA, the contents API, commit statuses and issue comments, with GitHub's checks
and error texts where the service could meet them. Source: https://docs.github.com/en/rest
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, request
from werkzeug.datastructures import Headers
from werkzeug.serving import make_server

from lab.github_app import App
from lab.github_hooks import Hook, Hooks, Invalid
from lab.processes import find_program, run

MAX_DESCRIPTION = 140
MAX_COMMENT = 65_536
"""Characters, both."""
MAX_FILES = 300
"""Of a comparison."""
MAX_STATUSES = 1000
"""For one SHA and context."""
MAX_CONTENTS = 1_000_000
"""Bytes of a file above which only the raw media type gives it."""
RAW_MEDIA_TYPE = "application/vnd.github.raw+json"
SHA_MEDIA_TYPE = "application/vnd.github.sha"
STATES = ("error", "failure", "pending", "success")
RIGHTS = {
    "contents": "contents=read",
    "statuses": "statuses=write",
    "issues": "issues=write",
    "pulls": "pull_requests=read",
    "check-runs": "checks=write",
    "hooks": "repository_hooks=write",
}
"""Of a token: part of the API to what GitHub calls it."""
_SHA = re.compile(r"[0-9a-f]{40}")
_PARTS = {"compare": "contents", "commits": "contents", "branches": "contents"}
"""Parts that need the right of another one."""
_PATIENCE = 60.0
_APPS_OWN = re.compile(r"/api/v3/(app/|repos/[^/]+/[^/]+/installation$)")
"""What an app asks for as itself, and not with a token of its installation."""


class Repository:
    """A git repository with a `main` branch; every commit can be read by its SHA."""

    def __init__(self, path: Path, name: str = "team/packages", private: bool = False) -> None:
        self.path = path
        self.name = name
        self.id = 2_000_001
        """As the template of deliveries has it."""
        self.private = private
        self.pushed_at = _now()
        self._writing = threading.Lock()
        path.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.name", "lab")
        self._git("config", "user.email", "lab@example.org")

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        branch: str = "main",
        message: str = "Edit",
        base: str = "main",
    ) -> str:
        """Write files (None deletes one) on a branch, made from `base` if new; give the SHA."""
        with self._writing:
            self._checkout(branch, base)
            for name, content in files.items():
                self._write(self.path / name, content)
            self._git("add", "--all")
            self._git("commit", "--quiet", "--allow-empty", "--message", message)
            self.pushed_at = _now()
            return self.head(branch)

    def _checkout(self, branch: str, base: str) -> None:
        known = self.branches()
        if branch in known:
            self._git("checkout", "--quiet", branch)
        elif known:
            self._git("checkout", "--quiet", "-b", branch, base)

    @staticmethod
    def _write(path: Path, content: str | bytes | None) -> None:
        if content is None:
            path.unlink()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def branches(self) -> list[str]:
        """Name the branches."""
        return self._git("branch", "--list", "--format=%(refname:short)").split()

    def head(self, branch: str = "main") -> str:
        """Give the SHA of a branch's newest commit."""
        return self._git("rev-parse", branch).strip()

    def merge(self, branch: str, message: str = "Merge") -> str:
        """Merge a branch into `main`; give the merge commit's SHA."""
        with self._writing:
            self._git("checkout", "--quiet", "main")
            self._git("merge", "--quiet", "--no-ff", "--message", message, branch)
            self.pushed_at = _now()
            return self.head()

    def queue(self, branch: str, number: int) -> str:
        """Make the commit that a merge queue would merge a branch as; give its SHA.

        `main` stays where it is until `advance`.
        """
        base = self.head()
        with self._writing:
            name = f"gh-readonly-queue/main/pr-{number}-{base}"
            self._git("checkout", "--quiet", "-B", name, "main")
            self._git("merge", "--quiet", "--no-ff", "--message", f"Merge #{number}", branch)
            return self.head(name)

    def advance(self, sha: str) -> None:
        """Have a merge queue make a group's commit the head of `main`."""
        with self._writing:
            self._git("checkout", "--quiet", "main")
            self._git("merge", "--quiet", "--ff-only", sha)
            self.pushed_at = _now()

    def read(self, ref: str, path: str) -> bytes | None:
        """Give a file at a commit or a branch, None if there is none; HEAD is `main` here."""
        ref = "main" if ref == "HEAD" else ref  # whatever is checked out at the moment
        command = [find_program("git"), "-C", str(self.path), "cat-file", "blob", f"{ref}:{path}"]
        done = subprocess.run(command, capture_output=True, check=False, env=_git_environment())
        return done.stdout if done.returncode == 0 else None

    def knows(self, sha: str) -> bool:
        """Tell whether there is such a commit."""
        command = ["git", "-C", str(self.path), "cat-file", "-e", f"{sha}^{{commit}}"]
        return run(command, check=False, env=_git_environment()).returncode == 0

    def commit_at(self, ref: str) -> str | None:
        """Give the SHA that a branch, a commit or HEAD stands for."""
        return self.commits_at(ref)[0]

    def commits_at(self, *refs: str) -> list[str | None]:
        """Give the SHA of each."""
        named = ("main" if ref == "HEAD" else ref for ref in refs)
        asked = "".join(f"{ref}^{{commit}}\n" for ref in named)
        command = ["git", "-C", str(self.path), "cat-file", "--batch-check=%(objectname)"]
        told = run(command, stdin=asked, env=_git_environment()).stdout.splitlines()
        return [line if _SHA.fullmatch(line) else None for line in told]

    def committed_at(self, sha: str) -> str:
        """Give when a commit was made, as GitHub writes it."""
        seconds = int(self._git("show", "--no-patch", "--format=%ct", sha))
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def merge_base(self, one: str, other: str) -> str | None:
        """Give the newest commit that both have in their history."""
        command = ["git", "-C", str(self.path), "merge-base", one, other]
        done = run(command, check=False, env=_git_environment())
        return done.stdout.strip() if done.returncode == 0 else None

    def changed(self, before: str, after: str) -> list[dict[str, Any]]:
        """Give the files in which two commits differ, as GitHub's comparison names them."""
        told = self._git("diff", "--no-renames", "--raw", "--numstat", before, after).splitlines()
        kinds, counts = told[: len(told) // 2], told[len(told) // 2 :]
        words = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
        found = []
        for numbers, kind in zip(counts, kinds, strict=True):
            added, removed, name = numbers.split("\t")
            lines = [0 if number == "-" else int(number) for number in (added, removed)]
            file = {"filename": name, "status": words[kind.split()[4]], "changes": sum(lines)}
            found.append(file | {"additions": lines[0], "deletions": lines[1]})
        return found

    def _git(self, *arguments: str) -> str:
        return run(["git", "-C", str(self.path), *arguments], env=_git_environment()).stdout


def _git_environment() -> dict[str, str]:
    """Leave out the caller's repository (in a git hook GIT_DIR names it) and configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass
class Canned:
    """An answer for the next request whose path matches `pattern` (searched).

    `release`: the answer waits until it is set, a minute at most. `reset`: the connection is
    closed instead of answered.
    """

    pattern: str
    status: int = 500
    body: Any = field(default_factory=lambda: {"message": "Server Error"})
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None
    reset: bool = False

    def answer(self) -> Any:
        """Wait if it must, then give the answer.

        Raises:
            ConnectionAbortedError: with `reset`; the web server then closes the connection.

        """
        if self.release:
            self.release.wait(_PATIENCE)
        if self.reset:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        return jsonify(self.body), self.status, self.headers


@dataclass(frozen=True)
class Call:
    """One request that came in; `query` without its question mark, header names in any case."""

    method: str
    path: str
    authorization: str | None
    query: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


def make_certificate(place: Path, address: str) -> Path:
    """Make a certificate that signs itself and its key, in one file."""
    path = place / "github.pem"
    names = ["-subj", "/CN=stand-in for GitHub", "-addext", f"subjectAltName=IP:{address}"]
    made = [
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "30",
        "-keyout",
        str(path),
        "-out",
        str(path),
    ]
    run(["openssl", "req", "-x509", *names, *made])
    return path


def certificates(path: Path) -> str:
    """Give what a client is told of `make_certificate`'s file: all but the key."""
    return "-----BEGIN CERTIFICATE" + path.read_text().partition("-----BEGIN CERTIFICATE")[2]


class GitHub:
    """The HTTP side. `token`, if set, is the one that is valid; `rights` may be taken from it.

    `missing_issues` are numbers that do not exist; every other issue does. In the `locked` ones
    the token's user may not speak. `pulls` has what `add_pull` was given.
    """

    def __init__(
        self,
        repository: Repository,
        token: str | None = None,
        address: str = "127.0.0.1",
        certificate: Path | None = None,
    ) -> None:
        self.repository = repository
        self.token = token
        self.address = address
        self.rights = set(RIGHTS)
        self.calls: list[Call] = []
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.pulls: dict[int, dict[str, Any]] = {}
        self.missing_issues: set[int] = set()
        self.locked: set[int] = set()
        self.app: App | None = None
        self.hooks = Hooks()
        self.check_runs: dict[str, list[dict[str, Any]]] = {}
        self._canned: list[Canned] = []
        self._releases: list[threading.Event] = []
        self._numbers = itertools.count(1)
        self.certificate = certificate
        context = (str(certificate), str(certificate)) if certificate else None
        self._server = make_server(address, 0, self._app(), threaded=True, ssl_context=context)

    @classmethod
    @contextmanager
    def running(
        cls,
        repository: Repository,
        token: str | None = None,
        address: str = "127.0.0.1",
        certificate: Path | None = None,
    ) -> Iterator[Self]:
        """Serve until the block ends; over TLS with a certificate, in one file with its key."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        github = cls(repository, token, address, certificate)
        thread = threading.Thread(target=github._server.serve_forever, name="github", daemon=True)
        thread.start()
        try:
            yield github
        finally:
            for release in github._releases:
                release.set()
            github._server.shutdown()
            github._server.server_close()
            thread.join()

    @property
    def api_url(self) -> str:
        """The base of the REST API, as on GitHub Enterprise Server."""
        return f"{self._origin}/api/v3"

    @property
    def raw_url(self) -> str:
        """The base of raw content."""
        return f"{self._origin}/raw"

    @property
    def _origin(self) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{self.address}:{self._server.server_port}"

    def answer_next(self, pattern: str, **canned: Any) -> Canned:
        """Answer the next request whose path matches `pattern` with this instead.

        Called again it queues: each answer is given once, in order.
        """
        answer = Canned(pattern, **canned)
        if answer.release:
            self._releases.append(answer.release)
        self._canned.append(answer)
        return answer

    def add_pull(self, payload: Mapping[str, Any]) -> None:
        """Let `GET …/pulls/<number>` answer with a delivery's pull request."""
        self.pulls[payload["number"]] = payload["pull_request"]

    def say(self, number: int, body: str, login: str = "octo-author") -> dict[str, Any]:
        """Let somebody comment on a pull request; the token's own user is `lab-bot`."""
        user = _BOT if login == _BOT["login"] else _BOT | {"login": login, "id": 2}
        comment = self._made("IssueComment", "issues/comments/")
        comment |= {
            "url": f"{comment['url']}{comment['id']}",
            "issue_url": self._url(f"issues/{number}"),
            "body": body,
            "user": dict(user),
            "author_association": "MEMBER",
        }
        self.comments.setdefault(number, []).append(comment)
        return comment

    def conversation(self, number: int, sha: str) -> str:
        """Give a pull request as its page shows it: the newest statuses of a commit, comments."""
        lines = [
            f"{status['state']}: {status['context']} — {status['description']}"
            + (f" ({status['target_url']})" if status["target_url"] else "")
            for status in self._newest(sha).values()
        ]
        said = [
            f"{comment['user']['login']} said:\n{comment['body']}"
            for comment in self.comments.get(number, [])
        ]
        return "\n\n".join([*(["\n".join(lines)] if lines else []), *said])

    def calls_to(self, pattern: str, method: str | None = None) -> list[Call]:
        """Give the calls whose path matches, in order."""
        return [
            call
            for call in self.calls
            if re.search(pattern, call.path) and method in (None, call.method)
        ]

    # --- HTTP -----------------------------------------------------------------------------

    def _app(self) -> Flask:
        app = Flask("lab.github", static_folder=None)
        # An exception of `Canned.answer` must reach the web server, not become a 500.
        app.config["PROPAGATE_EXCEPTIONS"] = True
        app.before_request(self._intercept)
        app.after_request(self._decorate)
        app.register_error_handler(404, lambda _error: _refuse(404, "Not Found"))
        api = "/api/v3/repos/<owner>/<name>"
        mine = f"/api/v3/repos/{self.repository.name}"
        rules: list[tuple[str, str, Any]] = [
            ("GET", "/raw/<owner>/<name>/<sha>/<path:path>", self._raw),
            ("GET", f"{api}/contents/<path:path>", self._contents),
            ("POST", f"{mine}/statuses/<sha>", self._add_status),
            ("GET", f"{mine}/commits/<sha>/statuses", self._list_statuses),
            ("GET", f"{mine}/commits/<sha>/status", self._combined_status),
            ("GET", f"{mine}/issues/<int:number>/comments", self._list_comments),
            ("POST", f"{mine}/issues/<int:number>/comments", self._add_comment),
            ("GET", f"{mine}/issues/comments/<int:comment_id>", self._show_comment),
            ("PATCH", f"{mine}/issues/comments/<int:comment_id>", self._edit_comment),
            ("DELETE", f"{mine}/issues/comments/<int:comment_id>", self._delete_comment),
            ("GET", f"{mine}/pulls/<int:number>", self._show_pull),
            ("GET", f"{mine}/pulls", self._list_pulls),
            ("GET", f"{mine}/compare/<path:basehead>", self._compare),
            ("GET", f"{mine}/commits", self._list_commits),
            ("GET", f"{mine}/commits/<sha>/pulls", self._pulls_of),
            ("GET", f"{mine}/commits/<path:ref>", self._commit),
            ("GET", f"{mine}/branches/<path:name>", self._branch),
            ("POST", f"{mine}/check-runs", self._add_check_run),
            ("GET", f"{mine}/hooks", self._list_hooks),
            ("POST", f"{mine}/hooks", self._add_hook),
            ("PATCH", f"{mine}/hooks/<int:number>", self._change_hook),
            ("POST", f"{mine}/hooks/<int:number>/pings", self._ping_hook),
            ("GET", f"{mine}/hooks/<int:number>/deliveries", self._list_deliveries),
            ("GET", f"{api}/installation", self._installation),
            ("GET", "/api/v3/app/installations", self._installations),
            ("POST", "/api/v3/app/installations/<int:number>/access_tokens", self._give_token),
            ("GET", api, self._show_repository),
            ("GET", "/api/v3/rate_limit", self._rate_limit),
            ("GET", "/api/v3/user", self._show_user),
        ]
        for method, rule, view in rules:
            app.add_url_rule(rule, f"{method} {rule}", view, methods=[method])
        return app

    def _intercept(self) -> Any:
        given = request.headers.get("Authorization")
        query, headers = request.query_string.decode(), Headers(request.headers.items())
        body = request.get_data()
        self.calls.append(Call(request.method, request.path, given, query, headers, body))
        for canned in self._canned:
            if re.search(canned.pattern, request.path):
                self._canned.remove(canned)
                return canned.answer()
        if _APPS_OWN.search(request.path):
            refusal = self.app.refuses(given) if self.app else "Bad credentials"
            return _refuse(401, refusal) if refusal else None
        good = [*([self.token] if self.token else []), *(self.app.tokens if self.app else [])]
        valid = given in [f"{scheme} {token}" for token in good for scheme in ("Bearer", "token")]
        if request.path.startswith("/raw/"):
            # Raw content says about a refused token what it says about a file that is not there.
            hidden = (given or self.repository.private) and not valid
            return ("404: Not Found", 404) if hidden else None
        return self._authorize(given, valid)

    def _authorize(self, given: str | None, valid: bool) -> Any:
        if given and not valid:
            return _refuse(401, "Bad credentials")
        if not given and self.repository.private:
            return _refuse(404, "Not Found")
        if not given and request.method != "GET":
            return _refuse(401, "Requires authentication")
        named = request.path.removeprefix("/api/v3/repos/").split("/")[2:3]
        part = next((found for name in named if (found := _PARTS.get(name, name)) in RIGHTS), None)
        # What is public may be read with any token.
        needed = request.method != "GET" or self.repository.private or part == "hooks"
        if part == "hooks" and not given:
            return _refuse(404, "Not Found")
        lacks = part not in self.rights or (part == "check-runs" and not self._is_app(given))
        if needed and part and lacks:
            kind = "integration" if self._is_app(given) else "personal access token"
            refusal, status = _refuse(403, f"Resource not accessible by {kind}")
            refusal.headers["X-Accepted-GitHub-Permissions"] = RIGHTS[part]
            return refusal, status
        return None

    def _is_app(self, given: str | None) -> bool:
        tokens = self.app.tokens if self.app else []
        return (given or "").partition(" ")[2] in tokens

    def _show_user(self) -> Any:
        if self._is_app(request.headers.get("Authorization")):
            return _refuse(403, "Resource not accessible by integration")
        return jsonify(dict(_BOT))

    def _installation(self, owner: str, name: str) -> Any:
        mine = f"{owner}/{name}".lower() == self.repository.name.lower()
        if not (mine and self.app and self.app.installation):
            return _refuse(404, "Not Found")
        return jsonify(id=self.app.installation, app_slug=self.app.slug)

    def _installations(self) -> Any:
        number = self.app.installation if self.app else None
        return jsonify([{"id": number}] if number else [])

    def _give_token(self, number: int) -> Any:
        if not self.app or number != self.app.installation:
            return _refuse(404, "Not Found")
        return jsonify(self.app.give_token(request.get_json())), 201

    def _add_check_run(self) -> Any:
        given = request.get_json()
        sha, name = given.get("head_sha"), given.get("name")
        if not sha or not name:
            return _refuse(422, 'Invalid request. "name", "head_sha" weren\'t supplied.')
        if not self.repository.knows(sha):
            return _refuse(422, f"No commit found for SHA: {sha}")
        run = self._made("CheckRun", "check-runs/") | given
        self.check_runs.setdefault(sha, []).append(run)
        return jsonify(run), 201

    def _list_hooks(self) -> Any:
        return self._page([self._shown(hook) for hook in self.hooks.hooks])

    def _add_hook(self) -> Any:
        try:
            return jsonify(self._shown(self.hooks.add(request.get_json()))), 201
        except Invalid as error:
            return _invalid("Hook", "url", str(error))

    def _change_hook(self, number: int) -> Any:
        hook = self.hooks.find(number)
        if hook is None:
            return _refuse(404, "Not Found")
        try:
            self.hooks.change(hook, request.get_json())
        except Invalid as error:
            return _invalid("Hook", "url", str(error))
        return jsonify(self._shown(hook))

    def _ping_hook(self, number: int) -> Any:
        hook = self.hooks.find(number)
        if hook is None:
            return _refuse(404, "Not Found")
        self.hooks.deliver(hook, "ping", {"zen": "Design for failure.", "hook_id": number})
        return "", 204

    def _list_deliveries(self, number: int) -> Any:
        hook = self.hooks.find(number)
        return self._page(hook.deliveries) if hook else _refuse(404, "Not Found")

    def _shown(self, hook: Hook) -> dict[str, Any]:
        return hook.shown(self._url("hooks"))

    def _decorate(self, response: Response) -> Response:
        if request.method == "GET" and request.path.startswith("/api/") and response.is_json:
            # GitHub's are weak, and it answers 304 to a name that it gave.
            response.set_etag(hashlib.sha256(response.get_data()).hexdigest(), weak=True)
            response.make_conditional(request)
        limit = 5000 if request.headers.get("Authorization") else 60
        response.headers.setdefault("X-GitHub-Request-Id", f"LAB0:{len(self.calls):06X}")
        response.headers.setdefault("X-RateLimit-Limit", str(limit))
        response.headers.setdefault("X-RateLimit-Remaining", str(limit - 1))
        return response

    def _url(self, path: str) -> str:
        return f"{self.api_url}/repos/{self.repository.name}/{path}"

    def _file(self, owner: str, name: str, ref: str, path: str) -> bytes | None:
        # As on GitHub, letter case does not count.
        if f"{owner}/{name}".lower() != self.repository.name.lower():
            return None
        return self.repository.read(ref, path)

    def _raw(self, owner: str, name: str, sha: str, path: str) -> Any:
        content = self._file(owner, name, sha, path)
        if content is None:
            return "404: Not Found", 404
        return Response(content, mimetype="text/plain", headers={"Cache-Control": "max-age=300"})

    def _contents(self, owner: str, name: str, path: str) -> Any:
        ref = request.args.get("ref", "main")
        content = self._file(owner, name, ref, path)
        if content is None and not self.repository.knows(ref):
            return _refuse(404, f"No commit found for the ref {ref}")
        if content is None:
            return _refuse(404, "Not Found")
        if request.headers.get("Accept") == RAW_MEDIA_TYPE:
            return Response(content, mimetype=f"{RAW_MEDIA_TYPE}; charset=utf-8")
        small = len(content) <= MAX_CONTENTS
        return jsonify(
            type="file",
            encoding="base64" if small else "none",
            size=len(content),
            name=Path(path).name,
            path=path,
            content=base64.encodebytes(content).decode() if small else "",
            url=self._url(f"contents/{path}?ref={ref}"),
            download_url=f"{self.raw_url}/{owner}/{name}/{ref}/{path}",
        )

    def _add_status(self, sha: str) -> Any:
        given = request.get_json()
        context = given.get("context") or "default"
        existing = self.statuses.get(sha, [])
        same = sum(status["context"] == context for status in existing)
        if problem := _status_problem(given):
            return _invalid("Status", *problem)
        if not self.repository.knows(sha):
            return _refuse(422, f"No commit found for SHA: {sha}")
        if same >= MAX_STATUSES:
            return _invalid("Status", "sha", "This SHA and context has reached the maximum")
        status = {
            **self._made("Status", f"statuses/{sha}"),
            "state": given["state"],
            "context": context,
            "description": given.get("description"),
            "target_url": given.get("target_url"),
            "creator": dict(_BOT),
        }
        self.statuses[sha] = [status, *existing]
        return jsonify(status), 201

    def _list_statuses(self, sha: str) -> Any:
        return self._page(self.statuses.get(sha, []))

    def _combined_status(self, sha: str) -> Any:
        newest = self._newest(sha)
        states = {status["state"] for status in newest.values()}
        if states & {"failure", "error"}:
            state = "failure"
        else:
            state = "success" if states == {"success"} else "pending"
        statuses = list(newest.values())
        return jsonify(state=state, sha=sha, statuses=statuses, total_count=len(statuses))

    def _newest(self, sha: str) -> dict[str, dict[str, Any]]:
        """Give the newest status of each context."""
        return {status["context"]: status for status in reversed(self.statuses.get(sha, []))}

    def _list_comments(self, number: int) -> Any:
        if number in self.missing_issues:
            return _refuse(404, "Not Found")
        return self._page(self.comments.get(number, []))

    def _add_comment(self, number: int) -> Any:
        if number in self.missing_issues:
            return _refuse(404, "Not Found")
        body = request.get_json().get("body")
        if problem := _comment_problem(body):
            return _invalid("IssueComment", "body", problem)
        if number in self.locked:
            return _refuse(403, "Unable to create comment because issue is locked.")
        comment = self.say(number, body, _BOT["login"])
        if self.app and self._is_app(request.headers.get("Authorization")):
            comment |= {"user": self.app.user, "performed_via_github_app": self.app.shown}
        return jsonify(comment), 201

    def _show_comment(self, comment_id: int) -> Any:
        comment = self._find_comment(comment_id)
        return _refuse(404, "Not Found") if comment is None else jsonify(comment)

    def _edit_comment(self, comment_id: int) -> Any:
        comment, body = self._find_comment(comment_id), request.get_json().get("body")
        if comment is None:
            return _refuse(404, "Not Found")
        if problem := _comment_problem(body):
            return _invalid("IssueComment", "body", problem)
        comment |= {"body": body, "updated_at": _now()}
        return jsonify(comment)

    def _delete_comment(self, comment_id: int) -> Any:
        comment = self._find_comment(comment_id)
        if comment is None:
            return _refuse(404, "Not Found")
        for comments in self.comments.values():
            if comment in comments:
                comments.remove(comment)
        return "", 204

    def _find_comment(self, comment_id: int) -> dict[str, Any] | None:
        every = itertools.chain.from_iterable(self.comments.values())
        return next((comment for comment in every if comment["id"] == comment_id), None)

    def _compare(self, basehead: str) -> Any:
        names = basehead.partition("...")[::2]
        base, head = self.repository.commits_at(*names)
        common = self.repository.merge_base(base, head) if base and head else None
        if not (base and head and common):
            unrelated = f"No common ancestor between {names[0]} and {names[1]}."
            return _refuse(404, unrelated if base and head else "Not Found")
        ways = {(True, True): "identical", (True, False): "ahead", (False, True): "behind"}
        status = ways.get((common == base, common == head), "diverged")
        files = self.repository.changed(common, head)[:MAX_FILES]
        return jsonify(status=status, merge_base_commit={"sha": common}, commits=[], files=files)

    def _commit(self, ref: str) -> Any:
        sha = self.repository.commit_at(ref)
        if sha is None:
            return _refuse(422, f"No commit found for SHA: {ref}")
        if request.headers.get("Accept") == SHA_MEDIA_TYPE:
            return Response(sha, mimetype=f"{SHA_MEDIA_TYPE}; charset=utf-8")
        return jsonify(self._commit_object(sha))

    def _list_commits(self) -> Any:
        """List a branch's newest commit; nobody asks for more."""
        sha = self.repository.commit_at(request.args.get("sha", "HEAD"))
        if sha is None:
            return _refuse(404, "Not Found")
        return jsonify([self._commit_object(sha)])

    def _pulls_of(self, sha: str) -> Any:
        """List the pull requests whose merge made a commit, or whose head it is."""
        pulls = self.pulls.values()
        return jsonify([p for p in pulls if sha in (p["merge_commit_sha"], p["head"]["sha"])])

    def _commit_object(self, sha: str) -> dict[str, Any]:
        date = {"date": self.repository.committed_at(sha)}
        return {"sha": sha, "commit": {"author": date, "committer": date}}

    def _branch(self, name: str) -> Any:
        sha = self.repository.head(name) if name in self.repository.branches() else None
        if sha is None:
            return _refuse(404, "Branch not found")
        return jsonify(name=name, commit=self._commit_object(sha), protected=False)

    def _show_repository(self, owner: str, name: str) -> Any:
        if f"{owner}/{name}".lower() != self.repository.name.lower():
            return _refuse(404, "Not Found")
        whole = dict.fromkeys(("admin", "maintain", "push", "triage", "pull"), True)
        shown = {
            "id": self.repository.id,
            "full_name": self.repository.name,
            "private": self.repository.private,
            "default_branch": "main",
            "pushed_at": self.repository.pushed_at,
        }
        given = request.headers.get("Authorization")
        return jsonify(shown | ({"permissions": whole} if given else {}))

    def _list_pulls(self) -> Any:
        """List as GitHub does: the newest first; open ones unless `state` says otherwise."""
        state = request.args.get("state", "open")
        order = f"{request.args.get('sort', 'created')}_at"
        falling = request.args.get("direction", "desc" if order == "created_at" else "asc")
        found = [pull for pull in self.pulls.values() if state in {"all", pull["state"]}]
        found.sort(key=lambda pull: (pull[order], pull["number"]), reverse=falling == "desc")
        return self._page([{k: v for k, v in p.items() if k not in _ALONE} for p in found])

    def _show_pull(self, number: int) -> Any:
        known = number in self.pulls
        return jsonify(self.pulls[number]) if known else _refuse(404, "Not Found")

    def _rate_limit(self) -> Any:
        limit = 5000 if request.headers.get("Authorization") else 60
        core = {"limit": limit, "remaining": limit, "used": 0}
        return jsonify(resources={"core": core}, rate=core)

    def _made(self, kind: str, path: str) -> dict[str, Any]:
        """Give the fields that every new object has."""
        number, now = next(self._numbers), _now()
        return {
            "id": number,
            "node_id": base64.b64encode(f"{kind}{number}".encode()).decode(),
            "url": self._url(path),
            "created_at": now,
            "updated_at": now,
        }

    def _page(self, items: list[dict[str, Any]]) -> Any:
        """Answer with one page and, as GitHub does, links to the others."""
        size = min(int(request.args.get("per_page", 30)), 100)
        page, last = int(request.args.get("page", 1)), max(-(-len(items) // size), 1)
        pages = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        asked = {**request.args.to_dict(), "per_page": size}
        wanted = ("prev", "first") * (page > 1) + ("next", "last") * (page < last)
        links = [
            f'<{request.base_url}?{urlencode(asked | {"page": pages[name]})}>; rel="{name}"'
            for name in wanted
        ]
        reply = jsonify(items[(page - 1) * size : page * size])
        if links:
            reply.headers["Link"] = ", ".join(links)
        return reply


_ALONE = frozenset({"merged", "mergeable", "mergeable_state", "merged_by", "comments", "commits"})
"""What a pull request says only where it is shown alone."""
_BOT: dict[str, Any] = {"login": "lab-bot", "id": 1, "type": "User", "site_admin": False}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse(status: int, message: str, **more: Any) -> tuple[Response, int]:
    url = "https://docs.github.com/rest"
    return jsonify(message=message, documentation_url=url, status=str(status), **more), status


def _invalid(resource: str, name: str, message: str) -> tuple[Response, int]:
    error = {"resource": resource, "code": "custom", "field": name, "message": message}
    return _refuse(422, "Validation Failed", errors=[error])


def _status_problem(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Give the field that GitHub would refuse, and why."""
    if given.get("state") not in STATES:
        return "state", f"state must be one of {', '.join(STATES)}"
    if len(given.get("description") or "") > MAX_DESCRIPTION:
        return "description", f"description is too long (maximum is {MAX_DESCRIPTION} characters)"
    if not (given.get("target_url") or "https://").startswith(("https://", "http://")):
        return "target_url", "target_url must use http(s) scheme"
    return None


def _comment_problem(body: Any) -> str | None:
    if not body:
        return "body can't be blank"
    if len(body) > MAX_COMMENT:
        return f"body is too long (maximum is {MAX_COMMENT} characters)"
    return None
