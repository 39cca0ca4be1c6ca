"""The SDKs that are known."""

from heso.integrations.anthropic import ANTHROPIC
from heso.integrations.openai import OPENAI
from heso.integrations.sdk import Sdk

SDKS = (OPENAI, ANTHROPIC)


def loaded_sdks() -> tuple[Sdk, ...]:
    """Those that this process has imported."""
    return tuple(sdk for sdk in SDKS if sdk.is_loaded())


def sdk_of(kind: type) -> Sdk | None:
    """The SDK whose client this is a class of."""
    return next((sdk for sdk in loaded_sdks() if issubclass(kind, sdk.bases())), None)
