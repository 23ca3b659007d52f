"""A Kerberos realm for tests of authentication, with the user alice and her tickets."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import kdc
from tests.live.kdc import REALM, Kdc

USER = f"alice@{REALM}"
PASSWORD = "alice's pass"
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def why_not() -> str:
    """Return the reason why no realm can be created here; empty if one can."""
    if reason := kdc.why_not():
        return reason
    if shutil.which("kinit", path=_PATH) is None:
        return "no kinit: install krb5-user"
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
    kdc: Kdc

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KRB5_CONFIG": str(self.kdc.config),
            "KRB5_KTNAME": f"FILE:{self.kdc.keytab}",
            "KRB5CCNAME": f"FILE:{self.folder / 'cc'}",
        }

    def run(self, *command: str, text: str | None = None) -> None:
        """Run a Kerberos program."""
        environment = self.environment | {
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "PATH": _PATH,
        }
        subprocess.run(
            command, env=environment, input=text, text=True, check=True, capture_output=True,
            timeout=60,
        )  # fmt: skip

    def sign_in(self) -> None:
        """Put alice's ticket into the cache."""
        self.run("kinit", USER, text=PASSWORD + "\n")


@contextmanager
def running(folder: Path, etypes: tuple[str, ...] = kdc.ETYPES) -> Iterator[Realm]:
    """Run the KDC of a realm until the end of the block; this process uses the realm meanwhile."""
    with (
        kdc.running(folder, {"alice": PASSWORD}, etypes) as made,
        pytest.MonkeyPatch.context() as patch,
    ):
        realm = Realm(folder, made)
        for name, value in realm.environment.items():
            patch.setenv(name, value)
        yield realm
