"""Each decision for each kind of function: who runs, what is raised, what is on disk by then."""

import traceback
from collections.abc import Callable

import pytest

import heso
from heso.async_gate.door import install_gate
from heso.core.redaction import check_reveals, parse_sidecar

SECRET = "4111-secret-1111"  # noqa: S105  # opens nothing
Make = Callable[..., Callable[[str], object]]


def test_allowed_bodies_run_after_their_receipt_is_on_disk(project, body, make_tool: Make) -> None:
    body.on_run = lambda: seen.append((project.decisions(), heso.current_action_hash()))
    seen = []
    assert make_tool(body, verb="tool_call")("x") == "did x"
    (receipt,) = project.read()
    assert seen == [(["allow"], receipt["action_hash"])]
    assert receipt["action"]["fields"] == {"secret": "x"}
    assert heso.current_action_hash() is None
    project.check()


def test_blocked_bodies_do_not_run(project, body, make_tool: Make) -> None:
    with pytest.raises(heso.BlockedError) as refused:
        make_tool(body, verb="http_request")("x")
    assert body.ran == []
    (receipt,) = project.read()
    assert (receipt["policy"]["decision_path"], refused.value.rule_id) == ("block", "blocked")
    assert refused.value.action_hash == receipt["action_hash"]
    assert refused.value.next_step
    project.check()


@pytest.mark.parametrize("by", ["policy", "argument"])
def test_redacted_values_reach_the_body_and_nothing_else(
    project, body, make_tool: Make, by: str
) -> None:
    options = {"verb": "llm_call"} if by == "policy" else {"redact": ["secret"]}
    assert make_tool(body, **options)(SECRET) == f"did {SECRET}"
    assert body.ran == [SECRET]
    (receipt,) = project.read()
    assert receipt["action"]["fields"]["secret"] == {
        "_sd": receipt["redaction"]["markers"][0]["commitment"]
    }
    assert SECRET.encode() not in project.on_disk()
    sidecar = project.reveals.find(receipt["redaction"]["merkle_root"])
    (reveal,) = check_reveals(receipt, parse_sidecar(sidecar))
    assert reveal.value_json == f'"{SECRET}"'
    project.check()


@pytest.mark.parametrize("verb", ["http_request", "payment"])
def test_redacted_values_are_in_no_error_and_no_ticket(
    project, body, make_tool: Make, verb: str
) -> None:
    with pytest.raises((heso.BlockedError, heso.SuspendedError)) as refused:
        make_tool(body, verb=verb, redact=["secret"])(SECRET)
    assert SECRET.encode() not in project.on_disk()
    error = refused.value
    assert SECRET not in f"{error} {error!r} {vars(error)} {error.next_step}"


@pytest.mark.parametrize("name", ["ledger", "signer", "reveals", "clock"])
def test_redacted_values_are_in_no_error_of_a_fault(
    project, body, make_either: Make, name: str
) -> None:
    project.start(**{name: object()})
    with pytest.raises(heso.GateError) as refused:
        make_either(body, redact=["secret"])(SECRET)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert body.ran == []


def test_suspended_bodies_do_not_run_and_wait_as_a_ticket(
    project, body, tickets, make_tool: Make
) -> None:
    with pytest.raises(heso.SuspendedError) as refused:
        make_tool(body, verb="payment")("x")
    assert body.ran == []
    asked, link = project.read()
    assert project.decisions() == ["require_approval", "suspended"]
    assert refused.value.action_hash == asked["action_hash"]
    ticket = tickets(asked["action_hash"])
    assert ticket is not None
    assert ticket.fields_json == b'{"secret":"x"}'
    assert ticket.lifecycle_session == link["session_id"] == f"lifecycle:{asked['action_hash']}"
    assert link["suspension"]["approval"]["expires_at"] == refused.value.expires_at
    assert refused.value.expires_at == "2026-01-02T00:00:00Z"
    project.check()


@pytest.mark.parametrize("decision", ["allow", "block", "redact", "require_approval"])
def test_an_observing_gate_records_and_lets_everything_run(
    project, body, make_tool: Make, verbs: dict[str, str], decision: str
) -> None:
    project.start(is_blocking=False)
    assert make_tool(body, verb=verbs[decision])("x") == "did x"
    (receipt,) = project.read()
    assert receipt["policy"]["decision_path"] == decision
    note = {"field": "gate.blocking", "op": "eq", "value": False}
    assert note in receipt["policy"]["matched_conditions"]
    project.check()


def test_an_enforcing_gate_never_says_that_it_observes(project, body, make_either: Make) -> None:
    make_either(body)("x")
    assert "gate.blocking" not in str(project.read())


def test_without_a_gate_nothing_runs(project, body, make_tool: Make) -> None:
    act = make_tool(body)
    install_gate(None)
    with pytest.raises(heso.GateError) as refused:
        act("x")
    assert (body.ran, refused.value.next_step) == ([], "call heso.init() first")


def test_an_observing_gate_that_cannot_write_runs_nothing(project, body, make_tool: Make) -> None:
    project.start(is_blocking=False)
    project.ledger.close()
    with pytest.raises(heso.GateError):
        make_tool(body)("x")
    assert body.ran == []


def test_actions_nobody_wrote_a_rule_for_wait_for_a_person(project, body, make_tool: Make) -> None:
    with pytest.raises(heso.SuspendedError):
        make_tool(body, verb="account_change")("x")
    assert body.ran == []


def test_peeking_writes_nothing_and_runs_nothing(project, verbs: dict[str, str]) -> None:
    project.start()
    before = project.on_disk(), project.signer.signed
    for decision, verb in verbs.items():
        outcome = heso.peek(heso.Call("t", {"secret": "x"}, verb=verb))
        assert type(outcome.decision).__name__.lower() == decision.replace("_", "")
    assert (project.on_disk(), project.signer.signed) == before
    assert not (project.folder / "reveals").exists()
