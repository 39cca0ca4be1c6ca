"""Anthropic's SDK, its clients for cloud platforms among it."""

from heso.integrations.sdk import Sdk

ANTHROPIC = Sdk("anthropic", "anthropic._base_client", ("SyncAPIClient", "AsyncAPIClient"), (1, 2))
