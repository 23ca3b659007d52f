"""The web server lighttpd as a foreign HTTP server in front of a played WS-Man server."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sshsub.sshd import free_port
from tests.wsman.servers import Authority

__all__ = ["REALM", "running"]

REALM = "WSMAN"
_START = 10.0
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

_PLAIN = """
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{folder}"
server.errorlog = "{folder}/log"
server.modules += ( "mod_auth", "mod_authn_file", "mod_proxy" )
proxy.server = ( "/wsman" => (( "host" => "127.0.0.1", "port" => {behind} )) )
"""
_DIGEST = """
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "{folder}/users"
auth.require = ( "/" => (
    "method" => "digest", "realm" => "{realm}", "require" => "valid-user",
    "algorithm" => "{algorithm}"
) )
"""
_CERTIFICATES = """
server.modules += ( "mod_openssl" )
ssl.engine = "enable"
ssl.pemfile = "{certificate}"
ssl.privkey = "{key}"
ssl.verifyclient.activate = "enable"
ssl.verifyclient.enforce = "enable"
ssl.verifyclient.ca-file = "{ca}"
"""


@contextmanager
def running(
    folder: Path, behind: int, *, digest: tuple[str, str, str] | None = None,
    certificates: Authority | None = None,
) -> Iterator[int]:  # fmt: skip
    """Run it in front of port ``behind``; yield its port. Skips the test without lighttpd.

    ``digest`` is algorithm, user and password; ``certificates`` are required of its clients.
    """
    program = shutil.which("lighttpd", path=_PATH)
    if program is None:
        pytest.skip("no lighttpd")
    port = free_port()
    text = _PLAIN.format(port=port, folder=folder, behind=behind)
    if digest is not None:
        algorithm, user, password = digest
        name = "sha256" if algorithm.startswith("SHA-256") else "md5"
        secret = hashlib.new(name, f"{user}:{REALM}:{password}".encode()).hexdigest()
        (folder / "users").write_text(f"{user}:{REALM}:{secret}\n")
        text += _DIGEST.format(folder=folder, realm=REALM, algorithm=algorithm)
    if certificates is not None:
        if not list(Path("/usr/lib").glob("**/lighttpd/mod_openssl.so")):
            pytest.skip("no lighttpd-mod-openssl")
        text += _CERTIFICATES.format(
            certificate=certificates.certificate, key=certificates.key, ca=certificates.ca
        )
    (folder / "conf").write_text(text)
    process = subprocess.Popen(
        [program, "-D", "-f", str(folder / "conf")], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _wait(process, port)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"lighttpd does not start: {process.communicate()[1].decode()}")
