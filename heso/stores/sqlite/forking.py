"""Forks.

SQLite's file locks belong to a process, and fork copies its memory of them: a child that opens the file believes that it
holds what its parent holds, locks nothing, and the two write over each other. So no connection is open while a fork
happens. Each store gives its connection up before, and opens a new one when it is used again, in parent and child.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """A store with a connection."""

    def before_fork(self) -> None:
        """Finish what is being written, let nothing new begin, close the connection."""
        ...

    def after_fork_in_parent(self) -> None:
        """Let writing go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Start over: locks, threads and waiting callers stayed in the parent."""
        ...


_stores: WeakSet[Forkable] = WeakSet()


def survive_forks(store: Forkable) -> None:
    """Have the store's hooks called around every fork of this process, for as long as it lives."""
    _stores.add(store)


def _before() -> None:
    for store in list(_stores):
        store.before_fork()


def _after_in_parent() -> None:
    for store in list(_stores):
        store.after_fork_in_parent()


def _after_in_child() -> None:
    for store in list(_stores):
        store.after_fork_in_child()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
