"""The house rules, over the syntax trees: who may know whom, and what nobody may do."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"finrec", "pages", "models", "data", "tests", ".ci", ".streamlit"}
LONGEST = 350

# What each module or package of finrec may import of finrec, besides itself; in the order of the
# flow, so that everything points upwards in this list.
_BASE = {"schema", "config", "scorer"}
MAY_IMPORT: dict[str, set[str]] = {
    "bootstrap": set(),  # runs before anything is installed
    "schema": set(),
    "memory": set(),
    "locks": set(),
    "profiles": {"schema"},
    "topk": set(),
    "config": {"schema"},
    "presets": {"schema", "config"},
    "scorer": {"schema", "config"},
    "datasets": {"schema", "config"},
    "snapshots": {"schema", "config"},
    "intake": {"schema", "config", "datasets", "snapshots"},
    "split": _BASE | {"profiles"},
    "features": _BASE | {"split"},
    "networks": _BASE | {"features"},
    "training": _BASE | {"locks", "memory", "topk", "snapshots", "split", "features", "networks"},
    "baselines": _BASE | {"split", "features"},
    "evaluation": _BASE | {"memory", "split", "topk"},  # knows scores and nothing else
    "serving": _BASE | {"locks", "topk", "snapshots", "split", "features", "training"},
    "explain": _BASE | {"split", "features", "networks", "training"},
    "records": {"schema", "config"},
    "figures": _BASE | {"snapshots", "split", "evaluation", "serving", "explain"},
}
MAY_IMPORT["pipeline"] = set(MAY_IMPORT) - {"bootstrap"}
MAY_IMPORT["commands"] = set(MAY_IMPORT) - {"bootstrap"}
MAY_IMPORT["__main__"] = set(MAY_IMPORT) - {"bootstrap"}
# Within serving, these work with any method's scores and may not know where they came from.
SCORES_ONLY = {
    "policy.py", "gate.py", "columns.py", "rerank.py", "campaign.py", "batch.py",
    "abstain.py", "offpolicy.py", "triggers.py", "export.py",
}  # fmt: skip
SCREEN_MAY_IMPORT = {"pipeline", "figures", "schema", "config"}
SCREEN_MUST_NOT_IMPORT = {
    "captum", "duckdb", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "torch",
    "torch_geometric", "transformers",
}  # fmt: skip
UNSAFE_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
}
UNSAFE_CALLS = {
    "torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "pandas.read_pickle",
    "pd.read_pickle", "yaml.load", "os.system", "os.fork",
}  # fmt: skip
UNSAFE_METHODS = {"to_pickle"}
UNSAFE_BUILTINS = {"eval", "exec"}
UNSAFE_FLAGS = {"allow_pickle", "unsafe_allow_html", "shell", "trust_remote_code"}
# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/" + r"(?:work|root|home|Users|opt|mnt)/\w")
REGISTRY = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "(extra-)?index" + "-url",
                                "find" + "-links", r"download\.py" + r"torch\.org"]))  # fmt: skip


@cache
def files() -> tuple[Path, ...]:
    """Files that are in the repository or about to be, relative to its root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted({Path(n) for n in listed.split("\0") if n and (ROOT / n).is_file()}))


def sources(*tops: str) -> list[Path]:
    """Python files under these top-level names."""
    return [f for f in files() if f.suffix == ".py" and f.parts[0] in tops]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=str(file))


def room(file: Path) -> str:
    """First name under finrec/ of a module's path: ``networks`` of finrec/networks/fusion.py."""
    return file.parts[1].removesuffix(".py")


def imported(module: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, wherever it stands in the module."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) + 1 - node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def imports_of(file: Path) -> Iterator[tuple[int, str]]:
    return imported(tree(file), file.parts[:-1])


def rooms_of(file: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of finrec itself; ``from finrec import x`` is room x."""
    for line, name in imports_of(file):
        parts = name.split(".")
        if parts[0] == "finrec" and len(parts) > 1 and not parts[1].startswith("__version"):
            yield line, parts[1]


def unsafe(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every construct that could run code found in data, or show it as HTML."""
    for line, name in imported(module, ()):
        if name.split(".")[0] in UNSAFE_MODULES or name in UNSAFE_CALLS:
            yield line, name
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in UNSAFE_CALLS:
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Attribute) and node.attr in UNSAFE_METHODS:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in UNSAFE_BUILTINS:
                yield node.lineno, node.func.id
            for given in node.keywords:
                off = isinstance(given.value, ast.Constant) and not given.value.value
                if given.arg in UNSAFE_FLAGS and not off:
                    yield node.lineno, f"{given.arg}="


def test_imports_go_only_down_the_flow() -> None:
    wrong = []
    for file in sources("finrec"):
        if file.name == "__init__.py" and len(file.parts) == 2:
            wrong += [f"{file}:{line} imports {r}" for line, r in rooms_of(file)]
            continue
        own = room(file)
        assert own in MAY_IMPORT, f"{file} has no place in the flow: add it to MAY_IMPORT"
        wrong += [
            f"{file}:{line} imports finrec.{other}"
            for line, other in rooms_of(file)
            if other != own and other not in MAY_IMPORT[own]
        ]
    assert wrong == []


def test_the_allowed_imports_have_no_cycle() -> None:
    order = list(MAY_IMPORT)
    for name, others in MAY_IMPORT.items():
        assert {order.index(other) for other in others} <= set(range(order.index(name))), name


def test_ranking_and_policy_know_only_scores() -> None:
    wrong = [
        f"{file}:{line} imports finrec.{other}"
        for file in sources("finrec")
        if room(file) == "serving" and file.name in SCORES_ONLY
        for line, other in rooms_of(file)
        if other in {"training", "networks", "features"}
    ]
    assert wrong == []


def test_core_does_not_know_the_screen() -> None:
    wrong = [
        f"{file}:{line} imports {name}"
        for file in sources("finrec")
        for line, name in imports_of(file)
        if name.split(".")[0] == "streamlit"
    ]
    assert wrong == []


def test_pages_call_verbs_and_draw() -> None:
    wrong = []
    for file in sources("pages", "app.py"):
        for line, name in imports_of(file):
            if name.split(".")[0] in SCREEN_MUST_NOT_IMPORT:
                wrong.append(f"{file}:{line} imports {name}")
        for line, other in rooms_of(file):
            if other not in SCREEN_MAY_IMPORT:
                wrong.append(f"{file}:{line} imports finrec.{other}")
    assert wrong == []


def test_nothing_unpickles_evaluates_or_shows_raw_html() -> None:
    wrong = [
        f"{file}:{line} {name}"
        for file in sources("finrec", "pages", "app.py")
        for line, name in unsafe(tree(file))
    ]
    assert wrong == []


def test_files_stay_readable() -> None:
    lengths = {
        str(file): (ROOT / file).read_text(encoding="utf-8").count("\n")
        for file in sources("finrec", "pages", "app.py", "tests")
    }
    assert {file: n for file, n in lengths.items() if n > LONGEST} == {}


def test_no_new_top_level_folder() -> None:
    assert {file.parts[0] for file in files() if len(file.parts) > 1} <= FOLDERS


def test_no_machine_path_or_registry_is_named() -> None:
    wrong = []
    for file in files():
        try:
            lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        for number, line in enumerate(lines, 1):
            if MACHINE_PATH.search(line) or REGISTRY.search(line):
                wrong.append(f"{file}:{number} {line.strip()[:80]}")
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "pickle"),
        ("from joblib import load", "joblib.load"),
        ("from torch import load", "torch.load"),
        ("import torch\ntorch.load('weights')", "torch.load"),
        ("frame.to_pickle('x')", "to_pickle"),
        ("eval('1')", "eval"),
        ("numpy.load('x', allow_pickle=True)", "allow_pickle="),
        ("st.markdown(name, unsafe_allow_html=True)", "unsafe_allow_html="),
    ],
)
def test_unsafe_constructs_are_recognised(source: str, found: str) -> None:
    assert [name for _, name in unsafe(ast.parse(source))] == [found]


def test_harmless_constructs_are_not() -> None:
    harmless = "network.eval()\nload_file('weights.safetensors')\nrun(['x'], shell=False)"
    assert list(unsafe(ast.parse(harmless))) == []


def test_pages_turn_through_the_frame() -> None:
    """A turn of Streamlit's own forgets which data and model are chosen."""
    turning = [str(f) for f in sources("pages") if "switch_page" in (ROOT / f).read_text("utf-8")]
    assert turning == ["pages/frame.py"], "call frame.turn"


def test_every_form_of_import_is_seen() -> None:
    source = (
        "from finrec import schema\nimport finrec.config\nfrom . import scorer\n"
        "from ..split import x\ndef f():\n    from finrec.networks.fusion import Fusion\n"
    )
    names = [name for _, name in imported(ast.parse(source), ("finrec", "training"))]
    assert names == [
        "finrec.schema",
        "finrec.config",
        "finrec.training.scorer",
        "finrec.split.x",
        "finrec.networks.fusion.Fusion",
    ]


def test_machine_paths_and_registries_are_recognised() -> None:
    assert MACHINE_PATH.search("open('/" + "home/me/x.csv')")
    assert not MACHINE_PATH.search("https://example.com/work/x and data/home/x and /usr/bin/env")
    assert REGISTRY.search("pip install --" + "index" + "-url x")
