"""OpenAI's SDK, Azure's clients among it."""

from heso.integrations.sdk import Sdk

OPENAI = Sdk("openai", "openai._base_client", ("SyncAPIClient", "AsyncAPIClient"), (2, 3))
