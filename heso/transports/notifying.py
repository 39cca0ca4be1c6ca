"""Ways to tell people: a line on standard error, a command, a signed webhook.

Rule 1: a command is a list of arguments, run without a shell; the notice is JSON on its standard input.
Rule 2: a webhook goes to a public address over TLS, to nobody it redirects to, and to the very address that was checked:
        a name that resolves to this machine or its network could reach what only this machine may reach.
Rule 3: what is sent names the action and never shows its arguments. The receiver checks `heso-signature`: Ed25519 by the
        project's decision key over the domain, the time in `heso-time`, and the body.
"""

import ipaddress
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Literal, Protocol, assert_never

import orjson
from anyio import to_thread

from heso.core.encoding import format_base64
from heso.core.receipt import Signs
from heso.core.visible import visible
from heso.ports import Clock, Notice, Notifier, NotNotified
from heso.transports.own import own_request

WEBHOOK_DOMAIN = b"heso-webhook/v1\0"
_TIMEOUT_SECONDS = 10.0
_PRINTED = 200


class StderrNotifier:
    """A line for whoever watches the worker."""

    async def notify(self, notice: Notice) -> None:
        who = " or ".join(notice.who) or "anybody"
        line = (
            f"heso: {notice.kind}: {notice.tool} {notice.action_hash[:12]} for {who} "
            f"until {notice.deadline}"
        )
        print(visible(line)[:_PRINTED], file=sys.stderr)  # noqa: T201  # its purpose


class CommandNotifier:
    """Runs a program for each notice."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    async def notify(self, notice: Notice) -> None:
        with own_request():
            await to_thread.run_sync(self._run, format_notice(notice))

    def _run(self, body: bytes) -> None:
        try:
            done = subprocess.run(  # noqa: S603  # the project's own list of arguments, and no shell
                self._command,
                input=body,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotNotified(self._command[0], type(error).__name__) from error
        if done.returncode != 0:
            raise NotNotified(self._command[0], f"it ended with {done.returncode}")


class WebhookNotifier:
    """Posts each notice, signed. `open_signer` opens the decision key when the first one is sent."""

    def __init__(
        self,
        url: str,
        open_signer: Callable[[], Signs],
        clock: Clock,
        *,
        may_be_private: bool = False,
    ) -> None:
        self._url = url
        self._open_signer = open_signer
        self._clock = clock
        self._may_be_private = may_be_private

    async def notify(self, notice: Notice) -> None:
        import httpx  # noqa: PLC0415  # only a webhook needs it

        body = format_notice(notice)
        seconds = str(self._clock.now() // 1_000_000_000)
        signer = self._open_signer()
        signature = signer.sign(WEBHOOK_DOMAIN + seconds.encode() + b"." + body)
        url = httpx.URL(self._url)
        address = await to_thread.run_sync(self._checked_address, url.scheme, url.host, url.port)
        headers = {
            "content-type": "application/json",
            "host": url.netloc.decode("ascii"),
            "heso-time": seconds,
            "heso-key": signer.public_key,
            "heso-signature": format_base64(signature),
        }
        try:
            async with httpx.AsyncClient(
                timeout=_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
            ) as client:
                with own_request():
                    answer = await client.post(
                        url.copy_with(host=address),
                        content=body,
                        headers=headers,
                        extensions={"sni_hostname": url.host},
                    )
        except httpx.HTTPError as error:
            raise NotNotified(url.host, type(error).__name__) from error
        if not answer.is_success:
            raise NotNotified(url.host, f"it answered {answer.status_code}")

    def _checked_address(self, scheme: str, host: str, port: int | None) -> str:
        """The address to connect to. Raises `NotNotified` for one that is not public."""
        if scheme != "https" and not self._may_be_private:
            raise NotNotified(host, "it is not https")
        try:
            found: list[Any] = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NotNotified(host, "it has no address") from error
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not self._may_be_private and not is_public(address):
                raise NotNotified(host, f"it resolves to {address}, which is not public")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether this is an address of the open Internet, and not of this machine, its network or a cloud's own."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if mapped is not None and not is_public(str(mapped)):
        return False
    return found.is_global and not found.is_multicast


def format_notice(notice: Notice) -> bytes:
    return orjson.dumps({"heso_notice": 1, **asdict(notice)})


class Way(Protocol):
    """One `[[notify]]` of the settings."""

    @property
    def via(self) -> Literal["stderr", "command", "webhook"]: ...
    @property
    def command(self) -> tuple[str, ...]: ...
    @property
    def url(self) -> str: ...
    @property
    def may_be_private(self) -> bool: ...


def make_notifiers(
    ways: Sequence[Way], open_signer: Callable[[], Signs], clock: Clock
) -> tuple[Notifier, ...]:
    """The notifiers that the settings ask for."""
    return tuple(_make_notifier(way, open_signer, clock) for way in ways)


def _make_notifier(way: Way, open_signer: Callable[[], Signs], clock: Clock) -> Notifier:
    match way.via:
        case "stderr":
            return StderrNotifier()
        case "command":
            return CommandNotifier(way.command)
        case "webhook":
            return WebhookNotifier(way.url, open_signer, clock, may_be_private=way.may_be_private)
        case _:
            assert_never(way.via)
