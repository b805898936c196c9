"""A command line that refuses in one line."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """argparse without the usage before an error; exit code 2 as always."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where more stands."""
        self.exit(2, f"{self.prog}: {message}. Try: {self.prog} --help\n")
