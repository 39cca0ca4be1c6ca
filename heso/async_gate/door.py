"""The one gate of this process, for the functions that were decorated before it was built."""

from heso.async_gate.pipeline import Gate


class _Door:
    gate: Gate | None = None


def install_gate(gate: Gate | None) -> None:
    """Make `gate` the process's gate; None closes the door."""
    _Door.gate = gate


def installed_gate() -> Gate | None:
    return _Door.gate
