"""A commit built into a folder of its own: `tree` as git has it, `site` as pip installs it.

The user's repository is only read: no worktree is added, no file touched.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from experiments.problems import BadInput

__all__ = ["Build", "Commit", "build", "commit_of", "head_of", "repository"]

BUILD_TIMEOUT_S: Final = 900
SAID_LINES: Final = 6
"""Of a failed build: how much of what it wrote last is shown."""
_DONE: Final = "built"


@dataclass(frozen=True, slots=True)
class Commit:
    """A state of the repository."""

    name: str
    """As the user calls it."""
    sha: str
    tree: str
    """Hash of its contents: equal for equal files."""
    title: str

    def __str__(self) -> str:
        return f"{self.name} ({self.sha[:9]} {self.title})"


@dataclass(frozen=True, slots=True)
class Build:
    """A commit's files, and its packages as installed."""

    commit: Commit
    tree: Path
    site: Path


def repository(start: Path) -> Path:
    """The top folder of the repository around `start`."""
    try:
        done = subprocess.run(
            ["git", "-C", os.fspath(start), "rev-parse", "--show-toplevel"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise BadInput(f"git cannot be run ({error.strerror}), and the commits are there") from None
    if done.returncode:
        # Not a repository, or one that git does not trust: git says which, and what helps.
        raise BadInput([f"{start}: compare needs the git repository", *done.stderr.strip().splitlines()])
    return Path(done.stdout.strip())


def commit_of(repo: Path, name: str) -> Commit:
    """The commit that the user names."""
    sha = (
        None if name.startswith("-") else _git(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    )
    if not sha:
        shallow = _git(repo, "rev-parse", "--is-shallow-repository") == "true"
        more = "; this clone is shallow: fetch its history first (git fetch --unshallow)" if shallow else ""
        raise BadInput(f"{name}: no such commit in {repo}{more}")
    tree, _, title = (_git(repo, "log", "-1", "--format=%T %s", sha) or "").partition(" ")
    return Commit(name, sha, tree, title)


def head_of(repo: Path, *, dirty: bool) -> Commit:
    """HEAD, or with `dirty` the tracked files as they lie there. Raises BadInput for unasked changes."""
    changed = (_git(repo, "status", "--porcelain", "--untracked-files=no") or "").splitlines()
    if not changed:
        return commit_of(repo, "HEAD")
    if not dirty:
        some = ", ".join(line.split(maxsplit=1)[-1] for line in changed[:3])
        more = ", ..." if len(changed) > 3 else ""
        raise BadInput(
            f"{repo}: {len(changed)} tracked files differ from HEAD ({some}{more}): "
            "commit them, or compare them as they are with --dirty"
        )
    # A commit object of the tracked files that no branch points to; nothing is stashed away.
    sha = _git(repo, "stash", "create")
    if not sha:
        raise BadInput(f"{repo}: git cannot make a commit of the changed files (is a merge going on?)")
    return Commit("the working tree", sha, commit_of(repo, sha).tree, "tracked files as they are")


def build(repo: Path, commit: Commit, builds: Path) -> Build:
    """Builds a commit below `builds`, unless the same files are there, built by the same Python and flags.

    Raises:
        BadInput: it does not build; with the last lines of what pip said.
    """
    # Folder names of one length: the length of paths must not differ between two sides.
    folder = builds / _key(commit.tree)
    made = Build(commit, folder / "tree", folder / "site")
    if (folder / _DONE).is_file():
        return made
    shutil.rmtree(folder, ignore_errors=True)
    made.tree.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", os.fspath(repo), "archive", "--format=tar", commit.sha],
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        raise BadInput(f"{commit}: git archive failed: {archive.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(made.tree, filter="data")
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", *_isolation(made.tree), "--target", os.fspath(made.site), os.fspath(made.tree),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT_S,
            cwd=made.tree,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"{commit}: not built within {BUILD_TIMEOUT_S} s") from None
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()][-SAID_LINES:]
        raise BadInput([f"{commit} does not build here; pip ended with:", *(f"  {line}" for line in said)])
    (folder / _DONE).write_text(commit.sha + "\n", encoding="utf-8")
    return made


def _isolation(tree: Path) -> Sequence[str]:
    """Without build isolation, and so without network, where this environment can build the commit."""
    import tomllib

    try:
        table = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return ()  # pip will say it better
    for wanted in table.get("build-system", {}).get("requires", ["setuptools"]):
        if not _satisfied(wanted):
            return ()
    return ("--no-build-isolation",)


def _satisfied(wanted: str) -> bool:
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return False
    try:
        requirement = Requirement(wanted)
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False


def _key(tree: str) -> str:
    """Names what a build depends on: the files, the interpreter, the compiler's flags."""
    parts = [
        tree,
        sys.version,
        sysconfig.get_platform(),
        *(os.environ.get(name, "") for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")),
        str(importlib.util.find_spec("Cython") is not None and metadata.version("cython")),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _git(where: Path, *arguments: str) -> str | None:
    """What git prints; None where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", os.fspath(where), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
