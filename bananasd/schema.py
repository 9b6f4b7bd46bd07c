"""Kinds of settings, and the check of a value against its kind: what is wrong with it, in its author's words."""

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Meta

from .log import mask_url

MAX_SHOWN_CHARACTERS = 80


def whole(low: int, high: int) -> Meta:
    """A whole number within bounds."""
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


def number(low: float, high: float, unit: str = "") -> Meta:
    """Any number within bounds, which keep nan and infinity out too."""
    return Meta(ge=low, le=high, description=f"a number{unit} from {low} to {high}")


def seconds(low: float, high: float) -> Meta:
    """A duration."""
    return number(low, high, " of seconds")


def choice(*words: str) -> Meta:
    """One of a few words."""
    return text("|".join(words), "one of " + ", ".join(f'"{word}"' for word in words))


def text(pattern: str, description: str, *, is_secret: bool = False) -> Meta:
    """Text that a pattern matches as a whole. Of a secret no more than a URL's scheme is ever shown."""
    return Meta(pattern=rf"\A(?:{pattern})\Z", description=description, extra={"is_secret": is_secret})


class Schema:
    """A struct of settings, some of them grouped in structs of their own, as one table of dotted names."""

    def __init__(self, struct: type[msgspec.Struct], *, apart_from: str) -> None:
        fields = {
            field.name: field.type for field in msgspec.structs.fields(struct) if field.name != apart_from
        }
        self.sections = {name: kind for name, kind in fields.items() if _is_struct(kind)}
        self.settings = {name: kind for name, kind in fields.items() if name not in self.sections} | {
            f"{section}.{field.name}": field.type
            for section, group in self.sections.items()
            for field in msgspec.structs.fields(group)
        }

    def flatten(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Parsed TOML as pairs of dotted name and value, in its order; names that no one knows included."""
        for key, value in tables.items():
            if key in self.sections and isinstance(value, dict):
                yield from ((f"{key}.{_bare(below)}", setting) for below, setting in value.items())
            else:
                yield _bare(key), value

    def section(self, name: str, values: Mapping[str, Any]) -> Any:
        """One group as its struct, from values by dotted name; those that are missing take their defaults."""
        group = self.sections[name]
        return group(**{f: values[f"{name}.{f}"] for f in group.__struct_fields__ if f"{name}.{f}" in values})

    def check(self, name: str, value: Any, directory: Path) -> Any:
        """The value in its final type, a path made absolute from ``directory``; ValueError says what is wrong."""
        if name in self.sections:
            raise ValueError(f"is a section: write [{name}], and its keys in the lines below")
        if name not in self.settings:
            kind = "section" if _is_table(value) else "key"
            raise ValueError(f"unknown {kind}{self._suggestion(name)}")
        kind = self.settings[name]
        try:
            return msgspec.convert(value, kind, dec_hook=lambda _, path: _absolute(path, directory))
        except msgspec.ValidationError:
            meta = kind.__metadata__[0]
            is_secret = bool(meta.extra and meta.extra["is_secret"])
            raise ValueError(
                f"{_hint(value) if is_secret else shown(value)}: must be {meta.description}"
            ) from None

    def _suggestion(self, name: str) -> str:
        group, _, key = name.rpartition(".")
        names = [*self.settings, *self.sections]
        siblings = [last for before, _, last in (known.rpartition(".") for known in names) if before == group]
        # The right key in the wrong place comes first: TOML ends a section only where the next one begins.
        elsewhere = [known for known in names if known.rpartition(".")[2] == key]
        near = elsewhere or difflib.get_close_matches(key, siblings, n=1)
        return "; did you mean " + " or ".join(f"'{known}'" for known in near) + "?" if near else ""


def shown(value: Any) -> str:
    """A value as its file would have it, cut to a line's length."""
    try:
        line = mask_url(json.dumps(value, ensure_ascii=False, default=str))
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "a number of thousands of digits"
    return line if len(line) <= MAX_SHOWN_CHARACTERS else f"{line[: MAX_SHOWN_CHARACTERS - 1]}…"


def _hint(secret: Any) -> str:
    """What can be shown of a secret: a word, or the scheme of a URL."""
    word = re.match(r"[A-Za-z+]+(?:://|\Z)", secret) if isinstance(secret, str) else None
    return f'"{word[0]}…"' if word else "…"


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_table(value: Any) -> bool:
    """``[name]``, or one or more of ``[[name]]``."""
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _bare(key: str) -> str:
    """A key as TOML would have it in a dotted name."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _absolute(path: Any, directory: Path) -> Path:
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError("not a path")
    # Path.expanduser raises for an unknown user, Path.resolve follows links that the author may mean to move.
    return Path(os.path.abspath(directory / os.path.expanduser(path)))  # noqa: PTH100, PTH111
