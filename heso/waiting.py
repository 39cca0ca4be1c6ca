"""What programs call once something waits: resume, wait, start, result and their like, on the project of this process."""

from typing import Any

from heso.approvals.errors import NoSuchTicket
from heso.async_gate.recall import read_ticket
from heso.core.encoding import Digest, is_digest
from heso.core.journal import Run, RunId
from heso.runtime import started_runtime
from heso.workflows.defining import Workflow
from heso.workflows.recorder import frozen
from heso.workflows.resume import resume as resume_action
from heso.workflows.resume import wait as wait_for_action
from heso.workflows.standing import Standing, standing_of


async def resume(action_hash: str) -> Any:
    """Run a suspended action once it was approved, in this process, and return its result.

    Any process that has the project and the tool may ask, any number of times, at the same moment: one runs it, everybody
    gets the result. Raises `SuspendedError` while it waits, `RejectedError`, `ExpiredError`, `WithdrawnError`,
    `InDoubtError`, `ToolFailedError`, or what the tool itself raises here; `NoSuchTool` or `CannotResume` when this process
    cannot run it, and then it is as it was. A result that was stored comes back in its JSON form.
    """
    return await resume_action(started_runtime(action_hash[:12]).desk, _whole(action_hash))


async def wait(action_hash: str, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # it raises SuspendedError, not TimeoutError
    """Wait here until a suspended action is decided, then `resume` it.

    `timeout` is in seconds; when it is over and nobody has decided, raises `SuspendedError`.
    """
    desk = started_runtime(action_hash[:12]).desk
    return await wait_for_action(desk, _whole(action_hash), timeout_seconds=timeout)


def standing(action_hash: str) -> Standing:
    """Where a suspended action stands: its state, who said yes, what an approver changed, its result."""
    gate = started_runtime(action_hash[:12]).gate
    return standing_of(read_ticket(gate, _whole(action_hash)))


def cancel(name: str) -> None:
    """Take back a suspended action, by its hash, or a run, by its id.

    Raises `WrongState` or `WrongRunState` once it has run or ended, `NoSuchTicket` or `NoSuchRun`.
    """
    runtime = started_runtime(name[:12])
    if is_digest(name):
        runtime.desk.cancel(Digest(name))
    else:
        runtime.driver.cancel(RunId(name))


async def start(workflow: Workflow, /, *args: Any, id: str, **kwargs: Any) -> Run:  # noqa: A002  # its name
    """Start a run, or find the one of this id, and go on with it as far as it goes now; the run as it is then.

    The same id is the same run, in every process: starting it again does no step again. Raises `RunConflict` when the id
    belongs to a run of something else, `CaptureError` when an argument has no JSON form, `ValueError` for an id that is
    empty, longer than 200 characters, not printable, or 64 hexadecimal digits: those name actions.
    """
    fields = frozen(workflow.name, workflow.binder.bind(args, kwargs))
    return await started_runtime(workflow.name).driver.start(workflow, fields, RunId(id))


def status(run: str | Run) -> Run:
    """A run as it is now: its state, what it waits for, why it is parked. Raises `NoSuchRun`."""
    return started_runtime("the run").driver.read(_id_of(run))


async def result(run: str | Run, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # it raises RunWaiting
    """The result of a run in its JSON form; waits for it, and drives it whenever it may go on.

    Raises `RunFailed`, `RunCancelled`; `RunWaiting` when `timeout` seconds are over.
    """
    driver = started_runtime("the run").driver
    return await driver.result(_id_of(run), timeout_seconds=timeout)


def signal(run: str | Run, name: str, value: object = None) -> None:
    """Tell a run something that it will `receive`; kept until then. Raises `NoSuchRun`."""
    started_runtime("the run").driver.signal(_id_of(run), name, value)


def _whole(action_hash: str) -> Digest:
    if not is_digest(action_hash):
        raise NoSuchTicket(
            action_hash, "give the whole hash, as SuspendedError has it: 64 characters"
        )
    return Digest(action_hash)


def _id_of(run: str | Run) -> RunId:
    return run.id if isinstance(run, Run) else RunId(run)
