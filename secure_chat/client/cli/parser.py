"""argparse in the person's language: headings, and its sentences about wrong arguments.

argparse asks gettext for them under its own names, with the interpreter's catalogue or none.
"""

import argparse
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from secure_chat.client.cli.language import words
from secure_chat.client.i18n import N_
from secure_chat.errors import WrongArguments

_SENTENCES = (
    (r"unrecognized arguments: (?P<what>.*)", N_("unrecognized arguments: {what}")),
    (
        r"the following arguments are required: (?P<what>.*)",
        N_("the following arguments are required: {what}"),
    ),
    (
        r"one of the arguments (?P<what>.*) is required",
        N_("one of the arguments {what} is required"),
    ),
    (
        r"argument (?P<name>.*?): invalid choice: (?P<given>.*) \(choose from (?P<known>.*)\)",
        N_("argument {name}: invalid choice: {given} (choose from {known})"),
    ),
    (
        r"argument (?P<name>.*?): not allowed with argument (?P<other>.*)",
        N_("argument {name}: not allowed with argument {other}"),
    ),
    (
        r"argument (?P<name>.*?): expected (one|at least one|1) argument",
        N_("argument {name}: a value is missing"),
    ),
    (
        r"argument (?P<name>.*?): ignored explicit argument (?P<given>.*)",
        N_("argument {name}: it takes no value ({given})"),
    ),
    (r"argument (?P<name>.*?): (?P<why>.*)", N_("argument {name}: {why}")),
)


class _Help(argparse.HelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: "Iterable[argparse._MutuallyExclusiveGroup]",
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, words("usage: ") if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """Raises instead of printing a usage and exiting, so that a mistake is one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, add_help=False, **options)
        self._positionals.title = words("arguments")
        self._optionals.title = words("options")
        self.add_argument("-h", "--help", action="help", help=words("show this help and end"))

    def error(self, message: str) -> NoReturn:
        hint = words("see {program} --help", program=self.prog)
        raise WrongArguments(reason=f"{_in_our_words(message)} ({hint})")


def _in_our_words(message: str) -> str:
    """A sentence of argparse in the person's language; one that is not known stays as it is."""
    for pattern, text in _SENTENCES:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found is not None:
            return words(text, **found.groupdict())
    return message
