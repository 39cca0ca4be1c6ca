"""The shop of the approvals' tests, for what happens after a yes."""

from tests.approvals.conftest import shop, sqlite_shop

__all__ = ["shop", "sqlite_shop"]
