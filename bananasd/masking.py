"""Hiding the secrets of URLs in texts that people read: logs, errors of jobs, and errors about a configuration."""

import re

_HIDDEN = "***"

# All take time in proportion to the text, whatever users log: nothing is looked at twice.
_SECRET_OPTION = re.compile(
    r"""
    ( [?&\#;] (?=[^\s?&\#;=]*+=)                       # an option, which has a value
      [^\s?&\#;=]*?
      (?: passw | passphrase | passcode | secret | token | signature | credential | authoriz | assertion
        | (?:api|access|auth|private|account)[_-]?key
        | (?<![a-z])(?:key|sig|auth|pwd|pw|pass|otp|jwt|sid|session|sessionid)(?![a-z])
        | (?<=[?&\#;])code(?==) )
      [^\s?&\#;=]*+= )
    [^\s&@]* (@?) [^\s&]*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TO_THE_LAST_AT = re.compile(r"(?<!\S)(?=\S*?://)\S+@")
_CUT_TO_THE_LAST_AT = re.compile(r"\A…\S*@")
_AUTHORITY = re.compile(r"(https?|wss?)?://([^/?#]*)", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?:\[[\da-f:.]*\]|[^:]*)(?::\d{0,5})?", re.IGNORECASE)


def mask_url(text: str) -> str:
    """The text with what may be secret in URLs replaced by ``***``; nothing else of it changes.

    That is all between ``//`` and the last ``@`` of the word, user and password, for either may be the secret, and neither
    need be escaped: also ``/``, ``?`` and ``#`` stand in passwords. And, in a query, a fragment or a parameter of any word,
    each value whose name says that it is a secret.
    """
    # The '@' of a value stays: it may be the one behind a password that reads like an option.
    text = _SECRET_OPTION.sub(rf"\1{_HIDDEN}\2", text)
    return _TO_THE_LAST_AT.sub(_hide_user, text) if "://" in text else text


def mask_error(error: str) -> str:
    """The same of an error as a job keeps it: only its end, if it is long, which may begin within a URL."""
    return mask_url(_CUT_TO_THE_LAST_AT.sub(f"…{_HIDDEN}@", error))


def _hide_user(found: re.Match[str]) -> str:
    """The beginning of a word, up to its last ``@``, without what stands before that in a URL."""
    word = found[0]
    begin = next((url.start(2) for url in _AUTHORITY.finditer(word) if _has_user(*url.groups())), None)
    return word if begin is None else f"{word[:begin]}{_HIDDEN}@"


def _has_user(web: str | None, authority: str) -> bool:
    """Whether a URL names a user, if there is an ``@`` in or behind its authority.

    In paths of the web that sign is common; so there what reads as host and port is taken for that.
    """
    return "@" in authority or (":" in authority and not (web and _HOST_AND_PORT.fullmatch(authority)))
