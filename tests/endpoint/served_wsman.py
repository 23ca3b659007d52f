"""`psrp serve --http --https` as a process, for third-party clients."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "wsuser", "P@ss-w0rd1"
_START = 30.0
_END = 20.0


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint."""

    http: int
    https: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def accounts(self) -> Path:
        return self.folder / "accounts"

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")


def psrp(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `psrp`."""
    return subprocess.run(
        [sys.executable, "-c", "from psremoting.cli.entry import main; main()", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


def write_certificate(path: Path, name: str = "localhost") -> None:
    """Write a self-signed certificate with its key to one file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.RFC822Name(f"{USER}@example.org"),
                ]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    path.chmod(0o600)


@contextmanager
def serving(
    folder: Path, *options: str, environment: dict[str, str] | None = None, keytab: str = ""
) -> Iterator[Endpoint]:
    """Run an endpoint on two free ports with one account; end it with SIGTERM."""
    accounts = folder / "accounts"
    if not accounts.exists():
        added = psrp(
            "account", "add", USER, "--accounts", str(accounts), "--ntlm",
            "--password-file", "-", text=PASSWORD + "\n",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
    if not (folder / "server.pem").exists():
        write_certificate(folder / "server.pem")
    argv = [
        sys.executable, "-c", "from psremoting.cli.entry import main; main()", "serve",
        "--http", "0", "--https", "127.0.0.1:0", "--certificate", str(folder / "server.pem"),
        "--accounts", str(accounts), *(("--keytab", keytab) if keytab else ()), *options,
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=os.environ | (environment or {}),
        )
        try:
            ports = _wait(process)
            assert process.stderr is not None
            yield Endpoint(ports["http"], ports["https"], folder, process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                _, errors = process.communicate(timeout=_END)
            except subprocess.TimeoutExpired:
                process.kill()
                _, errors = process.communicate()
            log.write(errors)


def _wait(process: subprocess.Popen[bytes]) -> dict[str, int]:
    assert process.stderr is not None
    text = ""
    deadline = time.monotonic() + _START
    while text.count("listening on") < 2:
        ready, _, _ = select.select([process.stderr], [], [], max(0, deadline - time.monotonic()))
        read = os.read(process.stderr.fileno(), 4096) if ready else b""
        text += read.decode()
        if not read:
            raise RuntimeError(f"the endpoint does not start: {text}")
    return {
        scheme: int(port)
        for scheme, port in re.findall(r"listening on (\w+)://127\.0\.0\.1:(\d+)/wsman", text)
    }
