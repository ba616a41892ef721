"""The floor plan: what may import what."""

import ast
from graphlib import TopologicalSorter

from tests.conftest import ROOT

MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted((ROOT / "ganime").rglob("*.py"))}


def imports(path):
    """The names of ganime's modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def test_no_module_imports_itself_in_a_circle():
    assert len([*TopologicalSorter({name: imports(path) for name, path in MODULES.items()}).static_order()]) == len(MODULES)


def test_nothing_below_the_commands_knows_that_a_command_line_exists():
    for name, path in MODULES.items():
        if not name.startswith(("ganime.commands", "ganime.cli", "ganime.__main__")):
            assert not any(used.startswith(("ganime.commands", "ganime.cli")) for used in imports(path)), name
            assert "click" not in path.read_text(), name


def test_every_module_can_be_seen_whole():
    assert all(len(path.read_text().splitlines()) <= 300 for path in MODULES.values())
