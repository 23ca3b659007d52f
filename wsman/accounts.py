"""The accounts of an endpoint: one text with a scrypt hash per account and an optional NT hash.

The text has one account per line: ``name:scrypt:14:8:1:SALT:HASH:NTHASH``. Salt and hashes are
hexadecimal; the last field is empty for an account without NTLM. Names are compared without case.
For NTLM the NT hash is equivalent to the password: it is stored only on request, and only the
owner of the file may read it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import field

from spnego._ntlm_raw.crypto import ntowfv1

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

__all__ = [
    "Account",
    "Accounts",
    "AccountsError",
    "LogonGuard",
    "checked_account_name",
    "new_account",
]

_LOG_N, _R, _P = 14, 8, 1
_SALT = 16
_MAX_NAME = 256
_MAX_PASSWORD = 1024


class AccountsError(LocalProtocolError):
    """The text is not a list of accounts, or an account cannot be created. Contains no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account. The hashes are secrets."""

    name: str
    salt: bytes = field(repr=False)
    hash: bytes = field(repr=False)
    cost: tuple[int, int, int] = (_LOG_N, _R, _P)
    nt_hash: bytes = field(default=b"", repr=False)

    def has_password(self, password: str) -> bool:
        """Return whether the password is right; a wrong one takes as long as the right one."""
        made = _hash(password, self.salt, self.cost)
        return hmac.compare_digest(made, self.hash)


def _hash(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    log_n, r, p = cost
    octets = password[:_MAX_PASSWORD].encode("utf-8", "surrogatepass")
    memory = 256 * r * (1 << log_n)
    return hashlib.scrypt(octets, salt=salt, n=1 << log_n, r=r, p=p, maxmem=memory, dklen=32)


def checked_account_name(name: str) -> str:
    """Return the name of a new account, which must be readable again. Raises AccountsError."""
    if not 0 < len(name) <= _MAX_NAME or ":" in name or not name.isprintable():
        raise AccountsError(
            f"an account's name has 1 to {_MAX_NAME} printable characters and no colon"
        )
    if name != name.strip() or name.startswith("#"):
        raise AccountsError(
            "an account's name cannot begin or end with a space, and cannot begin with #"
        )
    return name


def new_account(name: str, password: str, *, salt: bytes, ntlm: bool = False) -> Account:
    """Return an account with a password. ``salt`` is 16 random bytes. Raises AccountsError."""
    checked_account_name(name)
    if len(password) > _MAX_PASSWORD:
        raise AccountsError(f"a password has at most {_MAX_PASSWORD} characters")
    if not password:
        raise AccountsError("a password cannot be empty")
    if len(salt) < _SALT:
        raise AccountsError(f"expected a salt of {_SALT} bytes, got {len(salt)}")
    return Account(
        name=name,
        salt=salt,
        hash=_hash(password, salt, (_LOG_N, _R, _P)),
        nt_hash=ntowfv1(password) if ntlm else b"",
    )


class Accounts:
    """A list of accounts.

    ``salt`` is for unknown users, whose passwords are hashed too, and the key of the fast hashes of
    passwords that were right: clients with Basic send theirs on each new connection.
    """

    def __init__(self, accounts: Iterable[Account] = (), *, salt: bytes = bytes(_SALT)) -> None:
        self._accounts = {each.name.lower(): each for each in accounts}
        self._nobody = Account(name="-", salt=salt, hash=bytes(32))
        self._right: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<Accounts: {len(self._accounts)}>"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self._accounts.values())

    @property
    def has_nt_hashes(self) -> bool:
        """Return whether at least one account can be used with NTLM."""
        return any(each.nt_hash for each in self._accounts.values())

    def add(self, account: Account) -> None:
        """Add an account; it replaces one of the same name."""
        self._accounts[account.name.lower()] = account

    def remove(self, name: str) -> bool:
        """Remove an account; return False if the name is unknown."""
        return self._accounts.pop(name.lower(), None) is not None

    def find(self, name: str, domain: str = "") -> Account | None:
        """Return the account for a client's user name, or None.

        ``DOMAIN\\user`` and ``user@REALM`` are looked up unchanged, then as ``user``: the domain
        that clients send for a local account varies.
        """
        if not domain and "\\" in name:
            domain, _, name = name.partition("\\")
        wanted = [name, name.partition("@")[0]]
        if domain:
            wanted.insert(0, f"{domain}\\{name}")
        found = (self._accounts.get(each.lower()) for each in wanted)
        return next((each for each in found if each is not None), None)

    def check(self, name: str, password: str) -> str | None:
        """Return the account's name if the password is right; unknown users take the same time."""
        found = self.find(name)
        account = found or self._nobody
        fast = self._fast_hash(account, password)
        right = self._right.get(account.name, b"") if found is not None else b""
        if hmac.compare_digest(right, fast):
            return account.name
        if not account.has_password(password) or found is None:
            return None
        self._right[account.name] = fast
        return account.name

    def _fast_hash(self, account: Account, password: str) -> bytes:
        """Return a keyed hash that is right as long as the account does not change."""
        octets = password[:_MAX_PASSWORD].encode("utf-8", "surrogatepass")
        known = account.salt + account.hash + octets
        return hmac.digest(self._nobody.salt, known, "sha256")

    # -- the text

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        salt: bytes = bytes(_SALT),
        on_error: Callable[[AccountsError], None] | None = None,
    ) -> Accounts:
        """Read a list of accounts. Raises AccountsError with the line number.

        With ``on_error`` a wrong line is left out, and its error is given to that function.
        """
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                found.append(_parsed(line, number))
            except AccountsError as error:
                if on_error is None:
                    raise
                on_error(error)
        return cls(found, salt=salt)

    def format(self) -> str:
        """Return the text that `parse` reads."""
        return "".join(_formatted(each) for each in self._accounts.values())


def _formatted(account: Account) -> str:
    log_n, r, p = account.cost
    hashes = f"{account.salt.hex()}:{account.hash.hex()}:{account.nt_hash.hex()}"
    return f"{account.name}:scrypt:{log_n}:{r}:{p}:{hashes}\n"


def _parsed(line: str, number: int) -> Account:
    fields = line.strip().split(":")
    try:
        name, kind, log_n, r, p, salt, hash, nt_hash = fields
        account = Account(
            name=name,
            cost=(int(log_n), int(r), int(p)),
            salt=bytes.fromhex(salt),
            hash=bytes.fromhex(hash),
            nt_hash=bytes.fromhex(nt_hash),
        )
    except ValueError:
        raise AccountsError(f"line {number}: expected an account of eight fields") from None
    if kind != "scrypt" or not name or len(account.nt_hash) not in (0, 16):
        raise AccountsError(f"line {number}: expected an account of eight fields")
    if not (1 <= account.cost[0] <= 20 and 1 <= _r_times_p(account.cost) <= 64):
        raise AccountsError(f"line {number}: the cost of the hash is out of range")
    return account


def _r_times_p(cost: tuple[int, int, int]) -> int:
    return cost[1] * cost[2] if min(cost[1:]) > 0 else 0


# -- failed log-ons


class LogonGuard:
    """Counts failed log-ons and returns the delay before the answer to each further failure.

    Failures are counted by user and by peer address. The delay doubles from ``first`` to ``most``
    seconds; it is reset by a success and after ``forget`` seconds without a failure.
    At most ``size`` users and addresses are kept.
    """

    def __init__(
        self, *, first: float = 0.25, most: float = 8.0, forget: float = 600.0, size: int = 10_000
    ) -> None:
        self._first = first
        self._most = most
        self._forget = forget
        self._size = size
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self.failed = 0
        """The number of failed log-ons since the start."""
        self.succeeded = 0

    def failure(self, user: str, address: str, now: float) -> float:
        """Count a failure; return the seconds to wait before answering it."""
        self.failed += 1
        return max(self._count(("user", user.lower()[:_MAX_NAME]), now),
                   self._count(("address", address), now))  # fmt: skip

    def success(self, user: str, address: str) -> None:
        """Count a success, and reset the failures of this user from all addresses."""
        self.succeeded += 1
        self._failures.pop(("user", user.lower()[:_MAX_NAME]), None)
        self._failures.pop(("address", address), None)

    def _count(self, key: tuple[str, str], now: float) -> float:
        if not key[1]:
            return self._first
        count, last = self._failures.pop(key, (0, now))
        count = 1 if now - last > self._forget else count + 1
        self._failures[key] = (count, now)
        if len(self._failures) > self._size:
            self._failures.popitem(last=False)
        return float(min(self._most, self._first * 2 ** min(count - 1, 30)))
