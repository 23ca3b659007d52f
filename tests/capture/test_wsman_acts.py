"""WS-Man exchanges: description of operations, streams of each shell, text of cmd shells."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from psremoting.capture import Entry, decode
from psremoting.capture.jsonlines import line
from psremoting.capture.summaries import summary
from psrp.sansio import Side
from tests.capture.makers import PIPE, entries, fragments, output, types
from tests.recordings import FIXTURES
from wsman import names

SHELL = "76056A84-51DC-4F24-9262-CA2A55464B2B"
PSRP = names.POWERSHELL_PREFIX + "Microsoft.PowerShell"
SPACES = (
    f'xmlns:s="{names.SOAP}" xmlns:a="{names.ADDRESSING}" xmlns:w="{names.WSMAN}" '
    f'xmlns:rsp="{names.SHELL}"'
)


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def envelope(
    operation: str, body: str = "", uri: str = "", headers: str = "", shell: str = SHELL
) -> str:
    action = next(uri for uri, name in names.ACTIONS.items() if name == operation)
    if uri:
        headers += f"<w:ResourceURI>{uri}</w:ResourceURI>"
        if shell:
            selector = f'<w:Selector Name="ShellId">{shell}</w:Selector>'
            headers += f"<w:SelectorSet>{selector}</w:SelectorSet>"
    return (
        f"<s:Envelope {SPACES}><s:Header><a:Action>{action}</a:Action>{headers}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def row(sender: str, soap: str | None, **more: Any) -> str:
    start = "POST /wsman HTTP/1.1" if sender == "client" else "HTTP/1.1 200"
    item = {"t": 1.5, "connection": 1, "from": sender, "start": start, "headers": [], "soap": soap}
    return json.dumps(item | more) + "\n"


def received(*streams: tuple[str, bytes], end: bool = False, state: str = "") -> str:
    last = ' End="true"' if end else ""
    text = "".join(
        f'<rsp:Stream Name="{name}" CommandId="{PIPE}"{last}>{b64(data)}</rsp:Stream>'
        for name, data in streams
    )
    if state:
        text += f'<rsp:CommandState CommandId="{PIPE}" State="{names.SHELL}/CommandState/{state}"/>'
    return f"<rsp:ReceiveResponse>{text}</rsp:ReceiveResponse>"


def cmd_session(*responses: str, page: str = "") -> list[Entry]:
    option = f'<w:Option Name="WINRS_CODEPAGE">{page}</w:Option>' if page else ""
    headers = f"<w:OptionSet>{option}</w:OptionSet>"
    rows = row("client", envelope("Create", "<rsp:Shell/>", names.RESOURCE_CMD, headers, shell=""))
    rows += row("server", envelope("CreateResponse", f"<rsp:Shell ShellId='{SHELL}'/>"))
    for response in responses:
        rows += row("client", envelope("Receive", "<rsp:Receive/>", names.RESOURCE_CMD))
        rows += row("server", envelope("ReceiveResponse", response))
    return entries(rows)


def test_a_recorded_session_reads_as_it_went() -> None:
    found = list(decode(FIXTURES / "wsman" / "test_psrp_open_runspace.yml"))
    assert [t for t in types(found) if not t.endswith(("Receive", "ReceiveResponse"))] == [
        "wsman:Create",
        "SESSION_CAPABILITY",
        "INIT_RUNSPACEPOOL",
        "wsman:CreateResponse",
        "SESSION_CAPABILITY",
        "APPLICATION_PRIVATE_DATA",
        "RUNSPACEPOOL_STATE",
        "wsman:Delete",
        "wsman:DeleteResponse",
        "summary",
    ]
    assert found[1].carrier["envelope"] == 1
    assert found[1].carrier["action"] == "Create"


def test_one_object_is_joined_over_envelopes_and_connections() -> None:
    pieces = fragments(1, output("x" * 300), 100)
    rows = ""
    for number, piece in enumerate(pieces):
        receive = envelope("Receive", "<rsp:Receive/>", PSRP)
        rows += row("client", receive, connection=number)
        response = envelope("ReceiveResponse", received(("stdout", piece)))
        rows += row("server", response, connection=number)
    found = [entry for entry in entries(rows) if entry.event is not None]
    assert [(entry.fragments, entry.target) for entry in found] == [(len(pieces), PIPE)]
    assert found[0].carrier["envelope"] == 2
    assert found[0].carrier["last_envelope"] == 2 * len(pieces)
    assert found[0].carrier["time"] == 1.5


def test_shells_do_not_mix() -> None:
    pieces = fragments(1, output("x" * 300), 200)
    rows = ""
    for piece in pieces:
        for number, shell in enumerate((SHELL, SHELL.replace("7", "8"))):
            receive = envelope("Receive", "<rsp:Receive/>", PSRP, shell=shell)
            rows += row("client", receive, connection=number)
            response = envelope("ReceiveResponse", received(("stdout", piece)))
            rows += row("server", response, connection=number)
    found = entries(rows)
    assert types(found).count("PIPELINE_OUTPUT") == 2
    assert found[-1].data["unaccounted"] == 0


def test_signals_faults_and_options_are_put_into_words() -> None:
    found = list(decode(FIXTURES / "wsman-live" / "managed-options.jsonl"))
    words = {f"{entry.type} {summary(entry)}" for entry in found if entry.type != "summary"}
    assert {"wsman:Signal stop the pipeline", "wsman:Signal terminate"} <= words
    assert any(text.startswith("wsman:Fault InvalidSelectors 2150858843: ") for text in words)
    assert any("wsman:Create" in text and "protocolversion=2.3" in text for text in words)


def test_an_authentication_leg_keeps_its_token_to_itself() -> None:
    found = list(decode(FIXTURES / "wsman-live" / "managed-options.jsonl"))
    legs = [entry for entry in found if entry.type == "wsman:Authenticate"]
    assert legs[0].data["scheme"] == "Negotiate"
    assert {entry.data.get("status") for entry in legs} == {None, 200, 401}
    rows = row("client", None, headers=[["Authorization", "Basic YWxpY2U6UEBzczE="]])
    rows += row("server", None, start="HTTP/1.1 401", headers=[["WWW-Authenticate", "Basic"]])
    text = "".join(line(entry) for entry in entries(rows))
    assert "Basic" in text
    assert "YWxpY2U6" not in text


def test_an_http_error_without_an_envelope_is_a_line() -> None:
    rows = row("client", None) + row("server", None, start="HTTP/1.1 413")
    found = entries(rows)
    assert types(found) == ["wsman:HTTP", "wsman:HTTP", "summary"]
    assert summary(found[1]).strip() == "413"
    failed = list(decode(FIXTURES / "wsman" / "test_psrp_is_alive_http_error.yml"))
    assert any("not recorded" in summary(entry) for entry in failed if entry.type == "wsman:HTTP")


def test_an_envelope_that_cannot_be_read_costs_its_bytes_only() -> None:
    rows = row("client", "<broken>") + row("client", envelope("Get", uri=PSRP))
    found = entries(rows)
    assert types(found) == ["error", "wsman:Get", "summary"]
    assert (found[0].direction, found[0].data["rule"]) == (Side.CLIENT, "soap")
    assert found[-1].data["unaccounted"] == len("<broken>")


def test_a_stream_that_is_not_base64_is_an_error_line() -> None:
    rows = row("client", envelope("Receive", "<rsp:Receive/>", PSRP))
    body = received(("stdout", b"")).replace("></rsp:Stream>", ">!!</rsp:Stream>")
    found = entries(rows + row("server", envelope("ReceiveResponse", body)))
    assert types(found) == ["wsman:Receive", "wsman:ReceiveResponse", "error", "summary"]
    assert found[2].data["rule"] == "base64"


def test_a_compressed_stream_that_cannot_be_unpacked_is_an_error() -> None:
    headers = "<rsp:CompressionType>xpress</rsp:CompressionType>"
    shell = f"<rsp:Shell ShellId='{SHELL}'/>"
    rows = row("client", envelope("Create", shell, PSRP, headers, shell=""))
    rows += row("server", envelope("CreateResponse", shell))
    rows += row("client", envelope("Receive", "<rsp:Receive/>", PSRP))
    rows += row("server", envelope("ReceiveResponse", received(("stdout", b"packed"))))
    found = entries(rows)
    assert [entry.data["rule"] for entry in found if entry.type == "error"] == ["compressed"]
    assert found[-1].data["unaccounted"] == len(b"packed")


def test_text_of_a_cmd_shell_is_decoded_by_its_code_page_across_cuts() -> None:
    word = "né"
    for page, data in (("", word.encode()), ("437", word.encode("cp437"))):
        found = cmd_session(
            received(("stdout", data[:2])), received(("stdout", data[2:]), end=True), page=page
        )
        text = "".join(entry.data["text"] for entry in found if entry.type == "winrs:stdout")
        assert text == word
        assert found[-1].data["bytes"] == len(data)
        assert found[-1].data["unaccounted"] == 0


def test_an_unknown_code_page_is_read_as_utf8() -> None:
    found = cmd_session(received(("stdout", b"a"), end=True), page="99999")
    assert [entry.data["text"] for entry in found if entry.type == "winrs:stdout"] == ["a"]


def test_a_clixml_stream_on_standard_error_is_read_when_it_ends() -> None:
    text = (
        b'#< CLIXML\r\n<Objs Version="1.1.0.1" '
        b'xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        b'<S S="Error">bad_x000D__x000A_</S></Objs>'
    )
    by_end = cmd_session(received(("stderr", text[:30])), received(("stderr", text[30:]), end=True))
    by_state = cmd_session(received(("stderr", text), state="Done"))
    for found in (by_end, by_state):
        assert [entry.value for entry in found if entry.type == "clixml:error"] == ["bad\r\n"]
        assert found[-1].data["unaccounted"] == 0
        assert found[-1].data["bytes"] == len(text)


def test_arguments_of_a_cmd_command_are_words(tmp_path: Path) -> None:
    body = (
        f"<rsp:CommandLine CommandId='{PIPE}'><rsp:Command>dir</rsp:Command>"
        "<rsp:Arguments>/b</rsp:Arguments></rsp:CommandLine>"
    )
    found = entries(row("client", envelope("Command", body, names.RESOURCE_CMD)))
    assert types(found) == ["wsman:Command", "summary"]
    assert summary(found[0]) == "dir /b"
    assert found[0].target == PIPE
