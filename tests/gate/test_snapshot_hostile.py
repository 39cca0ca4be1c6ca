"""Arguments that misbehave while they are looked at: a refusal, or the truth; never a crash, never a lie."""

import pytest

import heso

SECRET = "never-shown"  # noqa: S105  # opens nothing


def _cyclic_list() -> object:
    value: list[object] = []
    value.append(value)
    return value


def _cyclic_dict() -> object:
    value: dict[str, object] = {}
    value["self"] = [value]
    return value


def _raising_property() -> object:
    import dataclasses

    @dataclasses.dataclass
    class Moody:
        amount: int = dataclasses.field(default=1)

        def __getattribute__(self, name: str) -> object:
            if name == "amount":
                raise OSError(SECRET)
            return object.__getattribute__(self, name)

    return Moody()


def _changing_dict() -> object:
    class Changing(dict):
        def items(self) -> object:
            for pair in dict.items(self):
                self[len(self)] = 1
                yield pair

    return Changing(a=1, b=2)


def _raising_iteration() -> object:
    class Moody(list):
        def __iter__(self) -> object:
            raise LookupError(SECRET)

    return Moody([1])


def _endless() -> object:
    class Endless(list):
        def __iter__(self) -> object:
            while True:
                yield 1

    return Endless()


def _lying_index() -> object:
    class Lying:
        def __index__(self) -> object:
            return SECRET

    return Lying()


def _deep_enum() -> object:
    from enum import Enum

    value: object = 1
    for _ in range(100):
        value = Enum("E", {"A": (value,)}).A
    return value


REFUSED = [
    _cyclic_list,
    _cyclic_dict,
    _raising_property,
    _changing_dict,
    _raising_iteration,
    _endless,
    _deep_enum,
]


@pytest.mark.parametrize("make", REFUSED)
@pytest.mark.parametrize("is_redacted", [False, True])
def test_what_cannot_be_written_down_is_refused_by_name(
    project, body, make: object, is_redacted: bool
) -> None:
    @heso.tool(redact=["thing"] if is_redacted else [])
    def act(thing: object) -> None:
        body.run(thing)

    with pytest.raises(heso.CaptureError) as refused:
        act(make())
    assert body.ran == []
    assert project.read() == []
    assert SECRET not in str(refused.value)


def test_equality_that_lies_hides_no_change(project, body) -> None:
    class Same(list):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    value = Same([1])

    class Meddling:
        def append_inline(self, seal: object) -> object:
            value.append(2)
            return project.ledger.append_inline(seal)

    project.start(ledger=Meddling())

    @heso.tool
    def act(thing: object) -> None:
        body.run(thing)

    with pytest.raises(heso.GateError, match="changed while it passed the gate"):
        act(value)
    assert body.ran == []


def test_text_that_overrides_its_methods_is_written_as_it_is(project) -> None:
    class Sly(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "harmless"

        def isascii(self) -> bool:
            raise OSError

        def __len__(self) -> int:
            return 0

        def encode(self, *_: object) -> bytes:
            return b""

    @heso.tool
    def act(thing: object) -> object:
        return thing

    value = Sly("rm -rf /")
    assert act(value) is value
    act({value: value})
    assert [r["action"]["fields"]["thing"] for r in project.read()] == [
        "rm -rf /",
        {"rm -rf /": "rm -rf /"},
    ]


def test_policy_sees_the_text_and_not_what_it_pretends(project, body) -> None:
    project.start(
        """
[[rule]]
id = "no-root"
order = 1
verb = "tool_call"
decision = "block"
conditions = [{ field = "path", op = "eq", value = "/" }]
[[rule]]
id = "rest"
order = 2
verb = "tool_call"
decision = "allow"
"""
    )

    class Sly(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return False

    @heso.tool
    def act(path: str) -> None:
        body.run(path)

    with pytest.raises(heso.BlockedError):
        act(Sly("/"))
    assert body.ran == []


def test_a_property_of_the_instance_cannot_change_its_kind(project) -> None:
    class Sly:
        __class__ = dict  # what isinstance asks

        def items(self) -> object:
            return [("a", 1)]

    @heso.tool
    def act(thing: object) -> None: ...

    try:
        act(Sly())
    except heso.CaptureError:
        return
    assert project.read()[0]["action"]["fields"]["thing"] in (
        {"a": 1},
        {"$object": f"{__name__}.{Sly.__qualname__}"},
    )


def test_an_index_that_is_no_number_is_not_believed(project) -> None:
    @heso.tool
    def act(thing: object) -> None: ...

    act(_lying_index())
    (content,) = project.read()
    assert content["action"]["fields"]["thing"].keys() == {"$object"}
    assert SECRET not in str(content)


def test_nothing_is_written_by_its_repr(project) -> None:
    class Loud:
        def __repr__(self) -> str:
            return SECRET

        __str__ = __format__ = __repr__

    @heso.tool
    def act(thing: object, *more: object, **rest: object) -> None: ...

    act(Loud(), Loud(), rest=[Loud()])
    assert SECRET.encode() not in project.on_disk()
