"""Questions to the client for mandatory parameters that have no value.

The host call is the one that PowerShell makes, so that a real client shows the same question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psremoting.endpoint.error_records import CommandError
from psremoting.powershell.binder import Given
from psremoting.powershell.parameters import Parameter
from psrp.clixml import SecureString
from psrp.host import FieldDescription, HostMethodId
from psrp.properties import unwrap

if TYPE_CHECKING:
    from psremoting.endpoint.interfaces import RunningCommand

__all__ = ["ask_for"]

_CORE = "System.Private.CoreLib, Version=10.0.0.0, Culture=neutral, PublicKeyToken=7cec85d7bea7798e"
_SECRET = "System.Security.SecureString"


async def ask_for(stage: RunningCommand, names: tuple[str, ...]) -> list[Given]:
    """Return what the user answers for the parameters ``names``; nothing without a host."""
    assert stage.found is not None
    if not stage.pipeline.has_host:
        return []
    wanted = [each for each in stage.found.parameters if each.name in names]
    fields = tuple(_field(each) for each in wanted)
    caption = f"cmdlet {stage.name} at command pipeline position {stage.at + 1}"
    message = "Supply values for the following parameters:"
    try:
        answers = await stage.pipeline.call_host(HostMethodId.Prompt, (caption, message, fields))
    except CommandError:
        return []
    if not isinstance(answers, dict):
        return []
    return [
        Given(each.name, _answer(each, answers[each.name]))
        for each in wanted
        if each.name in answers
    ]


def _field(parameter: Parameter) -> FieldDescription:
    full = _SECRET if _is_secret_text(parameter) else parameter.type
    return FieldDescription(
        name=parameter.name,
        label=f"&{parameter.name}",
        parameter_type_name=full.rpartition(".")[2],
        parameter_type_full_name=full,
        parameter_assembly_full_name=f"{full}, {_CORE}",
        help_message=parameter.help,
        is_mandatory=True,
    )


def _is_secret_text(parameter: Parameter) -> bool:
    return parameter.secret and parameter.type == "System.String"


def _answer(parameter: Parameter, value: Any) -> Any:
    plain = unwrap(value)
    if _is_secret_text(parameter) and isinstance(plain, SecureString):
        return plain.reveal()
    return value
