"""Redaction and reveal: a receipt that hides a card number, and proves it to whoever is shown the sidecar.

Run it: python examples/03_redaction_and_reveal.py
"""

import json
import tempfile
from pathlib import Path

import heso
from heso.core.redaction import check_reveals, parse_sidecar
from heso.project import create_project
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.records import SqliteRecords

POLICY = """
[[rule]]
id = "small-payments"
order = 10
verb = "payment"
conditions = [{ field = "amount_usd", op = "lte", value = 100 }]
redact = ["card.number"]
decision = "allow"
"""
CARD = {"number": "4242 4242 4242 4242", "name": "A. Lovelace"}


@heso.tool(verb="payment", redact=["pin"])
def charge(amount_usd: int, card: dict[str, str], pin: str) -> str:
    """The body gets the real values; the policy hides the number, the decorator the PIN."""
    return f"charged ${amount_usd} to {card['number'][-4:]} with PIN {'*' * len(pin)}"


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="heso-example-"))
    (root / "heso.toml").write_text(POLICY, "utf-8")
    create_project(root, passphrase=None)
    with heso.init(root, workflow="checkout") as runtime:
        print(charge(40, CARD, pin="1234"))
        records = SqliteRecords(runtime.settings.database)
        receipt = records.newest(1)[0].receipt
        records.close()

    assert heso.verify_receipt(receipt).is_valid  # anybody can check this, offline
    assert CARD["number"].encode() not in receipt
    content = json.loads(receipt)["content"]
    print("the receipt shows:", content["action"]["fields"])

    # Later, to an auditor: the receipt and its sidecar.
    sidecar = RevealFolder(root / ".heso" / "reveals").find(content["redaction"]["merkle_root"])
    assert sidecar is not None
    for reveal in check_reveals(content, parse_sidecar(sidecar)):
        print("proved:", reveal.field_path, "=", reveal.value_json)


if __name__ == "__main__":
    main()
