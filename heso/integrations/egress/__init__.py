"""Gating HTTP itself: what leaves through Python's HTTP libraries, whoever calls them."""
