"""A Kerberos realm of its own on this machine, for tests: MIT's KDC, two users, a keytab."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REALM = "TEST.LOCAL"
USER = f"alice@{REALM}"
PASSWORD = "alice's pass"
_TOOLS = ("kdb5_util", "kadmin.local", "krb5kdc", "kinit")
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def why_not() -> str:
    """The reason why no realm can be made here; empty when one can."""
    missing = [each for each in _TOOLS if shutil.which(each, path=_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    try:
        import gssapi  # noqa: F401
        import krb5  # noqa: F401
    except ImportError as error:
        return f"not installed: {error.name}"
    return ""


@dataclass(frozen=True)
class Realm:
    """A running realm; `environment` makes a program use it."""

    folder: Path

    @property
    def keytab(self) -> Path:
        return self.folder / "http.keytab"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KTNAME": f"FILE:{self.keytab}",
            "KRB5CCNAME": f"FILE:{self.folder / 'cc'}",
            "KRB5RCACHEDIR": str(self.folder),
        }

    def run(self, *command: str, text: str | None = None) -> None:
        environment = (
            os.environ
            | self.environment
            | {
                "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
                "PATH": _PATH,
            }
        )
        subprocess.run(
            command, env=environment, input=text, text=True, check=True, capture_output=True,
            timeout=60,
        )  # fmt: skip

    def sign_in(self) -> None:
        """Put alice's ticket into the cache."""
        self.run("kinit", USER, text=PASSWORD + "\n")


@contextmanager
def running(folder: Path) -> Iterator[Realm]:
    """A realm whose KDC runs until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    realm = Realm(folder)
    (folder / "krb5.conf").write_text(_KRB5.format(folder=folder, realm=REALM, port=port))
    (folder / "kdc.conf").write_text(_KDC.format(folder=folder, realm=REALM, port=port))
    (folder / "acl").write_text("")
    realm.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "masterkey")
    commands = [f'addprinc -pw "{PASSWORD}" {USER}']
    for service in ("HTTP", "http", "host", "WSMAN"):
        commands += [
            f"addprinc -randkey {service}/localhost",
            f"ktadd -k {realm.keytab} {service}/localhost",
        ]
    for command in commands:
        realm.run("kadmin.local", "-r", REALM, "-q", command)
    environment = (
        os.environ
        | realm.environment
        | {
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "PATH": _PATH,
        }
    )
    program = shutil.which("krb5kdc", path=_PATH)
    assert program is not None
    kdc = subprocess.Popen(
        [program, "-n"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield realm
    finally:
        kdc.terminate()
        kdc.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the KDC does not listen")


_KRB5 = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  forwardable = true
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""
_KDC = """\
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
  }}
"""
