"""What is told and kept of an error that a handler raised, which may be anything."""

import traceback

MAX_ERROR_CHARACTERS = 4000


def error_text(error: BaseException) -> str:
    """The end of the traceback, which is where the reason stands."""
    try:
        return fit_to_keep("".join(traceback.format_exception(error)).rstrip())
    except Exception:  # noqa: BLE001 - an exception whose own text raises
        return said(error)


def said(error: BaseException) -> str:
    """The text of an exception that a user wrote, which may be anything."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the same
        return f"{type(error).__name__} (its text cannot be shown)"


def fit_to_keep(text: str) -> str:
    """Its end, if it is long; halves of characters, which cannot be stored, made visible."""
    text = text if len(text) <= MAX_ERROR_CHARACTERS else "…" + text[-MAX_ERROR_CHARACTERS:]
    return text.encode("utf-8", "backslashreplace").decode()


def last_line(text: str) -> str:
    """What a log line has room for."""
    return text.rpartition("\n")[2]
