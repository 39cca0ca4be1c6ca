"""What is going on around a gated call: the step it belongs to, and the action it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from heso.core.encoding import Digest


@dataclass(frozen=True, slots=True)
class Step:
    """Names that calls inherit. None is the project's own."""

    workflow: str | None = None
    account: str | None = None
    session: str | None = None
    outer: "Step | None" = None


_NOWHERE = Step()
_step: ContextVar[Step] = ContextVar("heso_step", default=_NOWHERE)
_action: ContextVar[Digest | None] = ContextVar("heso_action", default=None)
_key: ContextVar[tuple[Digest, str] | None] = ContextVar("heso_key", default=None)
"""An action whose attempts share a key, and the key. What is called inside its body is another action."""


def current_step() -> Step:
    return _step.get()


def current_action_hash() -> Digest | None:
    """Inside a gated body: the hash of the receipt that admitted it. Elsewhere None."""
    return _action.get()


def current_idempotency_key() -> str | None:
    """Inside a gated body: a key to hand on to whoever has the effect, so that a second attempt is no second effect.

    It is the same for every attempt of one approved action, and of one step of a run. Elsewhere None.
    """
    action, keyed_action = _action.get(), _key.get()
    return action if keyed_action is None or keyed_action[0] != action else keyed_action[1]


@contextmanager
def keyed(action_hash: Digest, key: str) -> Iterator[None]:
    """Inside is the body of an action whose attempts share a key of their own."""
    tokens = _action.set(action_hash), _key.set((action_hash, key))
    try:
        yield
    finally:
        _action.reset(tokens[0])
        _key.reset(tokens[1])


def enter_action(action_hash: Digest) -> Token[Digest | None]:
    return _action.set(action_hash)


def leave_action(token: Token[Digest | None]) -> None:
    try:  # noqa: SIM105  # suppress() costs half a microsecond, and every call leaves
        _action.reset(token)
    except ValueError:  # closed from another context, which never entered
        pass


class step:  # noqa: N801  # used as `with heso.step(...)`, like contextlib's
    """Names the workflow, account or session of the calls made inside; for `with` and `async with`.

    Steps nest: what an inner one leaves out comes from the outer one. Tasks and threads started inside with the
    current context inherit it. The session is the chain the receipts go to; it defaults to the workflow.
    """

    def __init__(
        self, *, workflow: str | None = None, account: str | None = None, session: str | None = None
    ) -> None:
        for name, value in (("workflow", workflow), ("account", account), ("session", session)):
            if value == "":
                raise ValueError(f"{name} must not be empty")
        self._wanted = Step(workflow, account, session)

    def __enter__(self) -> Self:
        outer, wanted = _step.get(), self._wanted
        inner = Step(
            wanted.workflow or outer.workflow,
            wanted.account or outer.account,
            wanted.session or (None if wanted.workflow else outer.session),
            outer,
        )
        _step.set(inner)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _step.set(_step.get().outer or _NOWHERE)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)
