"""How a refusal leaves a client: as a `BaseException`, because clients catch, retry and rename `Exception`s."""

from dataclasses import dataclass

from heso.async_gate.stages import AlreadyAsked
from heso.core.errors import HesoError
from heso.integrations.describing import Described
from heso.integrations.exchange import Exchange


@dataclass(eq=False)
class SentOnce(HesoError):
    """What people approved went out, and the client wanted to send it again. It did not."""

    tool: str

    next_step = "look at what came of it, and ask again"

    def __str__(self) -> str:
        return f"{self.tool} was sent once, as approved, and is not sent again"


class Refused(BaseException):
    """Carries an error of ours out of a client, past whatever it catches."""

    def __init__(self, error: HesoError) -> None:
        self.error = error


class Asked(BaseException):
    """Carries out of a client that this request was asked before."""

    def __init__(self, asked: AlreadyAsked, exchange: Exchange, described: Described) -> None:
        self.asked = asked
        self.exchange = exchange
        self.described = described


def signal_in(raised: BaseException) -> Asked | Refused | None:
    """Ours, also out of a client's task group."""
    while isinstance(raised, BaseExceptionGroup):
        ours, others = raised.split((Asked, Refused))
        if ours is None or others is not None:
            return None
        raised = ours.exceptions[0]
    return raised if isinstance(raised, Asked | Refused) else None
