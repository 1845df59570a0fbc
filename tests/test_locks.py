"""Locks: one process has it, a killed one gives it back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from finrec import locks
from finrec.schema import DataError

HOLD = "import sys, time; from pathlib import Path; from finrec import locks\nwith locks.held(Path(sys.argv[1])):\n    print('has it', flush=True); time.sleep(600)"  # noqa: E501


def test_a_lock_is_one_processs_until_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert not locks.locked(file), "nobody has one that is not there"
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "has it\n"
        assert locks.locked(file)
        with locks.held(file) as own:
            assert not own
        with pytest.raises(DataError, match="taken"), locks.alone(file, DataError("taken")):
            pytest.fail("two have it")
        other.kill()
    assert not locks.locked(file)
    with locks.held(file) as own, locks.held(file) as second:
        assert own and not second and locks.locked(file)
    with locks.alone(file, DataError("taken")):
        assert locks.locked(file)
