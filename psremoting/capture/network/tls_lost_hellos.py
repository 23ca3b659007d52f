"""The hellos of TLS connections that a capture lacks, found with the lines of a key log.

A record that opens proves a guess: its authentication code tells. In TLS 1.3 the keys follow from
the client random and the cipher suite alone, so either hello may be missing, or both. Before, they
follow from the random of the server, too, so only the ClientHello may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psremoting.capture.network.tls_hellos import ClientHello, ServerHello
from psremoting.capture.network.tls_keys import expand_label, key_block
from psremoting.capture.network.tls_suites import TLS_1_3, protection_12, protection_13, suite
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.tls_keys import TlsSecrets
    from psremoting.capture.network.tls_records import Record
    from psremoting.capture.network.tls_suites import Protection

__all__ = ["LABELS", "MAX_NUMBERS", "find_hellos"]

LABELS = {
    Side.CLIENT: (
        "CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
    ),
    Side.SERVER: ("SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"),
}  # fmt: skip
"""Lines of a key log in the order in which the keys of a side are used."""
_SUITES = (0x1302, 0x1301, 0x1303)
_MAX_RANDOMS = 256
MAX_NUMBERS = 4096
"""Maximum number of records that may be missing before the one that is tried."""
_MAX_BYTES = 64 << 20
"""Bytes that are decrypted for the guesses of one record."""
_MAX_TOTAL = 4 << 30
"""Bytes that are decrypted for all guesses of a capture."""


def find_hellos(
    secrets: TlsSecrets,
    client: ClientHello | None,
    server: ServerHello | None,
    side: Side,
    record: Record,
) -> tuple[ClientHello, ServerHello] | None:
    """Return the hellos with which a record of ``side`` opens; known ones are kept.

    The random and the session of a hello that is guessed are empty where nothing tells them.
    """
    guesses = list(_guesses(secrets, client, server, side))
    if not guesses or secrets.guessed > _MAX_TOTAL:
        return None
    size = len(guesses) * max(1, len(record.body))
    count = min(MAX_NUMBERS, _MAX_BYTES // size)
    secrets.guessed += size * max(1, count)
    for one, other, keys in guesses:
        if keys.open(record.head, record.body, range(max(1, count))) is not None:
            return one, other
    return None


def _guesses(
    secrets: TlsSecrets, client: ClientHello | None, server: ServerHello | None, side: Side
) -> Iterator[tuple[ClientHello, ServerHello, Protection]]:
    if server is None or server.version == TLS_1_3:
        for label in LABELS[side]:
            for one in _clients(secrets, client, label):
                secret = secrets.logged(label, one.random)
                for other in [server] if server is not None else map(_server_13, _SUITES):
                    if secret is not None:
                        yield from _guess_13(one, other, secret)
        return
    chosen = suite(server.suite)
    if client is not None or chosen is None:
        return
    for one in _clients(secrets, None, "CLIENT_RANDOM"):
        master = secrets.logged("CLIENT_RANDOM", one.random)
        if master is not None:
            block = key_block(server.version, chosen, master, one.random, server.random)
            keys = protection_12(
                chosen, server.version, block, client=side is Side.CLIENT, mac_last=server.mac_last
            )
            yield one, server, keys


def _guess_13(
    one: ClientHello, other: ServerHello, secret: bytes
) -> Iterator[tuple[ClientHello, ServerHello, Protection]]:
    chosen = suite(other.suite)
    if chosen is None or len(secret) != (48 if chosen.hash == "sha384" else 32):
        return
    key = expand_label(chosen.hash, secret, b"key", chosen.key_size)
    yield one, other, protection_13(chosen, key, expand_label(chosen.hash, secret, b"iv", 12))


def _clients(secrets: TlsSecrets, client: ClientHello | None, label: str) -> list[ClientHello]:
    if client is not None:
        return [client]
    return [
        ClientHello(random=random, session=b"", ticket=b"", server_name="")
        for random in secrets.randoms(label)[:_MAX_RANDOMS]
    ]


def _server_13(number: int) -> ServerHello:
    return ServerHello(
        version=TLS_1_3, random=b"", session=b"", suite=number, mac_last=False, extended_master=True
    )
