"""The API reference, built from the docstrings: ``python docs/api.py FOLDER``.

Public are the names of `bananasd` and `bananasd.testing`, and what they have without an underscore. Each needs a docstring; an
attribute may be told of in that of its class instead. What stands in single backticks there is a name that leads somewhere;
all else that is code stands in two.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bananasd
import bananasd.testing
from bananasd.aio import AsyncClient

try:
    import pdoc.doc
    import pdoc.render
except ImportError:
    sys.exit("docs/api.py needs pdoc: pip install -e '.[all,dev]'")

MODULES = ("bananasd", "bananasd.testing")
REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)`(?!`)")
SECTION = re.compile(r'<(?:section|div) id="([\w.]+)"[^>]*>(.*?)(?=<(?:section|div) id="|</main>)', re.DOTALL)
DOCSTRING = re.compile(r'<div class="docstring">(.*?)</div>', re.DOTALL)
LINK = re.compile(r"<a [^>]*>([\w.]+)(?:\(\))?</a>")


def build(folder: Path) -> Mapping[str, str]:
    """Write the pages; the text of each by the name of its module."""
    # It is left out of __all__ for those who have no greenlet: a star would import it.
    vars(bananasd)["AsyncClient"] = AsyncClient
    if "AsyncClient" not in bananasd.__all__:
        bananasd.__all__.append("AsyncClient")
    pdoc.render.configure(show_source=False, search=True, footer_text=f"bananasd {bananasd.__version__}")
    pdoc.pdoc(*MODULES, output_directory=folder)
    return {name: (folder / f"{name.replace('.', '/')}.html").read_text() for name in MODULES}


def faults(pages: Mapping[str, str]) -> Iterator[str]:
    """Public names without a docstring, and references in docstrings that the page does not make a link of."""
    for name, page in pages.items():
        links = {
            place: set(LINK.findall(" ".join(DOCSTRING.findall(text))))
            for place, text in SECTION.findall(page)
        }
        for member in public_members(pdoc.doc.Module(sys.modules[name])):
            if not is_told_of(member):
                yield f"{member.fullname}: has no docstring"
            for reference in REFERENCE.findall(member.docstring):
                if reference not in links.get(member.qualname, ()):
                    yield f"{member.fullname}: `{reference}` leads nowhere"


def public_members(namespace: "pdoc.doc.Namespace[Any]") -> Iterator["pdoc.doc.Doc[Any]"]:
    """What a reader may use, classes with what they have."""
    for member in namespace.own_members:
        if not member.name.startswith("_"):
            yield member
            if isinstance(member, pdoc.doc.Class):
                yield from public_members(member)


def is_told_of(member: "pdoc.doc.Doc[Any]") -> bool:
    """Whether it has a docstring of its own or, as an attribute, stands in that of its class."""
    if member.docstring.strip():
        return True
    if not isinstance(member, pdoc.doc.Variable):
        return False
    owner = sys.modules[member.modulename]
    for name in member.qualname.split(".")[:-1]:
        owner = getattr(owner, name)
    return re.search(rf"``{member.name}\b", owner.__doc__ or "") is not None


def main(folder: str) -> int:
    """Build, and tell what is wrong; the exit status."""
    found = list(faults(build(Path(folder))))
    print("\n".join(found) or f"{folder}/index.html")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
