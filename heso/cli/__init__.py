"""The `heso` command. Answers go to stdout, talk goes to stderr, errors are two lines: what, and what to do.

A command's module is loaded when it is asked for, so `heso verify` never pays for the ledger.
"""

import sys
from collections.abc import Sequence

from heso.cli.arguments import parse_arguments
from heso.cli.output import fail
from heso.core.errors import HesoError

OK = 0
FAILED = 1
USAGE = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        command = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        return command()
    except HesoError as error:
        return fail(str(error), error.next_step)
    except BrokenPipeError:  # `heso log | head`
        sys.stderr.close()
        return OK
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return fail(
            f"{error.filename or 'the system'}: {error.strerror}",
            "check the path and its permissions",
        )
