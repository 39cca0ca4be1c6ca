"""The `heso` command. Answers go to stdout, talk goes to stderr, errors are two lines: what, and what to do.

A command's module is loaded when it is asked for, so `heso verify` never pays for the ledger.
"""

import io
import os
import sys
from collections.abc import Sequence

from heso.cli.arguments import parse_arguments
from heso.cli.output import fail
from heso.core.errors import HesoError

_ANY_STEP = "run the command with --help, or `heso doctor`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII
    try:
        command = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        code = command()
        sys.stdout.flush()
    except HesoError as error:
        return fail(str(error), error.next_step or _ANY_STEP)
    except BrokenPipeError:  # `heso log | head`: nobody reads any more, also not at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UnicodeError:
        return fail("an argument or a file name is not valid text", _ANY_STEP)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        what = f"{error.filename or 'the system'}: {error.strerror}"
        return fail(what, "check the path and its permissions")
    return code
