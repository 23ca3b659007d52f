"""A temporary MIT KDC on loopback: realm TEST.LOCAL, the account wsuser, and a keytab."""

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

from tests.sshsub.sshd import free_port

__all__ = ["REALM", "Kdc", "running", "why_not"]

REALM = "TEST.LOCAL"
ETYPES = ("aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_PROGRAMS = ("kdb5_util", "kadmin.local", "krb5kdc")

_KRB5_CONF = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  forwardable = true
  default_ccache_name = FILE:{folder}/cc
  allow_weak_crypto = true
  default_tkt_enctypes = {etypes}
  default_tgs_enctypes = {etypes}
  permitted_enctypes = {etypes}
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""

_KDC_CONF = """
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/kadm5.acl
    max_life = 10h
    supported_enctypes = {salted}
    master_key_type = aes256-cts-hmac-sha1-96
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


@dataclass(frozen=True)
class Kdc:
    """A running KDC: KRB5_CONFIG for its clients, and the keys of its services."""

    config: Path
    keytab: Path
    port: int = 0


def why_not() -> str | None:
    """Return the reason why no KDC can run here, or None."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    return f"no {', '.join(missing)}: install krb5-kdc and krb5-admin-server" if missing else None


def _write_configuration(folder: Path, port: int, etypes: tuple[str, ...]) -> Path:
    """Write the files of the realm; return the one for clients."""
    salted = " ".join(f"{etype}:normal" for etype in etypes)
    # The KDC reads its own master key, which is of AES.
    permitted = " ".join(dict.fromkeys((*etypes, ETYPES[0])))
    values = {"realm": REALM, "folder": folder, "port": port, "salted": salted,
              "etypes": permitted}  # fmt: skip
    config = folder / "krb5.conf"
    config.write_text(_KRB5_CONF.format(**values))
    (folder / "kdc.conf").write_text(_KDC_CONF.format(**values))
    (folder / "kadm5.acl").touch()
    return config


@contextmanager
def running(
    folder: Path, passwords: dict[str, str], etypes: tuple[str, ...] = ETYPES
) -> Iterator[Kdc]:
    """Start a KDC with these users, and services HTTP, http and WSMAN on localhost."""
    port, keytab = free_port(), folder / "http.keytab"
    config = _write_configuration(folder, port, etypes)
    environment = {
        "PATH": _PATH,
        "KRB5_CONFIG": str(config),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
    }

    def run(*argv: str, text: str = "") -> None:
        subprocess.run(
            argv,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

    run("kdb5_util", "create", "-s", "-r", REALM, "-P", "masterpw")
    commands = [f'addprinc -pw "{word}" {user}@{REALM}' for user, word in passwords.items()]
    for service in ("HTTP", "http", "WSMAN", "host"):
        name = f"{service}/localhost@{REALM}"
        commands += [f"addprinc -randkey {name}", f"ktadd -k {keytab} {name}"]
    run("kadmin.local", "-r", REALM, text="\n".join(commands) + "\n")
    program = shutil.which("krb5kdc", path=_PATH)
    assert program is not None
    process = subprocess.Popen(
        [program, "-n", "-P", str(folder / "kdc.pid")],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Kdc(config, keytab, port)
    finally:
        process.terminate()
        process.wait()
