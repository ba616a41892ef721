"""The site: `sphinx-build -W docs site`. Its pages are Markdown that also reads well where the repository is shown."""

import re
import shutil
from pathlib import Path

from sphinx.util.inspect import signature, stringify_signature

project = html_title = "ganime"
author = "the ganime authors"
root_doc = "README"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_show_copyright = html_show_sourcelink = False
myst_heading_anchors = 4
default_role = "code"  # docstrings have `names` as Markdown does
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # Keras' own are on Keras' site
napoleon_use_ivar = True


def add_contents(app, name, source):
    """The site has the pages that the index links to, in its order, so that they are listed once."""
    if name == root_doc:
        for part in source[0].split("\n## ")[1:]:
            pages = "\n".join(re.findall(r"\]\(([\w/-]+)\.md\)", part))
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {part.splitlines()[0]}\n\n{pages}\n```\n"


def adapt_links(app, name, source):
    """A page is called by its title; Markdown outside of this folder is no page, but can be had from the site."""

    def replace(link):
        text, path, anchor = link.groups("")
        if not (Path(app.srcdir, name).parent / path).resolve().is_relative_to(app.srcdir):
            return f"{{download}}`{text} <{path}>`"
        return f"[{'' if text.endswith('.md') else text}]({path}{anchor})"

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\(([\w./-]+\.md)(#[\w-]+)?\)", replace, source[0])


def sign(app, what, name, thing, options, signed, returned):
    """Keras' models and layers are made by a `__new__` that hides what their `__init__` takes."""
    if what == "class" and signed == "(*args, **kwargs)":
        return stringify_signature(signature(thing.__init__, bound_method=True)), returned


def make_entry(app, error):
    """Where a repository's readers expect `README.md`, a site's expect `index.html`."""
    if not error and app.builder.format == "html":
        shutil.copy(app.outdir / "README.html", app.outdir / "index.html")


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("source-read", adapt_links)
    app.connect("autodoc-process-signature", sign)
    app.connect("build-finished", make_entry)
