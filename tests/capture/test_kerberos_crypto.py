"""The primitives of Kerberos against the vectors of their specifications."""

from __future__ import annotations

import pytest

from psremoting.capture.network import kerberos_crypto as crypto
from psremoting.capture.network.kerberos_crypto import Key, combine, decrypt, string_to_key, unwrap

hexed = bytes.fromhex


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        (b"012345", "be072631276b1955"),
        (b"password", "78a07b6caf85fa"),
        (b"Rough Consensus, and Running Code", "bb6ed30870b7f0e0"),
        (b"kerberos", "6b65726265726f737b9b5b2b93132b93"),
    ],
)
def test_n_fold_gives_the_published_vectors(text: bytes, folded: str) -> None:
    """[RFC 3961] A.1"""
    assert crypto._fold(text, len(folded) // 2).hex() == folded


@pytest.mark.parametrize(
    ("etype", "iterations", "password", "salt", "key"),
    [
        (17, 1, "password", b"ATHENA.MIT.EDUraeburn", "42263c6e89f4fc28b8df68ee09799f15"),
        (18, 1, "password", b"ATHENA.MIT.EDUraeburn",
         "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"),
        (17, 1200, "password", b"ATHENA.MIT.EDUraeburn", "4c01cd46d632d01e6dbe230a01ed642a"),
        (18, 50, "\U0001d11e", b"EXAMPLE.COMpianist",
         "4b6d9839f84406df1f09cc166db4b83c571848b784a3d6bdc346589a3e393f9e"),
    ],
)  # fmt: skip
def test_passwords_become_keys_of_aes_with_sha1(
    etype: int, iterations: int, password: str, salt: bytes, key: str
) -> None:
    """[RFC 3962] B"""
    assert string_to_key(etype, password, salt, iterations).value.hex() == key


@pytest.mark.parametrize(
    ("etype", "key"),
    [
        (19, "089bca48b105ea6ea77ca5d2f39dc5e7"),
        (20, "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467"),
    ],
)
def test_passwords_become_keys_of_aes_with_sha2(etype: int, key: str) -> None:
    """[RFC 8009] A"""
    salt = hexed("10df9dd783e5bc8acea1730e74355f61") + b"ATHENA.MIT.EDUraeburn"
    assert string_to_key(etype, "password", salt, 32768).value.hex() == key


SHA2 = [
    (19, "3705d96080c17728a0e800eab6e0d23c",
     "ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718", ""),
    (19, "3705d96080c17728a0e800eab6e0d23c",
     "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c",
     "000102030405"),
    (20, "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
     "41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c", ""),
    (20, "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
     "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b6092237526ea0d1f61cb20d69d10f2",
     "000102030405"),
]  # fmt: skip


@pytest.mark.parametrize(("etype", "key", "sealed", "plain"), SHA2)
def test_aes_with_sha2_is_opened(etype: int, key: str, sealed: str, plain: str) -> None:
    """[RFC 8009] A, key usage 2"""
    assert decrypt(Key(etype, hexed(key)), 2, hexed(sealed)).hex() == plain


@pytest.mark.parametrize(("etype", "key", "sealed", "plain"), SHA2)
def test_a_changed_byte_is_noticed(etype: int, key: str, sealed: str, plain: str) -> None:
    data = bytearray(hexed(sealed))
    for at in range(len(data)):
        data[at] ^= 1
        with pytest.raises(ValueError, match="checksum"):
            decrypt(Key(etype, hexed(key)), 2, bytes(data))
        data[at] ^= 1


@pytest.mark.parametrize(
    ("etype", "combined"),
    [
        (17, "97df97e4b798b29eb31ed7280287a92a"),
        (18, "4d6ca4e629785c1f01baf55e2e548566b9617ae3a96868c337cb93b5e72b1c7b"),
        (23, "24d7f6b6bae4e5c00d2082c5ebab3672"),
    ],
)
def test_two_keys_are_combined(etype: int, combined: str) -> None:
    """[RFC 6113] A"""
    one = string_to_key(etype, "key1", b"key1")
    other = string_to_key(etype, "key2", b"key2")
    assert combine(one, other, b"a", b"b").value.hex() == combined


@pytest.mark.parametrize("etype", [17, 18, 19, 20, 23])
@pytest.mark.parametrize("size", [0, 1, 16, 31, 32, 33, 100])
def test_too_short_or_random_data_is_refused(etype: int, size: int) -> None:
    key = Key(etype, bytes(16 if etype in (17, 19, 23) else 32))
    with pytest.raises(ValueError):  # noqa: PT011
        decrypt(key, 3, bytes(size))
    with pytest.raises(ValueError):  # noqa: PT011
        unwrap(key, True, b"\x05\x04\x02\xff" + bytes(size), b"")


def test_a_key_is_not_in_its_repr() -> None:
    assert "61" not in repr(Key(17, b"a" * 16)).replace("sha1-96", "")
