"""The API reference, built from the docstrings: ``python docs/api.py FOLDER``.

Public are the names of `bananasd`, `bananasd.hooks` and `bananasd.testing`, and what they have without an underscore, but for
what a docstring calls ``@private``: only the daemon needs it. Each needs a docstring; an attribute may be told of in that of its
class instead. What stands in single backticks there is a name that leads somewhere; all else that is code stands in two. A type
of ours that one of them takes, returns or holds is public, too.
"""

import re
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bananasd
import bananasd.hooks
import bananasd.testing
from bananasd.aio import AsyncClient

try:
    import pdoc.doc
    import pdoc.render
except ImportError:
    sys.exit("docs/api.py needs pdoc: pip install -e '.[all,dev]'")

MODULES = ("bananasd", "bananasd.hooks", "bananasd.testing")
REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)`(?!`)")
SECTION = re.compile(r'<(?:section|div) id="([\w.]+)"[^>]*>(.*?)(?=<(?:section|div) id="|</main>)', re.DOTALL)
DOCSTRING = re.compile(r'<div class="docstring">(.*?)</div>', re.DOTALL)
FIELD_OF_A_TUPLE = "Alias for field number"
"""What Python itself says of each."""
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
    """Everything that is wrong with the pages, each with its place."""
    modules = [pdoc.doc.Module(sys.modules[name]) for name in pages]
    yield from untold_of(modules, pages)
    yield from unknown_types(modules)


def untold_of(modules: Sequence["pdoc.doc.Module"], pages: Mapping[str, str]) -> Iterator[str]:
    """Public names without a docstring, and references in docstrings that the page does not make a link of."""
    for module in modules:
        links = {
            place: set(LINK.findall(" ".join(DOCSTRING.findall(text))))
            for place, text in SECTION.findall(pages[module.fullname])
        }
        for member in public_members(module):
            if not is_told_of(member):
                yield f"{member.fullname}: has no docstring"
            for reference in REFERENCE.findall(member.docstring):
                if reference not in links.get(member.qualname, ()):
                    yield f"{member.fullname}: `{reference}` leads nowhere"


def unknown_types(modules: Sequence["pdoc.doc.Module"]) -> Iterator[str]:
    """Types of ours that the signature or annotation of something public names, and that no page has."""
    members = [member for module in modules for member in public_members(module)]
    known = {member.obj for member in members if isinstance(member, pdoc.doc.Class)}
    ours = tuple(f"{module.fullname}." for module in modules)
    for member in members:
        for annotation in annotations_of(member):
            for kind in types_in(annotation):
                if isinstance(kind, type) and kind not in known and f"{kind.__module__}.".startswith(ours):
                    yield f"{member.fullname}: names {kind.__module__}.{kind.__qualname__}, which is not public"


def annotations_of(member: "pdoc.doc.Doc[Any]") -> Iterator[Any]:
    """What a member says of the types of its value, its arguments and what it returns; of a class, what it is made from."""
    if isinstance(member, pdoc.doc.Variable):
        yield member.annotation
    elif isinstance(member, pdoc.doc.Function):
        yield from (parameter.annotation for parameter in member.signature.parameters.values())
        yield member.signature.return_annotation
    elif isinstance(member, pdoc.doc.Class):
        yield from member.obj.__mro__[1:]
        constructor = member.members.get("__init__")
        if constructor is not None and "@private" not in constructor.docstring:
            yield from annotations_of(constructor)


def types_in(annotation: Any) -> Iterator[Any]:
    """The annotation itself, and those that stand in its brackets."""
    if isinstance(annotation, list):  # the arguments of a Callable
        parts = annotation
    else:
        yield typing.get_origin(annotation) or annotation
        parts = list(typing.get_args(annotation))
    for part in parts:
        yield from types_in(part)


def public_members(namespace: "pdoc.doc.Namespace[Any]") -> Iterator["pdoc.doc.Doc[Any]"]:
    """What a reader may use, classes with what they have."""
    for member in namespace.own_members:
        if not member.name.startswith("_") and "@private" not in member.docstring:
            yield member
            if isinstance(member, pdoc.doc.Class):
                yield from public_members(member)


def is_told_of(member: "pdoc.doc.Doc[Any]") -> bool:
    """Whether it has a docstring of its own or, as an attribute, stands in that of its class."""
    if member.docstring.strip() and not member.docstring.startswith(FIELD_OF_A_TUPLE):
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
