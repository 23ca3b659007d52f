"""Recorded requests of wsmancli (openwsman's command line), sent to our server over a socket.

The client itself is not in Debian 12. It asks for the schemes first, then signs in with Basic.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.recordings import SHARED, needs_collection
from tests.wsman.served_http import Client, read, served
from wsman import queries, soap
from wsman.accounts import Accounts, new_account

ACCOUNTS = Accounts([new_account("wsuser", "P@ss-w0rd1", salt=b"s" * 16)])


def requests(name: str) -> list[dict[str, Any]]:
    assert SHARED is not None
    lines = (SHARED / "wsman-omi" / f"{name}.jsonl").read_text("utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return [each for each in entries if each.get("dir") == "c2s" and "start" in each]


def expected(authorization: str, body: str) -> type | int:
    """Return the status of a request that is not let in, else the class of its answer."""
    if authorization != "Basic d3N1c2VyOlBAc3MtdzByZDE=":
        return 401
    if "<wsmid:Identify/>" in body:
        return queries.IdentifyResponse
    of_shells = re.search(r"ResourceURI[^>]*>\S*/windows/shell<", body)
    if of_shells and "enumeration/Enumerate<" in body:
        return queries.EnumerateResponse
    # Classes of CIM, and a Pull of the recorded server's enumeration.
    return soap.Fault


@needs_collection
@pytest.mark.parametrize("name", ["wsmancli-omi", "wsmancli-openwsman"])
async def test_a_recorded_wsmancli_is_answered(name: str) -> None:
    seen = set()
    async with served(accounts=ACCOUNTS) as table:
        client = await Client.connect(table)
        for entry in requests(name):
            headers = {key.lower(): value for key, value in entry["headers"]}
            authorization = headers.get("authorization", "")
            given = [("Content-Type", headers["content-type"])]
            given += [("Authorization", authorization)] if authorization else []
            response = await client.post(entry["body"].encode(), *given)
            wanted = expected(authorization, entry["body"])
            if isinstance(wanted, int):
                assert response.status == wanted
                assert 'Basic realm="WSMAN"' in [value for _, value in response.headers]
            else:
                answer = read(response)
                assert type(answer) is wanted
                assert response.status == (500 if wanted is soap.Fault else 200)
            seen.add(wanted)
    assert {401, soap.Fault, queries.EnumerateResponse} <= seen
    assert (queries.IdentifyResponse in seen) == (name == "wsmancli-openwsman")
