"""An independent subsystem program: packets by regular expression, messages by psrpcore.

Started as a child process by the tests. The words of a script select its actions: ``count 3``,
``echo`` (its input), ``warn``, ``error``, ``fail``, ``ask`` (a line from the host), ``sleep``,
``deaf`` (sleeps without reading), ``die`` (in the middle of a packet), ``exit 3``.
"""

from __future__ import annotations

import base64
import os
import re
import sys
import time
import uuid
from typing import Any

import psrpcore
from psrpcore import types as t

PACKET = re.compile(r"<(\w+) (?:Stream='(\w+)' )?PSGuid='([^']+)'(?: />|>([^<]*)<)")
ZERO = "00000000-0000-0000-0000-000000000000"
STREAMS = {
    "default": psrpcore.StreamType.default,
    "promptresponse": psrpcore.StreamType.prompt_response,
}


def spelled(command: Any) -> str:
    """Return the text of a script, or a command with its arguments."""
    return " ".join([command.command_text, *(str(value) for _, value in command.parameters)])


class Server:
    def __init__(self) -> None:
        self.pool = psrpcore.ServerRunspacePool()
        self.pipelines: dict[str, Any] = {}
        self.inputs: dict[str, list[Any]] = {}

    def write(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def flush(self) -> None:
        while (payload := self.pool.data_to_send(32768)) is not None:
            guid = str(payload.pipeline_id or ZERO)
            data = base64.b64encode(payload.data).decode()
            self.write(f"<Data Stream='Default' PSGuid='{guid}'>{data}</Data>")

    def packet(self, kind: str, stream: str, guid: str, data: str) -> None:
        if kind == "Command":
            self.pipelines[guid] = psrpcore.ServerPipeline(self.pool, uuid.UUID(guid))
            self.inputs[guid] = []
        elif kind == "Data":
            target = None if guid == ZERO else uuid.UUID(guid)
            raw = base64.b64decode(data)
            payload = psrpcore.PSRPPayload(raw, STREAMS[stream.lower()], target)
            self.pool.receive_data(payload)
            while (event := self.pool.next_event()) is not None:
                self.event(event, guid)
        elif kind == "Signal" and guid in self.pipelines:
            pipeline = self.pipelines[guid]
            if pipeline.state == t.PSInvocationState.Running:
                pipeline.begin_stop()
                pipeline.stop()
        elif kind == "Close" and guid in self.pipelines:
            pipeline = self.pipelines.pop(guid)
            if pipeline.state == t.PSInvocationState.Running:
                pipeline.begin_stop()
                pipeline.stop()
            pipeline.close()
        elif kind == "Close" and guid == ZERO:
            self.pool.begin_close()
            self.pool.close()
        self.flush()
        self.write(f"<{kind}Ack PSGuid='{guid}' />")

    def event(self, event: Any, guid: str) -> None:
        if isinstance(event, psrpcore.CreatePipelineEvent):
            pipeline = self.pipelines[guid]
            pipeline.start()
            self.run(guid, pipeline, spelled(event.pipeline.commands[0]))
        elif isinstance(event, psrpcore.PipelineInputEvent):
            self.inputs[guid].append(event.data)
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
            for item in self.inputs[guid]:
                self.pipelines[guid].write_output(item)
            self.pipelines[guid].complete()
        elif isinstance(event, psrpcore.PipelineHostResponseEvent):
            self.pipelines[guid].write_output(event.result)
            self.pipelines[guid].complete()

    def run(self, guid: str, pipeline: Any, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "count":
            for number in range(int(rest)):
                pipeline.write_output(number)
        elif word == "warn":
            pipeline.write_warning(rest)
        elif word == "error":
            error = t.NETException(rest)
            pipeline.write_error(error, fully_qualified_error_id="Bad,Test")
        elif word == "ask":
            pipeline.host_call(t.HostMethodIdentifier.ReadLine)
            return
        elif word == "exit":
            pipeline.host_call(t.HostMethodIdentifier.SetShouldExit, [int(rest)])
        elif word == "die":
            self.flush()
            sys.stdout.write(f"<Data Stream='Default' PSGuid='{guid}'>AAAA")
            sys.stdout.flush()
            os._exit(1)
        elif word == "deaf":
            pipeline.write_output("deaf")
            self.flush()
            time.sleep(1000)
        elif word == "sleep":
            pipeline.write_output("asleep")
            return
        elif word == "echo":
            return
        pipeline.complete()


def main() -> None:
    server = Server()
    for line in sys.stdin:
        for found in PACKET.finditer(line):
            server.packet(found[1], found[2] or "", found[3], found[4] or "")


if __name__ == "__main__":
    main()
