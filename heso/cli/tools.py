"""Loading the modules that define tools, for commands that run them."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from heso.core.errors import HesoError
from heso.settings import find_root


class CannotLoad(HesoError):
    """A module with tools cannot be imported."""

    next_step = (
        "give its importable name; the project's folder is on the path: --module my_agent.tools"
    )


def add_module(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--module",
        metavar="NAME",
        action="append",
        default=[],
        help="a module that defines tools, to be imported; may be repeated",
    )


def load_modules(options: argparse.Namespace) -> None:
    """Import what was asked for, with the project's folder first on the path. Raises `CannotLoad`."""
    root = find_root(os.environ, Path.cwd(), options.project)
    sys.path.insert(0, str(root))
    for name in options.module:
        try:
            import_module(name)
        except ImportError as error:
            raise CannotLoad(f"the module {name} cannot be imported: {error}") from error
