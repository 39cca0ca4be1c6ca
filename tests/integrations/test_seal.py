"""The seal, each time in a process of its own: nothing takes it back."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

FIRST = """
import socket, subprocess, sys, os
import heso
from heso.project import create_project
from heso.integrations.egress.audit import SealedError
from heso.testing.model_server import model_server
import httpx, tempfile, asyncio

root = tempfile.mkdtemp()
open(root + "/heso.toml", "w").write('[[rule]]\\nid = "all"\\norder = 1\\nverb = "any"\\ndecision = "allow"\\n')
create_project(__import__("pathlib").Path(root), None)
with model_server() as open_server, model_server() as server, heso.init(root):
    port = int(server.url.rpartition(":")[2])
    open_port = int(open_server.url.rpartition(":")[2])
    heso.gate_http(seal=True, allow=[f"localhost:{open_port}"])
    def refused(act):
        try:
            act()
        except SealedError as error:
            print("refused", error.what)
        else:
            print("NOT REFUSED")
    refused(lambda: socket.create_connection(("127.0.0.1", port)))
    refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)))
    refused(lambda: socket.socket(socket.AF_UNIX).connect("/run/some.sock"))
    refused(lambda: subprocess.run(["true"]))
    refused(lambda: os.system("true"))
    refused(lambda: httpx.HTTPTransport().handle_request(httpx.Request("GET", server.url)))
    socket.create_connection(("127.0.0.1", open_port)).close()
    print(httpx.get(server.url + "/x").status_code)
    async def later():
        async with httpx.AsyncClient() as client:
            return (await client.get(server.url + "/x")).status_code
    print(asyncio.run(later()))
    @heso.tool
    def deploy():
        return subprocess.run(["true"]).returncode
    print(deploy())
    print(len(server.requests))
    print(heso.self_check().open)
"""


def test_a_sealed_process_reaches_only_what_is_gated_or_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "refused a connection",
        "refused a connection",
        "refused a connection",
        "refused starting a program",
        "refused starting a program",
        "refused a connection",
        "200",
        "200",
        "0",
        "2",
        "()",
    ]


SEALED = """
import multiprocessing, socket, subprocess, sys, tempfile, pathlib, http.client
import heso
from heso.integrations.egress.audit import SealedError
from heso.project import create_project
from heso.testing.model_server import model_server
import httpx

def refused(act):
    try:
        act()
    except (SealedError, ValueError, heso.BlockedError) as error:
        print("refused", type(error).__name__)
    else:
        print("NOT REFUSED")

def main():
    root = tempfile.mkdtemp()
    pathlib.Path(root, "heso.toml").write_text(
        '[[rule]]\\nid = "x"\\norder = 1\\nverb = "any"\\nscope = "localhost"\\ndecision = "allow"\\n'
        '[[rule]]\\nid = "y"\\norder = 2\\nverb = "any"\\ndecision = "block"\\n')
    create_project(pathlib.Path(root), None)
    with model_server() as server, model_server() as other, heso.init(root):
        port, other_port = (int(s.url.rpartition(":")[2]) for s in (server, other))
        heso.gate_http(seal=True)
        refused(lambda: heso.gate_http(seal=True, allow=["0.0.0.0/0"]))
        refused(lambda: multiprocessing.get_context("spawn").Process(target=print).start())
        def leak(_):
            refused(lambda: socket.create_connection(("127.0.0.1", other_port)))
            refused(lambda: subprocess.run(["true"]))
        with httpx.Client(event_hooks={"request": [leak]}) as client:
            print(client.get(f"http://localhost:{port}/x").status_code)
        refused(lambda: httpx.get(f"http://127.0.0.1:{port}/x", auth=lambda r: leak(r) or r))
        connection = http.client.HTTPConnection("localhost", port)
        connection.putrequest("GET", "/x")
        connection.endheaders()
        print(connection.getresponse().status)
        class Host(str):
            def __str__(self):
                return "allowed"
        refused(lambda: socket.socket().connect((Host("127.0.0.1"), other_port)))
        print(len(server.requests), len(other.requests))

if __name__ == "__main__":
    main()
"""


def test_a_sealed_process_holds(tmp_path: Path) -> None:
    program = tmp_path / "sealed.py"
    program.write_text(SEALED)
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "refused ValueError",
        "refused SealedError",
        "refused SealedError",
        "refused SealedError",
        "200",
        "refused SealedError",
        "refused SealedError",
        "refused BlockedError",
        "200",
        "refused SealedError",
        "2 0",
    ]
    assert multiprocessing.active_children() == []
