"""``dsfactory completion SHELL``: the script that completes commands and store names."""

from __future__ import annotations

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import json_option
from dsfactory.errors import UnfitEnvironmentError

VARIABLE = "_DSFACTORY_COMPLETE"
"""Where click looks for a question of the shell: the program's name in capitals."""

SHELLS = ("bash", "fish", "zsh")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
@click.pass_context
def command(context: click.Context, shell: str, as_json: bool) -> None:
    """Print what makes a shell complete commands, options and store names.

    \b
    bash  eval "$(dsfactory completion bash)"        in ~/.bashrc; 4.4 or later
    zsh   eval "$(dsfactory completion zsh)"         in ~/.zshrc
    fish  dsfactory completion fish > ~/.config/fish/completions/dsfactory.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise UnfitEnvironmentError(f"This click completes nothing in {shell}. Upgrade click.")
    script = made(context.find_root().command, {}, "dsfactory", VARIABLE).source()
    if as_json:
        pages.print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
