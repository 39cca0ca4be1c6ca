"""Wrapping a client in place: its class is swapped for a subclass of itself with one gated `request`.

Every resource of these clients, also one taken before, ends in `client.request`, looked up when it is called. So one
method gates them all, those of the next release too, and the client stays what it is: `isinstance`, `with`, copies,
signatures and types.

Rule 1: an unknown client, or one whose inside is not what we know, is refused. It is never half wrapped.
Rule 2: `request` opens the passage; the client's HTTP client is sealed beneath it, at every call anew.
"""

import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from heso.core.errors import HesoError
from heso.integrations.calling import run_gated, run_gated_async
from heso.integrations.describing import Settings
from heso.integrations.httpx_door import find_httpx, seal
from heso.integrations.outcomes import Outcomes
from heso.integrations.sdk import Sdk
from heso.integrations.sdks import SDKS, loaded_sdks, sdk_of
from heso.integrations.websockets import gate_websockets

T = TypeVar("T")
_SETTINGS = "__heso_settings__"
_live: "weakref.WeakSet[Any]" = weakref.WeakSet()
_living = threading.Lock()


@dataclass(eq=False)
class NotWrapped(HesoError):
    """A client that cannot be wrapped so that nothing gets past. It is as it was."""

    client: str
    why: str

    next_step = "wrap a client of the openai or anthropic SDK, or gate the HTTP below it with heso.gate_http()"

    def __str__(self) -> str:
        return f"{self.client} is not wrapped: {self.why}"


def wrap(
    client: T,
    *,
    name: str | None = None,
    redact: Iterable[str] = (),
    largest: int | None = None,
    outcomes: bool = False,
) -> T:
    """Gate every call of an OpenAI or Anthropic client, sync or async, and give the same client back.

    `name` is the tool on receipts and for `register_client`; it defaults to the SDK's. `redact` lists paths into the
    body whose values no receipt shows, lists included: `messages.content`. `largest` is the length in bytes from which
    a text is shown by its hash. `outcomes` records the tokens, the model and the reason it stopped, signed, after each call.

    A call then raises `BlockedError`, `SuspendedError` or `GateError` before anything is sent, else whatever the client
    does. Wrapping again changes nothing but these settings. Raises `NotWrapped`.
    """
    sdk = _checked(client)
    settings = sdk.settings(name=name, redact=redact, largest=largest, outcomes=outcomes)
    base = _base_of(type(client))
    gated: Any = _gated(base, settings)
    target: Any = client
    try:
        target.__class__ = gated
    except TypeError as error:
        raise NotWrapped(base.__name__, f"its class cannot be swapped ({error})") from error
    _take_in(target, settings)
    return client


def is_gated(client: object) -> bool:
    """Whether every call of this client passes the gate."""
    return settings_of(client) is not None


def settings_of(client: object) -> Settings | None:
    found = getattr(type(client), _SETTINGS, None)
    if isinstance(found, Settings):
        return found
    sdk = sdk_of(type(client))
    return None if sdk is None or sdk.name not in _instrumented else _instrumented[sdk.name]


def live_clients() -> list[Any]:
    """The gated clients that exist."""
    with _living:
        found = list(_live)
    return [client for client in found if is_gated(client)]


_instrumented: dict[str, Settings] = {}
_originals: list[tuple[type, str, Any]] = []


def instrument(
    *,
    redact: Iterable[str] = (),
    largest: int | None = None,
    outcomes: bool = False,
) -> list[str]:
    """Gate the calls of every client of the SDKs that are installed, also of those that frameworks make inside, and of
    those that exist already. The names of the SDKs.

    A client that was wrapped keeps its own settings. Raises `NotWrapped` when no SDK is installed, or one is not what we
    know; then none is instrumented.
    """
    found = [sdk for sdk in SDKS if sdk.is_installed()]
    if not found:
        raise NotWrapped("no SDK", "neither openai nor anthropic is installed")
    for sdk in found:
        for base in sdk.bases():
            _check_request(base)
    uninstrument()
    for sdk in found:
        settings = sdk.settings(name=None, redact=redact, largest=largest, outcomes=outcomes)
        for base in sdk.bases():
            known: Any = base
            _patch(base, "request", _gated_request(known.request, None))
            _patch(base, "__init__", _gated_init(known.__init__))
        _instrumented[sdk.name] = settings
    for client in unwrapped_clients():
        settings_here = settings_of(client)
        if settings_here is not None and find_httpx(getattr(client, "_client", None)) is not None:
            _take_in(client, settings_here)
    gate_websockets(live_clients, settings_of)
    return [sdk.name for sdk in found]


def uninstrument() -> None:
    """Take back `instrument`. Clients that were wrapped stay wrapped."""
    while _originals:
        owner, name, original = _originals.pop()
        setattr(owner, name, original)
    _instrumented.clear()


def unwrapped_clients() -> list[Any]:
    """The clients of known SDKs in this process that were not wrapped by themselves."""
    import gc  # noqa: PLC0415  # only who looks for them

    bases = tuple(base for sdk in loaded_sdks() for base in sdk.bases())
    return [
        thing
        for thing in gc.get_objects()
        if issubclass(type(thing), bases) and not hasattr(type(thing), _SETTINGS)
    ]


def _patch(owner: type, name: str, made: Any) -> None:
    _originals.append((owner, name, vars(owner)[name]))
    setattr(owner, name, made)


def _checked(client: object) -> Sdk:
    kind = type(client)
    sdk = sdk_of(kind)
    if sdk is None:
        raise NotWrapped(kind.__name__, "it is no client of a known SDK")
    _check_request(kind)
    inner = getattr(client, "_client", None)
    if find_httpx(inner) is None:
        raise NotWrapped(kind.__name__, f"what it sends with is a {type(inner).__name__}")
    return sdk


def _check_request(kind: type) -> None:
    """Raises `NotWrapped` when `request` is not the one method that we know."""
    try:
        names = list(inspect.signature(kind.request).parameters)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        names = []
    if names[:3] != ["self", "cast_to", "options"]:
        raise NotWrapped(
            kind.__name__, "its `request` is not the one that is known: heso is older than this SDK"
        )


def _base_of(kind: type) -> type:
    """The class as it was before a wrapping."""
    return next(base for base in kind.__mro__ if _SETTINGS not in vars(base))


@functools.lru_cache(maxsize=256)
def _gated(base: type, settings: Settings) -> type:
    return type(
        base.__name__,
        (base,),
        {
            "__module__": base.__module__,
            "__qualname__": base.__qualname__,
            "__doc__": base.__doc__,
            _SETTINGS: settings,
            "request": _gated_request(base.request, settings),  # type: ignore[attr-defined]
            "__init__": _gated_init(base.__init__),  # type: ignore[misc]
        },
    )


def _gated_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        settings = settings_of(self)
        if settings is not None and hasattr(self, "_client"):
            _take_in(self, settings)

    return _dressed(__init__, original)


def _take_in(client: Any, settings: Settings) -> None:
    seal(client._client, settings, _is_on(client))  # noqa: SLF001  # every version of these SDKs keeps it there
    with _living:
        _live.add(client)
    gate_websockets(live_clients, settings_of)


def _gated_request(original: Callable[..., Any], own: Settings | None) -> Callable[..., Any]:
    """`own` None: the method of a base class, which leaves a wrapped client to its own."""
    if inspect.iscoroutinefunction(original):

        async def request_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            settings = own or _settings_here(self)
            if settings is None:
                return await original(self, *args, **kwargs)
            owner = _seal_again(self, settings)
            send = functools.partial(original, self, *args, **kwargs)
            once = functools.partial(_make_once, original, self, args, kwargs)
            outcomes = Outcomes(settings)
            try:
                result = await run_gated_async(
                    send, settings, outcomes.admitted, owner=owner, once=once
                )
            except Exception as error:
                await outcomes.failed_async(error)
                raise
            return await outcomes.seen_async(result)

        return _dressed(request_async, original)

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        settings = own or _settings_here(self)
        if settings is None:
            return original(self, *args, **kwargs)
        owner = _seal_again(self, settings)
        send = functools.partial(original, self, *args, **kwargs)
        once = functools.partial(_make_once, original, self, args, kwargs)
        outcomes = Outcomes(settings)
        try:
            result = run_gated(send, settings, outcomes.admitted, owner=owner, once=once)
        except Exception as error:
            outcomes.failed(error)
            raise
        return outcomes.seen(result)

    return _dressed(request, original)


def _dressed(made: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """It looks like the original, and does not lead to it."""
    dressed: Any = functools.wraps(original)(made)
    dressed.__signature__ = inspect.signature(original)
    del dressed.__wrapped__
    return cast("Callable[..., Any]", dressed)


def _settings_here(client: object) -> Settings | None:
    """The settings of a client that only the base class's method stands for."""
    return None if hasattr(type(client), _SETTINGS) else settings_of(client)


def _make_once(
    original: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Make the request without trying again; its options may be given by name."""
    bound = inspect.signature(original).bind(client, *args, **kwargs)
    options = bound.arguments["options"]
    bound.arguments["options"] = options.model_copy(update={"max_retries": 0})
    return original(*bound.args, **bound.kwargs)


def _seal_again(client: Any, settings: Settings) -> object:
    """The HTTP client that it sends with now, sealed."""
    inner: object = client._client  # noqa: SLF001
    if find_httpx(inner) is None:
        kind = type(inner).__name__
        raise NotWrapped(type(client).__name__, f"what it sends with is a {kind} now")
    seal(inner, settings, _is_on(client))
    return inner


def _is_on(client: object) -> Callable[[], bool] | None:
    """A wrapped client's doors stay closed; one that was only instrumented has them closed as long."""
    if hasattr(type(client), _SETTINGS):
        return None
    sdk = sdk_of(type(client))
    return lambda: sdk is not None and sdk.name in _instrumented
