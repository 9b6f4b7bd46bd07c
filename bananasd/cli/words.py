"""Words that have to follow a rule, as arguments and options: what could never be right is refused before a server is asked."""

from collections.abc import Callable

import click

from ..chunks import forms_of
from ..errors import InvalidJob
from ..limits import check_id, check_name, check_queue


def _checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """A rule of the client, for an argument's or an option's type."""

    def convert(text: str) -> str:
        try:
            return check(text)
        except InvalidJob as error:
            raise click.BadParameter(str(error)) from None

    return convert


any_id = _checked(check_id)
any_dead_id = _checked(lambda text: forms_of(text)[0])
"""What somebody else pushed into a lane is among the dead as it was written, in capitals or no UUID at all."""
any_name = _checked(check_name)
any_queue = _checked(check_queue)
any_key = _checked(lambda text: check_name(text, "key"))

id_argument = click.argument("job_id", metavar="ID", type=any_id)
