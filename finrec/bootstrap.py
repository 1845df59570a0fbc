"""Prepares a machine for finrec: the environment in ``.venv``, a browser for tests, a free port.

Run by the Makefile as ``python -I finrec/bootstrap.py …`` before anything is installed, so it uses
the standard library only and imports nothing of finrec.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# When .venv's own Python runs this, the link leads to the one that .venv was made from, which
# is still there when .venv is removed.
BASE_PYTHON = os.path.realpath(sys.executable)
STAMP = ".finrec-installed"  # holds the key of what was installed, line by line
UNFINISHED = ".finrec-installing"  # there while pip works; left behind when it was killed
CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


class SetupError(Exception):
    """The machine can't be prepared; the message says what to do about it."""


def venv_python(root: Path) -> Path:
    """Interpreter of the environment of the project in ``root``."""
    return root / ".venv" / "bin" / "python"


def key(root: Path, requirements: str) -> str:
    """SHA-256 (hex) of a requirements file and of the files that it includes with ``-r``."""
    digest = hashlib.sha256()
    text = (root / requirements).read_text(encoding="utf-8")
    digest.update(f"{requirements}\n{text}".encode())
    for line in text.splitlines():
        if line.startswith("-r "):
            digest.update(key(root, line[3:].strip()).encode())
    return digest.hexdigest()


def installed(root: Path, requirements: str) -> bool:
    """Whether the environment holds exactly what the file asks for, by the stamp of its content."""
    stamp = root / ".venv" / STAMP
    if not (os.access(venv_python(root), os.X_OK) and stamp.is_file()):
        return False
    return key(root, requirements) in stamp.read_text(encoding="utf-8").split()


def setup(root: Path, dev: bool = False) -> bool:
    """Make ``.venv`` and install the requirements, unless that is done; True when it installed.

    An installation that was killed half-way is thrown away and begun again, because pip takes a
    half-copied package for a whole one.

    Raises:
        SetupError: when the environment can't be made or pip fails.
    """
    wanted = "requirements-dev.txt" if dev else "requirements.txt"
    if installed(root, wanted):
        return False
    with _alone(root):
        if installed(root, wanted):  # another `make` did it while this one waited
            return False
        venv = root / ".venv"
        if (venv / UNFINISHED).exists():
            print("The last installation was interrupted; .venv is made again.", flush=True)
            _discard(venv)
        installer = _installer(root)
        (venv / STAMP).unlink(missing_ok=True)
        (venv / UNFINISHED).touch()
        print(f"Installing {wanted} into .venv (the first time takes minutes).", flush=True)
        try:
            for what in _steps(root, wanted):
                _install(root, installer, what)
        except SetupError:
            (venv / UNFINISHED).unlink(missing_ok=True)  # pip itself rolled back
            raise
        keys = [key(root, "requirements.txt")] + ([key(root, wanted)] if dev else [])
        _write_stamp(venv, keys)
    return True


def _discard(venv: Path) -> None:
    # Renamed first: a removal that is itself interrupted must not leave half an environment.
    old = venv.with_name(".venv.old")
    shutil.rmtree(old, ignore_errors=True)
    venv.rename(old)
    shutil.rmtree(old)


def _steps(root: Path, wanted: str) -> Iterator[list[str]]:
    """Arguments of pip, one list an installation: torch alone, then everything."""
    runtime = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    yield from ([line.strip()] for line in runtime if line.startswith("torch=="))
    yield ["-r", wanted]


def _install(root: Path, installer: list[str], what: list[str]) -> None:
    command = [*installer, "install", "--no-input", "--disable-pip-version-check", *what]
    if subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL).returncode:
        raise SetupError(
            f"Installing {what[-1]} failed; pip's own message is above. Check the network (or the "
            "proxy in pip's configuration) and the free space, then run the same command again."
        )


def _write_stamp(venv: Path, keys: list[str]) -> None:
    staged = venv / (STAMP + ".new")
    with staged.open("w", encoding="utf-8") as stream:
        stream.write("\n".join(keys) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    (venv / UNFINISHED).unlink()
    staged.replace(venv / STAMP)


def _installer(root: Path) -> list[str]:
    """The command that is pip for ``.venv``; makes the environment first where there is none."""
    python = venv_python(root)
    if not (os.access(python, os.X_OK) and _is_new_enough(python)):
        _make_venv(root)
    own = [str(python), "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    return [BASE_PYTHON, "-m", "pip", "--python", str(python)]


def _is_new_enough(python: Path) -> bool:
    ask = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-I", "-c", ask], capture_output=True).returncode == 0


def _make_venv(root: Path) -> None:
    venv = root / ".venv"
    make = [BASE_PYTHON, "-I", "-m", "venv", "--clear"]
    made = subprocess.run([*make, str(venv)], capture_output=True, text=True)
    if made.returncode == 0:
        return
    # Debian splits ensurepip off; this Python's own pip can install into an environment without.
    has_pip = subprocess.run([BASE_PYTHON, "-m", "pip", "--version"], capture_output=True)
    bare = [*make, "--without-pip", str(venv)]
    if has_pip.returncode or subprocess.run(bare, capture_output=True).returncode:
        raise SetupError(
            f"{BASE_PYTHON} could not make an environment in {venv}: "
            f"{(made.stderr or made.stdout).strip() or 'no message'} On Debian and Ubuntu: "
            "apt-get install python3-venv, then run the same command again."
        )


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Lets one installation at a time into the project; the lock dies with its process."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def starts(browser: str | Path) -> bool:
    """Whether a browser's program runs at all, with the libraries that it needs."""
    try:
        tried = subprocess.run([browser, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def find_chromium() -> Path | None:
    """The Chromium that tests drive: FINREC_CHROMIUM, the system's, or Playwright's own.

    Raises:
        SetupError: when FINREC_CHROMIUM names something that does not start.
    """
    named = os.environ.get("FINREC_CHROMIUM")
    if named:
        if not starts(named):
            raise SetupError(
                f"FINREC_CHROMIUM names {named}, which does not start; correct or unset it."
            )
        return Path(named)
    for name in CHROMIUM_NAMES:
        path = shutil.which(name)
        if path and starts(path):
            return Path(path)
    own = _playwright_chromium()
    return own if own and starts(own) else None


def _playwright_chromium() -> Path | None:
    ask = (
        "from playwright.sync_api import sync_playwright as s\n"
        "with s() as p: print(p.chromium.executable_path)"
    )
    python = venv_python(ROOT)
    command = [str(python if python.exists() else sys.executable), "-c", ask]
    answer = subprocess.run(command, capture_output=True, text=True)
    path = Path(answer.stdout.strip())
    return path if answer.returncode == 0 and path.is_file() else None


def install_chromium() -> Path:
    """Find Chromium or install one: Playwright's, else the distribution's when root may.

    Raises:
        SetupError: when neither works.
    """
    found = find_chromium()
    if found:
        return found
    print("No Chromium found; installing Playwright's.", flush=True)
    playwright = [str(venv_python(ROOT)), "-m", "playwright", "install", "chromium"]
    subprocess.run(playwright, stdin=subprocess.DEVNULL)
    found = find_chromium()
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Playwright's Chromium does not start here; installing Debian's.", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update", "-q"], ["install", "-y", "-q", "chromium"]):
            subprocess.run(["apt-get", *step], env=quiet, stdin=subprocess.DEVNULL)
        found = find_chromium()
    if not found:
        raise SetupError(
            "The browser tests need Chromium and it could not be installed. Install it (Debian: "
            "sudo apt-get install chromium; elsewhere: .venv/bin/python -m playwright install "
            "--with-deps chromium), or name one: FINREC_CHROMIUM=/path/to/chromium make test"
        )
    return found


def check_port(port: int) -> None:
    """Make sure that nothing listens on a port of 127.0.0.1.

    Raises:
        SetupError: when it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(
                f"Port {port} is not free ({error.strerror}). Stop what uses it, or choose "
                f"another: make run PORT={port + 99}"
            ) from error


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when done, 2 with a sentence on stderr when not."""
    parser = argparse.ArgumentParser(prog="bootstrap", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup").add_argument("--dev", action="store_true")
    commands.add_parser("browser")
    commands.add_parser("port").add_argument("port", type=int, choices=range(1, 65536), metavar="N")
    given = parser.parse_args(arguments)
    try:
        if given.command == "setup":
            setup(ROOT, given.dev)
        elif given.command == "browser":
            print(f"Browser for tests: {install_chromium()}")
        else:
            check_port(given.port)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; the next run begins the installation again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
