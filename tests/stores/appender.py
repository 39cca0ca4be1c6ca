"""A process that appends receipts to a project's file and prints each acknowledged hash, one per line.

appender.py FILE SESSION COUNT inline|tasks        COUNT 0: until killed
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import seal_action, seal_suspended

MINE = {"by": os.getpid()}  # so that no two processes make the same receipt


def main(file: str, session: str, count: str, how: str) -> None:
    ledger = SqliteLedger(Path(file))
    sys.stdin.readline()  # everybody starts together
    rounds = range(int(count)) if count != "0" else itertools.count()
    if how == "inline":
        for number in rounds:
            make_seal = seal_suspended if number % 5 == 4 else seal_action
            tell(ledger.append_inline(make_seal(session, fields=MINE)))
    else:
        asyncio.run(append_in_tasks(ledger, session, iter(rounds)))
    ledger.close()


async def append_in_tasks(ledger, session, rounds):
    async def work():
        for _ in rounds:  # shared: together they make as many as one alone would
            tell(await ledger.append(seal_action(session, fields=MINE)))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(work())


def tell(appended):
    for one in appended:
        print(one.receipt.action_hash, flush=True)


main(*sys.argv[1:])
