"""The only view that Get-FormatData returns: PowerShell's view of System.DateTime."""

from __future__ import annotations

from uuid import UUID

from psrp.clixml import List, PSObject

__all__ = ["datetime_view"]

_SMA = "System.Management.Automation."
_DISPLAYED = "System.DateTime"
_VIEW_ID = UUID("3088c15b-f46b-4a1b-a03d-fdcc06d9cda2")


def _of(kind: str, *bases: str, **members: object) -> PSObject:
    types = (_SMA + kind, *(_SMA + each for each in bases), "System.Object")
    return PSObject(types, members, to_string=_SMA + kind)


def _list(kind: str, *items: object) -> List:
    return List(items, (f"System.Collections.Generic.List`1[[{kind}]]", "System.Object"))


def datetime_view() -> PSObject:
    """Return the ExtendedTypeDefinition of System.DateTime."""
    expression = _of(
        "CustomItemExpression",
        "CustomItemBase",
        ItemSelectionCondition=None,
        Expression=_of("DisplayEntry", ValueType="Property", Value="DateTime"),
        EnumerateCollection=False,
        CustomControl=None,
    )
    entry = _of(
        "CustomControlEntry",
        SelectedBy=None,
        CustomItems=_list(_SMA + "CustomItemBase", expression),
    )
    control = _of(
        "CustomControl",
        "PSControl",
        Entries=_list(_SMA + "CustomControlEntry", entry),
        GroupBy=None,
        OutOfBand=False,
    )
    view = _of("FormatViewDefinition", Name="DateTime", Control=control)
    view.extended["InstanceId"] = _VIEW_ID
    made = _of(
        "ExtendedTypeDefinition",
        TypeName=_DISPLAYED,
        TypeNames=_list("System.String", _DISPLAYED),
        FormatViewDefinition=_list(_SMA + "FormatViewDefinition", view),
    )
    made.to_string = _DISPLAYED
    return made
