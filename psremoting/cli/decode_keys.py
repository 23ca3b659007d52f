"""The keys of `psrp decode`: its options, and the secrets that they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from psremoting.capture.decoding import gather_packet_keys
from psremoting.capture.key_ring import KeyRing
from psremoting.cli.shell_completion import complete_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from psremoting.capture.network.secrets import PacketSecrets

__all__ = ["GivenKeys", "key_options", "keys_of"]

_OPTIONS = (
    click.option(
        "--rsa-key", "rsa_keys", multiple=True, metavar="PEM", shell_complete=complete_file,
        help="Decrypt session keys with this private key of the client, and show secure strings.",
    ),
    click.option(
        "--psrp-key", "psrp_keys", multiple=True, metavar="HEX|FILE",
        shell_complete=complete_file,
        help="Decrypt secure strings with this session key, or with the one of FILE that fits: "
        "hexadecimal keys, one a line, or a memory dump. Repeatable.",
    ),
    click.option(
        "--password", "passwords", multiple=True, metavar="TEXT",
        help="Decrypt packets with this password of a user or a service. Repeatable.",
    ),
    click.option(
        "--nt-hash", "hashes", multiple=True, metavar="HEX",
        help="Decrypt packets with this NT hash. Repeatable.",
    ),
    click.option(
        "--keytab", "keytabs", multiple=True, metavar="FILE", shell_complete=complete_file,
        help="Decrypt packets with the Kerberos keys of this keytab. Repeatable.",
    ),
    click.option(
        "--krbtgt", "--session-key", "kerberos", multiple=True, metavar="[TYPE:]HEX",
        help="Decrypt packets with this Kerberos key (krbtgt or session). Repeatable.",
    ),
    click.option(
        "--keylog", "key_logs", multiple=True, metavar="FILE", shell_complete=complete_file,
        help="Decrypt TLS (HTTPS, CredSSP) with this key log (SSLKEYLOGFILE). Repeatable.",
    ),
    click.option(
        "--server-key", "server_keys", multiple=True, metavar="PEM", shell_complete=complete_file,
        help="Decrypt TLS up to 1.2 with this private key of the server, where the key exchange "
        "is RSA. Repeatable.",
    ),
    click.option(
        "--keys", "key_files", multiple=True, metavar="FILE", shell_complete=complete_file,
        help="Read secrets from FILE, one per line, in the formats of secretsdump, hashcat and "
        "TLS key logs, or as password:TEXT, nt:HEX, key:[TYPE:]HEX, keytab:FILE; or from a "
        "keytab. Repeatable.",
    ),
)  # fmt: skip


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, for `keys_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GivenKeys:
    """The values of the options."""

    rsa_keys: tuple[str, ...]
    psrp_keys: tuple[str, ...]
    passwords: tuple[str, ...]
    hashes: tuple[str, ...]
    keytabs: tuple[str, ...]
    kerberos: tuple[str, ...]
    key_logs: tuple[str, ...]
    server_keys: tuple[str, ...]
    key_files: tuple[str, ...]

    @property
    def opens_strings(self) -> bool:
        """True if a key for secure strings is given, so that they are to be shown."""
        return bool(self.rsa_keys or self.psrp_keys)

    def ring(self) -> KeyRing:
        """Return the keys of PSRP sessions. Raises CaptureError."""
        return KeyRing.load(self.rsa_keys, self.psrp_keys)

    def secrets(self, files: tuple[str, ...]) -> PacketSecrets | None:
        """Return the secrets for packets, with the keys that the files themselves hold.

        Raises UsageError and CaptureError.
        """
        given = (*self.passwords, *self.hashes, *self.keytabs, *self.kerberos)
        if not (given or self.key_logs or self.server_keys or self.key_files or len(files) > 1):
            return None
        from psremoting.capture.network.secrets import PacketSecrets

        found = PacketSecrets()
        self._fill(found)
        for file in files:
            if file != "-":
                gather_packet_keys(file, found)
        return found

    def _fill(self, found: PacketSecrets) -> None:
        for password in self.passwords:
            found.add_password(password)
        try:
            for text in self.hashes:
                found.add_nt_hash(text)
            for text in self.kerberos:
                found.add_key(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        for paths, add in (
            (self.keytabs, found.add_keytab),
            (self.key_logs, found.add_key_log),
            (self.server_keys, found.add_server_key),
            (self.key_files, found.add_file),
        ):
            for path in paths:
                add(path)


def keys_of(values: dict[str, Any]) -> GivenKeys:
    """Take the values of the options out of those of a command."""
    return GivenKeys(**{name: values.pop(name) for name in GivenKeys.__slots__})
