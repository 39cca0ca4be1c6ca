"""The fault table: each call of a port, not done or done without a word, on both ways through the gate."""

from collections.abc import Callable

import pytest

import heso
from heso.ports import NotWritten, Unacknowledged
from heso.testing import Fault, FaultyClock, FaultyLedger, FaultyReveals, FaultySigner

Make = Callable[..., Callable[[str], object]]
CAUSES = {
    ("reveals", Fault.NOT_WRITTEN): NotWritten,
    ("reveals", Fault.UNACKNOWLEDGED): Unacknowledged,
    ("ledger", Fault.NOT_WRITTEN): NotWritten,
    ("ledger", Fault.UNACKNOWLEDGED): Unacknowledged,
    ("signer", Fault.NOT_WRITTEN): ConnectionRefusedError,
    ("signer", Fault.UNACKNOWLEDGED): TimeoutError,
    ("clock", Fault.NOT_WRITTEN): OSError,
}


def _break(project, port: str, fault: Fault, *, number: int = 0) -> None:
    faults = {number: fault}
    project.start(
        **{
            "reveals": lambda: {"reveals": FaultyReveals(project.reveals, faults)},
            "ledger": lambda: {"ledger": FaultyLedger(project.ledger, faults)},
            "signer": lambda: {"signer": FaultySigner(project.signer, faults)},
            "clock": lambda: {"clock": FaultyClock(project.clock, faults)},
        }[port]()
    )


@pytest.mark.parametrize("verb", ["llm_call", "payment", "http_request"])
@pytest.mark.parametrize("call", CAUSES, ids=str)
def test_a_fault_means_that_the_body_does_not_run(
    project, body, make_either: Make, call: tuple[str, Fault], verb: str
) -> None:
    project.start().enter_policy()
    looks_first = call[0] == "ledger" and verb == "payment"  # was this very call asked before?
    _break(project, *call, number=1 if looks_first else 0)
    act = make_either(body, verb=verb, redact=["secret"])
    with pytest.raises(heso.GateError) as refused:
        act("x")
    assert body.ran == []
    error = refused.value
    assert type(error.__cause__) is CAUSES[call]
    assert error.next_step
    assert str(error).startswith("act did not run: ") or ".act did not run: " in str(error)
    evidence = project.check()
    is_written = call == ("ledger", Fault.UNACKNOWLEDGED)
    wrote = {"llm_call": 1, "payment": 2, "http_request": 1}[verb]
    assert evidence.receipts == 1 + (wrote if is_written else 0)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_while_looking_for_an_earlier_asking_leaves_nothing(
    project, body, make_either: Make, fault: Fault
) -> None:
    project.start().enter_policy()
    _break(project, "ledger", fault)
    with pytest.raises(heso.GateError):
        make_either(body, verb="payment", redact=["secret"])("x")
    assert (body.ran, project.check().receipts) == ([], 1)


def test_after_a_fault_the_next_call_goes_through(project, body, make_either: Make) -> None:
    for port, fault in CAUSES:
        _break(project, port, fault)
        act = make_either(body, verb="llm_call")
        with pytest.raises(heso.GateError):
            act("lost")
        act("kept")
    assert body.ran == ["kept"] * len(CAUSES)
    project.check()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_signer_that_fails_halfway_through_a_suspension_leaves_nothing(
    project, body, make_either: Make, number: int
) -> None:
    """The asked receipt, the suspended link and the policy's entry are signed one after another."""
    project.start(signer=FaultySigner(project.signer, {number: Fault.UNACKNOWLEDGED}))
    with pytest.raises(heso.GateError):
        make_either(body, verb="payment")("x")
    assert project.check().receipts == 0


def test_a_policy_that_cannot_be_entered_stops_the_start(project) -> None:
    gate = project.start(ledger=FaultyLedger(project.ledger, {0: Fault.NOT_WRITTEN}))
    with pytest.raises(NotWritten):
        gate.enter_policy()
    assert project.check().receipts == 0


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signer_that_gives_no_signature_admits_nothing(
    project, body, make_either: Make, size: int
) -> None:
    class Careless:
        public_key = project.signer.public_key

        def sign(self, _message: bytes) -> bytes:
            return b"s" * size

    project.start(signer=Careless())
    with pytest.raises(heso.GateError):
        make_either(body)("x")
    assert body.ran == []


def test_dice_that_give_too_little_admit_nothing(project, body, make_either: Make) -> None:
    class Short:
        def draw(self, _size: int) -> bytes:
            return b"x"

    project.start(dice=Short())
    with pytest.raises(heso.GateError):
        make_either(body, redact=["secret"])("x")
    assert body.ran == []


def test_a_ledger_that_answers_nothing_admits_nothing(project, body, make_either: Make) -> None:
    class Silent:
        async def append(self, _seal: object) -> tuple[()]:
            return ()

        def append_inline(self, _seal: object) -> tuple[()]:
            return ()

    project.start(ledger=Silent())
    with pytest.raises(heso.GateError):
        make_either(body)("x")
    assert body.ran == []
