"""The command `kairos token make`."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["COMMANDS"]

EXAMPLES: Final = """\b
Examples:
  kairos token make operator
  kairos token make desk --name hall-3
"""


@click.group("token")
def token_group() -> None:
    """Tokens for the platform's HTTP door."""


@token_group.command("make", epilog=EXAMPLES)
@click.argument("role", type=click.Choice(["operator", "desk", "reader"]))
@click.option("--name", default="", help="Whose it is: letters, digits and . @ _ -, at most 40.")
def make(role: str, name: str) -> None:
    """Make a token of ROLE: printed once, with the line that the platform keeps of it.

    operator: changes what runs, imports, triggers. desk: customers too, who is to be offered what. reader:
    figures. Put the line into the file of http.tokens_file or into the environment variable
    KAIROS_HTTP_TOKENS, give the token to whoever shall come in, and keep it nowhere else.
    """
    from experiments.problems import BadInput
    from marketing.api.tokens import NAME, ROLES, make_token

    if name and not NAME.fullmatch(name):
        raise BadInput(f"--name {name}: expected letters, digits and . @ _ -, at most 40")
    clear, token = make_token(next(one for one in ROLES if one == role), name)
    click.echo(f"token: {clear}")
    click.echo(f"line:  {token.line()}")


COMMANDS: Final = (token_group,)
"""For `kairos`."""
