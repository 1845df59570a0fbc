"""The two commands: setting a machine up, the test harness's promises, the app's settings."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from itertools import product
from pathlib import Path

import pytest

from finrec import bootstrap, config, schema

ROOT = Path(__file__).resolve().parent.parent
CONFTEST = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose requirements are empty, so that installing them needs no network."""
    (tmp_path / "finrec").mkdir()
    for name in ("Makefile", "finrec/bootstrap.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return tmp_path


def outside_make() -> dict[str, str]:
    """The environment without what the `make` that runs the tests left in it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}


def make(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=project,
        env={**outside_make(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_setup_installs_once_and_again_when_requirements_change(project: Path) -> None:
    first = make(project, "setup")
    assert first.returncode == 0, first.stderr
    assert "Installing requirements.txt" in first.stdout
    again = make(project, "setup")
    assert (again.returncode, again.stdout) == (0, ""), "nothing is installed a second time"
    assert "Installing requirements-dev.txt" in make(project, "setup-dev").stdout
    assert make(project, "setup").stdout == "", "development requirements include the others"
    (project / "requirements.txt").write_text("# something else\n")
    assert not bootstrap.installed(project, "requirements.txt")
    assert not bootstrap.installed(project, "requirements-dev.txt")


def test_failed_install_leaves_no_stamp_and_says_so(project: Path) -> None:
    (project / "requirements.txt").write_text("--no-index\nfinrec-no-such-package==1\n")
    failed = make(project, "setup")
    assert failed.returncode == 2
    assert "Installing requirements.txt failed" in failed.stderr
    assert not bootstrap.installed(project, "requirements.txt")


def test_killed_install_leaves_no_stamp_and_is_begun_again(project: Path) -> None:
    slow = project / "slow"
    slow.mkdir()
    (slow / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (slow / "backend.py").write_text(
        "import pathlib, time\n"
        "def build_wheel(*args, **more):\n"
        "    pathlib.Path(__file__).with_name('building').touch()\n"
        "    time.sleep(600)\n"
    )
    (project / "requirements.txt").write_text(f"finrec-slow @ {slow.as_uri()}\n")
    running = subprocess.Popen(
        ["make", "setup"],
        cwd=project,
        env=outside_make(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if (slow / "building").exists():
                break
            time.sleep(0.1)
        assert (slow / "building").exists(), "pip never came to the slow package"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not bootstrap.installed(project, "requirements.txt")
    half_copied = project / ".venv" / "half-copied"
    half_copied.touch()
    (project / "requirements.txt").write_text("# nothing\n")
    again = make(project, "setup")
    assert again.returncode == 0, again.stderr
    assert "interrupted" in again.stdout
    assert not half_copied.exists()
    assert bootstrap.installed(project, "requirements.txt")


def _only(folder: Path, *programs: str) -> str:
    """A PATH with these programs of the system and nothing else."""
    folder.mkdir()
    for name in programs:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return str(folder)


def _script(path: Path, text: str) -> None:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_no_python_is_a_clear_message(project: Path) -> None:
    path = _only(project / "bin", "make", "sh")
    _script(project / "bin" / "python3", "exit 1")  # too old
    _script(project / "bin" / "python3.11", "echo 'command not found' >&2; exit 127")
    answer = make(project, "setup", PATH=path)
    assert answer.returncode == 2
    assert "needs Python 3.11 or newer" in answer.stderr


def test_python_that_does_not_start_is_passed_over(project: Path) -> None:
    path = _only(project / "bin", "make", "sh")
    _script(project / "bin" / "python3.11", "exit 127")
    (project / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))
    answer = make(project, "setup", PATH=path)
    assert answer.returncode == 0, answer.stderr
    assert bootstrap.installed(project, "requirements.txt")


def test_environment_without_pip_is_installed_into_from_outside(project: Path) -> None:
    bare = [os.path.realpath(sys.executable), "-m", "venv", "--without-pip", ".venv"]
    subprocess.run(bare, cwd=project, check=True)
    answer = make(project, "setup", PYTHON=bare[0])
    assert answer.returncode == 0, answer.stderr
    assert bootstrap.installed(project, "requirements.txt")


def test_environment_of_an_old_python_is_made_again(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    _script(project / ".venv" / "bin" / "python", "exit 1")
    assert make(project, "setup").returncode == 0
    assert bootstrap.installed(project, "requirements.txt")
    assert subprocess.run([bootstrap.venv_python(project), "-c", ""]).returncode == 0


def test_torch_is_installed_first() -> None:
    assert next(iter(bootstrap._steps(ROOT, "requirements-dev.txt"))) == ["torch==2.13.0"]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_and_is_what_the_tests_run_with(name: str) -> None:
    from importlib.metadata import version

    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", "-r ")):
            continue
        package, pinned = line.split("==")
        assert version(package.split("[")[0]).split("+")[0] == pinned, line


def test_taken_port_is_a_sentence_that_names_the_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert bootstrap.main(["port", str(port)]) == 2
    assert "make run PORT=" in capsys.readouterr().err
    assert bootstrap.main(["port", str(port)]) == 0


def test_named_chromium_is_used_or_complained_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(tmp_path / "mine", "echo Chromium 1.0")
    monkeypatch.setenv("FINREC_CHROMIUM", str(tmp_path / "mine"))
    assert bootstrap.find_chromium() == tmp_path / "mine"
    monkeypatch.setenv("FINREC_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(bootstrap.SetupError, match="FINREC_CHROMIUM names"):
        bootstrap.find_chromium()


KINDS_FILE = """
import pytest
@pytest.mark.realdata
def test_real(real_data):
    assert real_data.is_dir()
@pytest.mark.browser
def test_in_browser():
    pytest.skip("for a reason of its own")
def test_plain():
    pytest.skip("not a required kind")
"""


@pytest.fixture
def harness(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project with this project's conftest and a Chromium that starts."""
    for name in ("FINREC_REQUIRE", "FINREC_REAL_DATA", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    _script(pytester.path / "chromium", "echo Chromium 1.0")
    monkeypatch.setenv("FINREC_CHROMIUM", str(pytester.path / "chromium"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\nmarkers =\n    realdata\n    browser\n")
    pytester.makepyfile(KINDS_FILE)
    return pytester


def outcomes(harness: pytest.Pytester) -> dict[str, int]:
    return harness.runpytest_subprocess("-p", "no:cacheprovider").parseoutcomes()


def test_kinds_are_skipped_where_they_cannot_run(harness: pytest.Pytester) -> None:
    assert outcomes(harness) == {"skipped": 3}


def test_real_data_runs_when_the_folder_is_there(
    harness: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_REAL_DATA", str(harness.path))
    assert outcomes(harness) == {"passed": 1, "skipped": 2}


def test_required_kind_that_is_skipped_fails(
    harness: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_REQUIRE", "browser,realdata")
    # An error is a failure before the test's body: pytest skips by marker there.
    assert outcomes(harness) == {"failed": 1, "errors": 1, "skipped": 1}
    monkeypatch.setenv("FINREC_REQUIRE", "realdata")
    monkeypatch.setenv("FINREC_REAL_DATA", str(harness.path / "nowhere"))
    assert outcomes(harness) == {"errors": 1, "skipped": 2}


def test_missing_chromium_fails_when_required(
    harness: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_CHROMIUM", str(harness.path / "none"))
    assert outcomes(harness) == {"skipped": 3}
    monkeypatch.setenv("FINREC_REQUIRE", "browser")
    assert outcomes(harness) == {"errors": 1, "skipped": 2}


def test_file_that_skips_itself_fails_when_something_is_required(
    harness: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.makepyfile("import pytest\npytest.skip('all of it', allow_module_level=True)")
    assert outcomes(harness) == {"skipped": 1}
    monkeypatch.setenv("FINREC_REQUIRE", "realdata")
    assert outcomes(harness) == {"errors": 1}


def test_unknown_required_kind_is_refused(
    harness: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_REQUIRE", "browsers")
    answer = harness.runpytest_subprocess()
    assert answer.ret == pytest.ExitCode.USAGE_ERROR
    answer.stderr.fnmatch_lines(["*FINREC_REQUIRE names browsers*"])


def test_tests_write_to_a_home_of_their_own(home: Path) -> None:
    assert config.home() == home
    assert not any(home.iterdir())
    assert ROOT not in home.parents


def test_small_dataset_is_as_described(small_dataset: schema.Dataset) -> None:
    events = small_dataset.events
    assert (len(small_dataset.customers), len(small_dataset.products), len(events)) == (60, 12, 400)
    assert set(events[schema.KIND]) == {schema.ACQUIRED}
    assert set(events[schema.TIME].dt.year) == {2023, 2024}
    assert not events.duplicated([schema.CUSTOMER, schema.PRODUCT]).any()
    assert "007" not in set(events[schema.CUSTOMER]) and "P12" not in set(events[schema.PRODUCT])
    same = events[schema.CUSTOMER].astype(int) % 2 == events[schema.PRODUCT].str[1:].astype(int) % 2
    assert same.mean() > 0.6


def test_every_app_setting_is_known_to_streamlit() -> None:
    from streamlit.config import get_config_options

    known = get_config_options()

    def names(table: dict[str, object], prefix: str = "") -> list[str]:
        found = []
        for name, value in table.items():
            path = f"{prefix}{name}"
            found += names(value, f"{path}.") if isinstance(value, dict) else [path]
        return found

    ours = names(THEME)
    assert len(ours) > 20
    assert [name for name in ours if name not in known] == []


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_theme_meets_wcag_contrast(mode: str) -> None:
    theme = THEME["theme"][mode]
    grounds = (theme["backgroundColor"], theme["secondaryBackgroundColor"])
    for colour, ground in product((theme["textColor"], theme["linkColor"]), grounds):
        assert _contrast(colour, ground) >= 4.5, (colour, ground)
    assert _contrast(theme["primaryColor"], "#ffffff") >= 4.5, "the label of a primary button"
    assert _contrast(theme["primaryColor"], theme["backgroundColor"]) >= 3
    for colour in theme["chartCategoricalColors"]:
        assert _contrast(colour, theme["backgroundColor"]) >= 3, colour
    for name in ("chartSequentialColors", "chartDivergingColors"):
        assert len(theme[name]) == 10, "streamlit ignores a scale that has not ten colours"
