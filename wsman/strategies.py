"""Hypothesis strategies for WS-Management: headers, operations, envelopes, whole conversations.

Install ``psremoting[testing]``; nothing else in `wsman` imports this module. All values are such as
a real peer may send, so you can test your own client or server with them.

    @given(envelopes())
    def test_my_reader(envelope): assert my_reader(envelope.data) == envelope.value
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import strategies as st

from psrp.frozen import dataclass
from wsman import faults, names, operations, queries, soap
from wsman import shell_values as v
from wsman.envelopes import Headers

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "Conversation",
    "EnvelopeExample",
    "Exchange",
    "conversations",
    "envelopes",
    "headers",
    "requests",
    "responses",
]

_XML_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=40
)
_WORD = _XML_TEXT.map(str.strip)
"""Text without white space at the ends, which readers strip."""
_IDS = st.uuids().map(lambda made: str(made).upper())
_DATA = st.binary(max_size=300)
_SECONDS = st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000)
_PAIRS = st.lists(st.tuples(_WORD.filter(bool), _WORD), max_size=3).map(tuple)


def headers() -> SearchStrategy[Headers]:
    """Generate headers; each member may be present or absent."""
    uuids = _IDS.map(lambda made: f"uuid:{made}")
    optional = _WORD | st.just("")
    return st.builds(
        Headers,
        to=optional,
        reply_to=st.sampled_from(["", names.ANONYMOUS]),
        message_id=uuids | st.just(""),
        relates_to=uuids | st.just(""),
        resource_uri=optional,
        session_id=uuids | st.just(""),
        operation_id=uuids | st.just(""),
        sequence_id=st.none() | st.integers(0, 2**31),
        operation_timeout=st.none() | _SECONDS,
        max_envelope_size=st.none() | st.integers(0, 2**32 - 1),
        locale=st.sampled_from(["", "en-US", "de-DE"]),
        data_locale=st.sampled_from(["", "en-US"]),
        compression=st.sampled_from(["", "xpress"]),
        selectors=_PAIRS,
        options=st.lists(
            st.builds(soap.Option, name=_WORD.filter(bool), value=_WORD, must_comply=st.booleans()),
            max_size=3,
        ).map(tuple),
    )


_STREAMS = st.lists(
    st.builds(
        v.StreamData,
        name=st.sampled_from(["stdin", "stdout", "stderr", "pr"]),
        data=_DATA,
        command_id=_IDS | st.just(""),
        end=st.booleans(),
    ),
    max_size=4,
).map(tuple)
_STATES = st.lists(
    st.builds(
        soap.CommandState,
        state=st.sampled_from(["Done", "Running", "Pending"]),
        command_id=_IDS | st.just(""),
        exit_code=st.none() | st.integers(-(2**31), 2**32 - 1),
    ),
    max_size=2,
).map(tuple)
_INFO = st.builds(
    v.ShellInfo,
    shell_id=_IDS,
    name=_WORD,
    resource_uri=_WORD,
    owner=_WORD,
    process_id=st.none() | st.integers(0, 2**32),
    idle_timeout=st.none() | _SECONDS,
    state=st.sampled_from(["Connected", "Disconnected", ""]),
    shell_run_time=st.none() | st.integers(0, 10**8).map(float),
)
_COMMAND_INFO = st.builds(
    queries.CommandInfo, shell_id=_IDS, command_id=_IDS, state=_WORD, command_line=_WORD
)
_ITEMS: dict[str, Any] = {
    "context": _IDS | st.just(""),
    "shells": st.lists(_INFO, max_size=3).map(tuple),
    "commands": st.lists(_COMMAND_INFO, max_size=3).map(tuple),
    "end": st.booleans(),
}


def requests() -> SearchStrategy[Any]:
    """Generate the body of any request."""
    mode = st.sampled_from(["", "Block", "Drop"])
    return st.one_of(
        st.builds(
            v.Create, shell_id=_IDS | st.just(""), name=_WORD, idle_timeout=st.none() | _SECONDS,
            lifetime=st.none() | _SECONDS, working_directory=_WORD, environment=_PAIRS,
            creation_xml=st.none() | _DATA,
        ),
        st.builds(
            v.Command, command_id=_IDS | st.just(""), command=_XML_TEXT,
            arguments=st.lists(_XML_TEXT, max_size=3).map(tuple),
        ),
        st.builds(v.Send, streams=_STREAMS),
        st.builds(v.Receive, streams=_WORD, command_id=_IDS | st.just("")),
        st.builds(v.Signal, code=_WORD, command_id=_IDS | st.just("")),
        st.builds(v.Disconnect, idle_timeout=st.none() | _SECONDS, buffer_mode=mode),
        st.builds(v.Reconnect, command_id=_IDS | st.just(""), buffer_mode=mode),
        st.builds(v.Connect, command_id=_IDS | st.just(""), connect_xml=st.none() | _DATA),
        st.builds(queries.Enumerate, optimized=st.booleans(), selectors=_PAIRS).map(_with_dialect),
        st.builds(queries.Pull, context=_WORD),
        st.builds(queries.Release, context=_WORD),
        st.sampled_from([v.Delete(), queries.Get(), queries.Identify()]),
    )  # fmt: skip


def _with_dialect(value: queries.Enumerate) -> queries.Enumerate:
    dialect = names.SELECTOR_FILTER if value.selectors else ""
    return queries.Enumerate(optimized=value.optimized, selectors=value.selectors, dialect=dialect)


def responses() -> SearchStrategy[Any]:
    """Generate the body of any response, including faults."""
    return st.one_of(
        st.builds(
            v.CreateResponse, address=_WORD.filter(bool), resource_uri=_WORD, selectors=_PAIRS,
            shell=st.none() | _INFO,
        ),
        st.builds(v.CommandResponse, command_id=_IDS),
        st.builds(v.ReceiveResponse, streams=_STREAMS, states=_STATES),
        st.builds(v.ConnectResponse, connect_response_xml=st.none() | _DATA),
        st.builds(queries.GetResponse, shell=st.none() | _INFO),
        st.builds(queries.EnumerateResponse, **_ITEMS),
        st.builds(queries.PullResponse, **_ITEMS),
        st.builds(queries.IdentifyResponse, product_vendor=_WORD, product_version=_WORD),
        st.sampled_from(
            [v.SendResponse(), v.SignalResponse(), v.DeleteResponse(), v.DisconnectResponse(),
             v.ReconnectResponse(), queries.ReleaseResponse(), operations.KeepAlive()]
        ),
        st.sampled_from(sorted(faults.FAULT_NAMES)).map(faults.make_fault),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeExample:
    """One envelope as bytes and as a value."""

    data: bytes
    headers: Headers
    value: Any


@st.composite
def _envelopes(draw: DrawFn, values: SearchStrategy[Any]) -> EnvelopeExample:
    given, value = draw(headers()), draw(values)
    encoding = draw(st.sampled_from(["utf-8", "utf-16"]))
    written = operations.write(given, value, encoding=encoding)
    # Windows' native client pads sealed envelopes with NUL bytes and includes them in the length.
    padding = b"\0" * draw(st.sampled_from([0, 0, 2, 14])) if encoding == "utf-8" else b""
    return EnvelopeExample(data=written + padding, headers=given, value=value)


def envelopes(values: SearchStrategy[Any] | None = None) -> SearchStrategy[EnvelopeExample]:
    """Generate envelopes of any operation, in UTF-8 or UTF-16, or of ``values``."""
    return _envelopes(requests() | responses() if values is None else values)


# -- conversations


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its response; ``status`` is the HTTP status."""

    request: Any
    response: Any
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The whole life of a PowerShell shell, as consecutive exchanges."""

    shell_id: str
    exchanges: tuple[Exchange, ...]
    output: tuple[tuple[UUID | None, bytes], ...]
    """The server's output by target; None is the pool."""


@st.composite
def conversations(draw: DrawFn, max_commands: int = 3) -> Conversation:
    """Generate a shell that is created, runs commands with input and output, and is deleted.

    The conversation contains time-outs and empty answers, output is cut anywhere, and a command may
    be stopped.
    """
    shell_id = draw(_IDS)
    said: dict[UUID | None, bytes] = {}
    selectors = ((v.SHELL_SELECTOR, shell_id),)
    uri = names.POWERSHELL_PREFIX + "Microsoft.PowerShell"
    exchanges = [
        Exchange(
            request=v.Create(shell_id=shell_id, creation_xml=draw(_DATA)),
            response=v.CreateResponse(
                address="http://host/wsman", resource_uri=uri, selectors=selectors
            ),
        )
    ]
    exchanges += _polls(draw, None, said)
    for target in draw(st.lists(st.uuids(version=4), max_size=max_commands, unique=True)):
        exchanges += _command(draw, target, said)
        exchanges += _polls(draw, None, said)
    exchanges.append(Exchange(request=v.Delete(), response=v.DeleteResponse()))
    return Conversation(shell_id=shell_id, exchanges=tuple(exchanges), output=tuple(said.items()))


def _polls(draw: DrawFn, target: UUID | None, said: dict[UUID | None, bytes]) -> list[Exchange]:
    """Generate some Receives of one target that do not end it."""
    made = []
    command_id = str(target).upper() if target is not None else ""
    for data in draw(st.lists(st.none() | _DATA, max_size=4)):
        request = v.Receive(command_id=command_id)
        if data is None:
            fault = faults.make_fault("TimedOut")
            made.append(Exchange(request=request, response=fault, status=500))
            continue
        cut = draw(st.integers(0, len(data)))
        streams = tuple(
            v.StreamData(name="stdout", data=part, command_id=command_id)
            for part in (data[:cut], data[cut:])
        )
        said[target] = said.get(target, b"") + data
        states = draw(st.sampled_from([(), (soap.CommandState(state="Running"),)]))
        response = v.ReceiveResponse(streams=streams, states=states)
        made.append(Exchange(request=request, response=response))
    return made


def _command(draw: DrawFn, target: UUID, said: dict[UUID | None, bytes]) -> list[Exchange]:
    command_id = str(target).upper()
    made = [
        Exchange(
            request=v.Command(command_id=command_id, command=" ", arguments=(draw(_DATA),)),
            response=v.CommandResponse(command_id=command_id),
        )
    ]
    for data in draw(st.lists(_DATA.filter(bool), max_size=3)):
        stream = v.StreamData(name="stdin", data=data, command_id=command_id)
        made.append(Exchange(request=v.Send(streams=(stream,)), response=v.SendResponse()))
    made += _polls(draw, target, said)
    if draw(st.booleans()):
        stop = v.Signal(code=names.SIGNAL_STOP, command_id=command_id)
        made.append(Exchange(request=stop, response=v.SignalResponse()))
    done = v.ReceiveResponse(states=(soap.CommandState(state="Done", command_id=command_id),))
    made.append(Exchange(request=v.Receive(command_id=command_id), response=done))
    end = v.Signal(code=names.SIGNAL_TERMINATE, command_id=command_id)
    made.append(Exchange(request=end, response=v.SignalResponse()))
    return made
