"""Characters that do something, or cannot be seen, made visible: who reads a line must see what stands in it."""

import re

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # what drives a terminal
    r"\u2028\u2029"  # what some take for the end of a line
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what shows a text in another order
    r"\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # what nobody sees
    r"\ud800-\udfff]"  # halves of characters, which no stream can write
)


def escape(text: str) -> str:
    """The text with those characters as Python writes them; tabs and line ends stay, and what joins letters and pictures."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
