"""The work of a PowerShell shell in the service; it corresponds to PowerShell's WSMan plugin.

It passes bytes to a session and back without interpreting them. The refusals and their codes are
those of PowerShell's plugin. See spec-notes/wsman-service.md.
[MS-PSRP] 3.2.5.3, [MS-WSMV] 3.1.4.5
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psrp.sansio import Outgoing, Stream, TransportAct
from wsman import names, soap
from wsman import shell_values as v
from wsman.faults import make_fault
from wsman.hosting import Refusal, Session, too_many_commands
from wsman.xpress import XpressError, compress, decompress

__all__ = ["PowerShellWork", "plugin_fault"]

FRAGMENT = 32768
"""Maximum bytes of one Stream: the plugin's packet size."""
KEPT = 128 << 10
"""Bytes of a command's output that are kept while its client is disconnected, BufferMode Drop."""
_LEAST_ROOM = 512
_ELEMENT = 192
"""Bytes that surround the data of one Stream."""
_MAX_COMMANDS = 10_000

STREAM_SETS = 0x80540BB9
INPUT_STREAM = 0x80540BBE
ARGUMENT_SET = 0x80540BC4
VERSION = 0x80540BC5
OPTION_NOT_UNDERSTOOD = 0x80540BC6
OPTION_MISSING = 0x80540BC7
MANAGED_EXCEPTION = 0x80540FA0
CONNECT_WITHOUT_DATA = 0x80540FA2
CONNECT_FAILED = 0x80540FA3

_STREAMS = {"stdin": Stream.DEFAULT, "pr": Stream.PROMPT_RESPONSE}
_SERVER_VERSION = (2, 0)


def plugin_fault(code: int, text: str) -> Refusal:
    """Return a refusal with a code of PowerShell's plugin."""
    return Refusal(make_fault("InternalError", text, wsman_code=code, provider="PowerShell"))


class _Command:
    def __init__(self, id: UUID) -> None:
        self.id = id
        self.told = False
        """The state that ends the command was in an answer."""
        self.closed = False
        self.pending = False
        """The client has been told that the command is Pending."""
        self.gathered: list[v.StreamData] = []
        """Output that was taken from the session for an answer that waits for more."""


class PowerShellWork:
    """One shell's session, its commands by id, and the steps that are not confirmed yet.

    ``compressed`` is true if the client requested compression with CompressionType.
    """

    streams = ("stdin pr", "stdout")

    def __init__(self, *, compressed: bool) -> None:
        self._compressed = compressed
        self._session: Session | None = None
        self._commands: dict[str, _Command] = {}
        self._closing: list[_Command] = []
        self._failures: list[tuple[TransportAct, UUID | None, str]] = []

    # -- Create

    @staticmethod
    def check(create: v.Create, envelope: soap.Envelope) -> None:
        """Check a Create by the plugin's rules. Raises Refusal."""
        if not create.input_streams.split() or not create.output_streams.split():
            raise plugin_fault(STREAM_SETS, "The set of input or output streams is empty.")
        _check_options(envelope)

    def begin(self, session: Any, create: v.Create) -> None:
        """Pass the first fragments to the session that the host has opened."""
        self._session = session
        self.session.receive(
            Outgoing(act=TransportAct.CREATE_POOL, data=create.creation_xml or b"")
        )

    @property
    def session(self) -> Session:
        assert self._session is not None
        return self._session

    # -- commands

    @property
    def command_ids(self) -> tuple[str, ...]:
        return tuple(self._commands)

    @property
    def running(self) -> int:
        """The number of commands whose end the client has not been told."""
        return sum(not each.told for each in self._commands.values())

    def knows(self, command_id: str) -> bool:
        return command_id.upper() in self._commands

    def command(self, value: v.Command, command_id: str) -> None:
        """Start a command. Raises Refusal."""
        if len(value.arguments) != 1:
            raise plugin_fault(ARGUMENT_SET, "Expected exactly one Arguments element.")
        key = command_id.upper()
        if key in self._commands:
            text = f"An item with the same key has already been added. Key: {command_id.lower()}"
            raise plugin_fault(MANAGED_EXCEPTION, text)
        if len(self._commands) >= _MAX_COMMANDS:
            raise too_many_commands(_MAX_COMMANDS)
        id = _uuid(command_id)
        try:
            data = soap.decode_base64(str(value.arguments[0]), "Arguments")
        except soap.SoapError as error:
            raise plugin_fault(MANAGED_EXCEPTION, str(error)) from None
        self._commands[key] = _Command(id)
        self.session.receive(Outgoing(target=id, act=TransportAct.CREATE_PIPELINE, data=data))
        if failure := self._taken_failure(TransportAct.CREATE_PIPELINE, id):
            self._commands.pop(key, None)
            raise plugin_fault(MANAGED_EXCEPTION, failure)

    def _find(self, command_id: str) -> _Command:
        found = self._commands.get(command_id.upper())
        if found is None:
            raise Refusal(make_fault("InvalidSelectors"))
        return found

    # -- input

    def send(self, value: v.Send) -> tuple[str, ...]:
        """Pass input on; return the ids of its commands. Raises Refusal, changing nothing."""
        items = [self._input(each) for each in value.streams]
        for item in items:
            self.session.receive(item)
        return tuple(dict.fromkeys(each.command_id for each in value.streams))

    def _input(self, stream: v.StreamData) -> Outgoing:
        kind = _STREAMS.get(stream.name.lower())
        if kind is None:
            raise plugin_fault(
                INPUT_STREAM, f"Expected the stream stdin or pr, got {stream.name[:40]}."
            )
        target = self._find(stream.command_id).id if stream.command_id else None
        data = stream.data
        if self._compressed:
            try:
                data = decompress(data)
            except XpressError as error:
                raise plugin_fault(MANAGED_EXCEPTION, str(error)) from None
        return Outgoing(target=target, stream=kind, data=data)

    def takes_more(self, command_id: str) -> bool:
        command = self._commands.get(command_id.upper())
        return self.session.takes_more(command.id if command else None)

    # -- signals

    def signal(self, value: v.Signal) -> bool:
        """Act on a Signal; return True if its answer waits for `stopped`. Raises Refusal.

        Only the misspelt code and ``powershell/signal/ctrl_c`` stop a command; all others close it.
        """
        if not value.command_id:
            return False
        command = self._find(value.command_id)
        if value.code.lower() in (names.SIGNAL_STOP, "powershell/signal/ctrl_c"):
            self.session.receive(Outgoing(target=command.id, act=TransportAct.STOP_PIPELINE))
            return True
        self._commands.pop(value.command_id.upper())
        self._closing.append(command)
        self.session.receive(Outgoing(target=command.id, act=TransportAct.CLOSE_PIPELINE))
        self.settle()
        return False

    def stopped(self, command_id: str) -> bool:
        """Return whether the Signal that stops a command may be answered."""
        command = self._commands.get(command_id.upper())
        return command is None or command.told

    def settle(self) -> None:
        """Discard the remaining output of closed commands."""
        for command in list(self._closing):
            while (out := self.session.data_to_send(FRAGMENT, command.id)) is not None:
                if out.act is TransportAct.CLOSE_PIPELINE:
                    self._closing.remove(command)
                    break

    # -- output

    def output(
        self, command_id: str, room: int, *, gather: bool = False
    ) -> v.ReceiveResponse | None:
        """Return the answer to a Receive, or None while there is none. Raises Refusal.

        The end of a command is a separate answer after its last stream, and so is the state Running
        of a command that waited for its client and continues. With ``gather``, output of a running
        command is kept for a later answer while that has room; see `is_gathering`.
        """
        command = self._find(command_id) if command_id else None
        target = command.id if command else None
        streams = command.gathered if command else []
        room -= sum(len(each.data) + _ELEMENT for each in streams)
        # A smaller room would cut a fragment between streams, which some clients cannot read.
        while room >= FRAGMENT or not streams:
            out = self.session.data_to_send(max(min(room, FRAGMENT), _LEAST_ROOM), target)
            if out is None:
                break
            if out.act is not None:
                self._confirmed(out.act, command)
            if out.data:
                data = compress(out.data) if self._compressed else out.data
                room -= len(data) + _ELEMENT
                streams.append(v.StreamData(name="stdout", data=data, command_id=command_id))
        if command is None:
            return v.ReceiveResponse(streams=tuple(streams)) if streams else None
        name = "Done" if command.closed else self.session.state(command.id)
        over = name == "Done"
        goes_on = command.pending and name == "Running"
        if streams and name == "Done":
            name = "Running"
        elif streams and gather and name == "Running" and room >= FRAGMENT and not goes_on:
            return None
        if not streams and name != "Done" and not goes_on:
            return None
        command.pending = name == "Pending"
        command.told = over
        command.gathered = []
        state = soap.CommandState(state=name, command_id=command_id)
        return v.ReceiveResponse(streams=tuple(streams), states=(state,))

    def is_gathering(self, command_id: str) -> bool:
        """Return whether output of a command waits for an answer without ``gather``."""
        command = self._commands.get(command_id.upper())
        return command is not None and bool(command.gathered)

    def _confirmed(self, act: TransportAct, command: _Command | None) -> None:
        if command is None:
            return
        if act is TransportAct.CLOSE_PIPELINE:
            command.closed = True

    def closed_answer(self, command_id: str) -> v.ReceiveResponse:
        """Return the answer to a Receive whose command was closed meanwhile."""
        return v.ReceiveResponse(states=(soap.CommandState(state="Done", command_id=command_id),))

    # -- disconnecting

    def drop_output(self) -> None:
        """Discard all but the newest output, while the client is disconnected."""
        for command in self._commands.values():
            if self.session.pending(command.id) > KEPT:
                self.session.drop(command.id, KEPT // 2)

    def disconnect(self) -> None:
        self.session.receive(Outgoing(act=TransportAct.DISCONNECT))

    def reconnect(self) -> None:
        self.session.receive(Outgoing(act=TransportAct.RECONNECT))

    def connect(self, data: bytes | None, room: int) -> bytes:
        """Connect a new client to the pool; return the connectResponseXml. Raises Refusal."""
        if not data:
            raise plugin_fault(CONNECT_WITHOUT_DATA, "Expected connectXml with fragments.")
        answer = self.session.connect(data, room)
        if not answer:
            failure = self._taken_failure(TransportAct.CONNECT, None)
            raise plugin_fault(CONNECT_FAILED, failure or "The pool did not answer.")
        return answer

    def connect_command(self, command_id: str) -> None:
        """Connect a new client to a command. Raises Refusal."""
        command = self._find(command_id)
        self.session.receive(Outgoing(target=command.id, act=TransportAct.CONNECT))

    # -- reports of the session

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        self._failures.append((act, target, message))

    def _taken_failure(self, act: TransportAct, target: UUID | None) -> str | None:
        for each in self._failures:
            if each[:2] == (act, target):
                self._failures.remove(each)
                return each[2]
        return None

    def take_failed_commands(self) -> tuple[tuple[str, str], ...]:
        """Return ids and error texts of commands that failed to start."""
        found = []
        for act, target, message in self._failures:
            for key, command in list(self._commands.items()):
                if act is TransportAct.CREATE_PIPELINE and command.id == target:
                    del self._commands[key]
                    found.append((key, message))
        self._failures.clear()
        return tuple(found)

    def end(self) -> None:
        """End the session: the shell is deleted."""
        if self._session is not None:
            self._session.client_gone()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refusal(
            make_fault("InvalidParameter", f"Expected a GUID as CommandId, got {text[:40]}.")
        ) from None


def _check_options(envelope: soap.Envelope) -> None:
    for option in envelope.options:
        if option.must_comply and option.name.startswith("PS_"):
            raise plugin_fault(
                OPTION_NOT_UNDERSTOOD, f"The option {option.name[:80]} is not understood."
            )
    # The name is compared case-sensitively.
    version = envelope.option("protocolversion")
    if version is None:
        raise plugin_fault(
            OPTION_MISSING,
            "An option with name protocolversion is expected from the client.",
        )
    major, _, minor = version.partition(".")
    if (
        not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit())
        or int(major[:9]) != _SERVER_VERSION[0]
    ):
        raise plugin_fault(
            VERSION,
            f'<PSProtocolVersionError ServerProtocolVersion="2.0" ServerBuildVersion="7.6">'
            f"The protocol version {version[:20]} is not supported.</PSProtocolVersionError>",
        )
