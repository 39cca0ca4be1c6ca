"""Every example runs as a program of its own and prints what it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
PRINTS = {
    "01_agent_loop": r"""look_up_order\({'order': 'o-17'}\) -> 30
refund\({'order': 'o-17', 'amount_usd': 30}\) -> refunded \$30
refund\({'order': 'o-18', 'amount_usd': 400}\) -> waiting for a person until \d{4}-\S+Z
close_account\({'customer': 'ada'}\) -> waiting for a person until \d{4}-\S+Z
really refunded: \['o-17'\]
receipts: heso log --project (?P<root>\S+)
""",
    "02_async_service": r"""1000 actions signed and on disk, \d+ a second
blocked by no-bulk: When any agent calls a tool and recipients is over 100, then block it\.
check all of it: heso verify --chain --project (?P<root>\S+)
""",
    "03_redaction_and_reveal": r"""charged \$40 to 4242 with PIN \*\*\*\*
the receipt shows: {'amount_usd': 40, 'card': {'number': {'_sd': '[0-9a-f]{64}'}, 'name': 'A\. Lovelace'}, 'pin': {'_sd': '[0-9a-f]{64}'}}
proved: pin = "1234"
proved: card\.number = "4242 4242 4242 4242"
""",
    "04_resume_after_crash": r"""the first process ended with -9
(result: refunded \$400
){3}refunds made: 1
check it: heso verify --chain --project (?P<root>\S+)
""",
    "05_vendor_payout": r"""  \(the invoice is read\)
day 0: waiting
day 14: waiting
  ada says yes: suspended
day 17: waiting
  1 of 2 said yes; the chief may, too, by now
  cleo says yes: approved
day 17: done
result: sent \$48000 to Lamps Ltd \| paid 1 time
check it: heso verify --chain --project (?P<root>\S+)
""",
    "06_agent_survives_kill": r"""process 1 ended with -9
result: \['search lamps: ok', 'order lamp-3: ok'\]
process 2 ended with 0
the model was asked 3 times
the tools did \['search lamps', 'order lamp-3'\]
check it: heso verify --chain --project (?P<root>\S+)
""",
    "07_air_gapped_approval": r"""the answer is one line of \d+ characters
export_customers is approved
exported: 1204
check it: heso verify --chain --project (?P<root>\S+)
""",
    "08_openai": r"""It is sunny\.
not sent: openai is blocked by rule 'no-other-models': When any agent calls a model, then block it\.
not sent yet: waits for a person \(rule 'no-big-answers'\)
It is sunny\.
sent: 2 of 4
receipts: heso log --project (?P<root>\S+)
""",
    "09_anthropic": r"""It is sunny\.
waits for a person; sent so far: 1
approved and sent: It is sunny\.
sent: 2
check it: heso verify --chain --project (?P<root>\S+)
""",
    "10_agent_with_tools": r"""look_up: o-18: paid 400 dollars, arrived broken
refund: refused: refund is blocked by rule 'refunds': When any agent pays, then block it\.
refund: refunded \$50 for o-18
visit: refused: http is blocked by rule 'nothing-else-leaves': When any agent makes an HTTP request, then block it\.
The customer has their money\.
receipts: heso log --project (?P<root>\S+)
""",
}


def test_every_example_is_known_here() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(PRINTS)


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_an_example_prints_what_it_promises(path: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name[:5] != "HESO_"}
    environment["TMPDIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = re.fullmatch(PRINTS[path.stem], done.stdout)
    assert found, done.stdout
    if "root" in found.groupdict():
        program = Path(sys.executable).with_name("heso")
        for command in (["verify", "--chain"], ["verify", "--audit"], ["log"]):
            checked = subprocess.run(
                [program, *command, "--project", found["root"]], capture_output=True, check=False
            )
            assert checked.returncode == 0
