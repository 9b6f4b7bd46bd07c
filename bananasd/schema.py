"""Kinds of settings, and the check of a value against its kind: what is wrong with it, in its author's words."""

import difflib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Meta

from .masking import mask_url

MAX_SHOWN_CHARACTERS = 80

MISSING = object()
"""In the place of a value that has to be there and is not."""


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
    """A struct of settings, some of them grouped in structs of their own, as one table of dotted names.

    A field that is a tuple of structs is a list of sections, ``[[pools]]``: the second one's name is ``pools[2]``, and
    what holds for each of them stands in the tables under ``pools[]``. ``required``: settings that each has to have.
    """

    def __init__(
        self, struct: type[msgspec.Struct], *, apart_from: Collection[str], required: Collection[str] = ()
    ) -> None:
        fields = {
            field.name: field.type for field in msgspec.structs.fields(struct) if field.name not in apart_from
        }
        self.lists = {name: kind for name, field in fields.items() if (kind := _struct_in_list(field))}
        self.sections = {name: kind for name, kind in fields.items() if _is_struct(kind)} | {
            f"{name}[]": kind for name, kind in self.lists.items()
        }
        self.settings = {
            name: kind for name, kind in fields.items() if name not in {*self.sections, *self.lists}
        } | {
            f"{section}.{field.name}": field.type
            for section, group in self.sections.items()
            for field in msgspec.structs.fields(group)
        }
        self._required = required

    def flatten(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Parsed TOML as pairs of dotted name and value, in its order; names that no one knows included.

        What is required and not there has the value MISSING.
        """
        for key, value in tables.items():
            if key in self.sections and isinstance(value, dict):
                yield from _flatten_table(key, value)
            elif key in self.lists and isinstance(value, list) and all(isinstance(t, dict) for t in value):
                for number, table in enumerate(value, start=1):
                    yield from _flatten_table(f"{key}[{number}]", self._completed(key, table))
            else:
                yield _bare(key), value

    def _completed(self, name: str, table: Mapping[str, Any]) -> dict[str, Any]:
        """One table of a list, with MISSING for what it has to have and has not."""
        start = f"{name}[]."
        wanted = [setting.removeprefix(start) for setting in self._required if setting.startswith(start)]
        return dict(table) | {key: MISSING for key in wanted if key not in table}

    def section(self, name: str, values: Mapping[str, Any]) -> Any:
        """One group as its struct, from values by dotted name; those that are missing take their defaults."""
        group = self.sections[_in_general(name)]
        return group(**{f: values[f"{name}.{f}"] for f in group.__struct_fields__ if f"{name}.{f}" in values})

    def sections_of(self, name: str, given: Iterable[str]) -> list[str]:
        """The names of the sections of a list, as far as one of ``given`` stands in them."""
        owners = dict.fromkeys(setting.partition(".")[0] for setting in given)
        return [owner for owner in owners if _in_general(owner) == f"{name}[]"]

    def check(self, name: str, value: Any, directory: Path) -> Any:
        """The value in its final type, a path made absolute from ``directory``; ValueError says what is wrong."""
        if name in self.sections:
            raise ValueError(f"is a section: write [{name}], and its keys in the lines below")
        if name in self.lists:
            raise ValueError(
                f"is a list of sections: write [[{name}]] for each, and its keys in the lines below"
            )
        if _in_general(name) not in self.settings:
            kind = "section" if _is_table(value) else "key"
            raise ValueError(f"unknown {kind}{self._suggestion(_in_general(name))}")
        kind = self.settings[_in_general(name)]
        if value is MISSING:
            raise ValueError(f"is missing: must be {kind.__metadata__[0].description}")
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
        return did_you_mean([known.replace("[]", "") for known in near])


def did_you_mean(names: Sequence[str]) -> str:
    """The end of a message about a name that nobody knows: those that may have been meant."""
    return "; did you mean " + " or ".join(f"'{name}'" for name in names) + "?" if names else ""


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


def _struct_in_list(kind: Any) -> type[msgspec.Struct] | None:
    """The struct of a field that is a tuple of structs."""
    of = get_args(kind)[0] if get_origin(kind) is tuple else None
    return of if _is_struct(of) else None


def _in_general(name: str) -> str:
    """``pools[].queues`` for ``pools[2].queues``; a key in quotes that looks so stays as it is."""
    return re.sub(r"\A(\w+)\[\d+\]", r"\1[]", name)


def _flatten_table(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{name}.{_bare(key)}", value) for key, value in table.items())


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
