"""The notes with the origin of an object."""

from __future__ import annotations

from uuid import UUID

from psremoting.client.streams import tagged
from psrp.clixml import PSObject

ID = UUID(int=7)


def test_the_server_cannot_pass_for_another() -> None:
    """Statement C36."""
    value = PSObject(
        adapted={"PSComputerName": "bank", "A": 1}, extended={"runspaceid": "x", "B": 2}
    )
    made = tagged(value, "lab", ID)
    assert made is not None
    assert made["PSComputerName"] == "lab"
    assert made["RunspaceId"] == ID
    assert sorted(made) == ["A", "B", "PSComputerName", "PSShowComputerName", "RunspaceId"]
    assert value.get("PSComputerName") == "bank"
    assert tagged(None, "lab", ID) is None
