"""`psrp wireshark`: write the dissector for Wireshark."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["wireshark"]

_EPILOG = """
\b
Examples:
  psrp wireshark --output ~/.local/lib/wireshark/plugins/psrp.lua
  psrp wireshark --output psrp.lua
  tshark -X lua_script:psrp.lua -r winrm.pcapng -Y psrp.data -T fields -e psrp.message_type
"""


@click.command(epilog=_EPILOG)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the dissector to FILE (default: standard output).",
)  # fmt: skip
@click.pass_context
def wireshark(ctx: click.Context, /, output: Path | None) -> None:
    """Write a dissector in Lua for Wireshark and tshark.

    It shows fragments, messages, states and host calls of PowerShell remoting in WS-Man, where
    Wireshark has read the HTTP messages and decrypted them (TLS with a key log, NTLM with the
    password, Kerberos with a keytab), and in out-of-process packets on TCP. The personal plugin
    folder is listed in Wireshark under Help, About Wireshark, Folders.
    """
    from psremoting.capture.lua_dissector import dissector

    text = dissector()
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        click.echo(f"psrp wireshark: {output}: {error.strerror or error}", err=True)
        ctx.exit(2)
