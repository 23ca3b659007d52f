"""The files that start the endpoint's server: units of systemd, and a property list of launchd.

The unit restricts the server and with it every session, so it has only the options that sessions
can bear; spec-notes/administration.md lists them with the reasons.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from psremoting.administration.sockets import local_socket, subsystem_socket

__all__ = [
    "LAUNCHD_LABEL",
    "SERVICE_NAME",
    "SOCKET_NAME",
    "launchd_plist",
    "systemd_service",
    "systemd_socket",
]

SERVICE_NAME = "psremoting-endpoint.service"
SOCKET_NAME = "psremoting-endpoint.socket"
LAUNCHD_LABEL = "org.psremoting.endpoint"

_HARDENING = """\
UMask=0077
LockPersonality=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
KeyringMode=private
"""
_ROOT_ONLY = """\
StateDirectory=psremoting
StateDirectoryMode=0700
RuntimeDirectory=psremoting
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SYS_RESOURCE
ProtectHostname=yes
PrivateDevices=yes
"""


def systemd_service(program: str, store: Path, *, user: bool = False) -> str:
    """Return the unit of the server. ``program`` is the absolute path of psrp; ``user`` for the
    service manager of one user."""
    target = "default.target" if user else "multi-user.target"
    return f"""\
[Unit]
Description=PowerShell remoting endpoint
{"" if user else "After=network.target"}
[Service]
Type=notify
ExecStart={_word(program)} endpoint serve --store {_word(str(store))}
Restart=on-failure
RestartSec=2
TimeoutStopSec=20
KillMode=mixed
{"" if user else _ROOT_ONLY}{_HARDENING}
[Install]
WantedBy={target}
Also={SOCKET_NAME}
"""


def systemd_socket(store: Path) -> str:
    """Return the unit of the sockets; a loopback connection or sshd then starts the server."""
    return f"""\
[Unit]
Description=Sockets of the PowerShell remoting endpoint

[Socket]
ListenStream={local_socket(store)}
ListenStream={subsystem_socket(store)}
SocketMode=0666
DirectoryMode=0755
RemoveOnStop=yes
Service={SERVICE_NAME}

[Install]
WantedBy=sockets.target
"""


def launchd_plist(program: str, store: Path) -> str:
    """Return the property list of the server for launchd."""
    words = (program, "endpoint", "serve", "--store", str(store))
    arguments = "\n".join(f"    <string>{escape(each)}</string>" for each in words)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LAUNCHD_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
{arguments}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
"""


def _word(text: str) -> str:
    """Quote a word for ExecStart. systemd.service(5)"""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if set(text) & set(" \t\"'\\;") else escaped
