"""The documentation: its links lead somewhere, its pages can be found, its commands exist."""

import re
import shlex

import click
import pytest

import ganime
from ganime.cli import cli
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "checkpoints").glob("*.md")]
LINK = re.compile(r"\]\((?!https?://|hf://)([^)\s#]*)(?:#([^)\s]+))?\)")


def prose(path):
    return re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)


def anchors(path):
    """As the sites that show Markdown make them of its headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(path):
    """Each call of the command line in a page, as a list of words."""
    for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.search(r"python cli\.py (.*)", line):
                yield shlex.split(found[1], comments=True)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target, anchor in LINK.findall(prose(path)):
        file = path.parent / target if target else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_every_page_is_in_the_index():
    listed = {(DOCS / target).resolve() for target, _ in LINK.findall((DOCS / "README.md").read_text("utf-8"))}
    assert listed == {*PAGES} - {DOCS / "README.md"}
    assert "docs/README.md" in [target for target, _ in LINK.findall((ROOT / "README.md").read_text("utf-8"))]


def test_every_picture_is_shown():
    shown = {(path.parent / target).resolve() for path in TEXTS for target, _ in LINK.findall(prose(path))}
    assert {*(DOCS / "images").rglob("*.*")} <= shown


def test_the_reference_has_every_public_name_once():
    listed = re.findall(r"^\.\. (?:auto|py:)\w+:: ganime\.([\w.]+)$", (DOCS / "api.md").read_text("utf-8"), re.M)
    names = {*ganime.__all__} - {"__version__", "callbacks"} | {f"callbacks.{name}" for name in ganime.callbacks.__all__}
    assert sorted(listed) == sorted(names)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_have_the_options_that_they_are_given(path):
    for words in commands(path):
        command, context = cli, click.Context(cli)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name, command, words = command.resolve_command(context, words)
            context = click.Context(command, context, info_name=name)
        command.make_parser(context).parse_args([*words])  # raises NoSuchOption


def test_benchmarks_of_the_documentation_are_there():
    for path in {*TEXTS} - {*(DOCS / "research").glob("*.md")}:
        for line in path.read_text("utf-8").splitlines():
            for name in re.findall(r"-m benchmarks\.(\w+)", line) if "git checkout" not in line else ():
                assert any((ROOT / "benchmarks").glob(f"{name}*")), name
