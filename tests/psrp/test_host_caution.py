"""Changes to a host call before the user is asked, against phishing."""

from __future__ import annotations

import pytest

from psrp.host import FieldDescription, Rectangle, secure_request
from psrp.host import HostMethodId as M


@pytest.mark.parametrize("method", [M.PromptForCredential1, M.PromptForCredential2])
def test_requests_for_credentials_are_marked(method: int) -> None:
    """Statement D42."""
    secured = secure_request(method, ("Login", "please", "ada", ""), "host.example")
    caption, message, *rest = secured.arguments
    assert caption == "PowerShell Credential Request: Login"
    assert "HOST.EXAMPLE" in message
    assert message.endswith("\n\nplease")
    assert (rest, secured.warnings, secured.refused) == (["ada", ""], (), None)


def test_the_default_caption_stays() -> None:
    """Statement D42."""
    asked = ("PowerShell credential request", None, None, None)
    secured = secure_request(M.PromptForCredential1, asked, "h")
    assert secured.arguments[0] == asked[0]
    assert len(secure_request(M.PromptForCredential1, (), "h").arguments) == 2


def field(type_name: str) -> FieldDescription:
    return FieldDescription(
        name="f",
        parameter_type_full_name=type_name,
        parameter_assembly_full_name=f"{type_name}, System.Private.CoreLib, Version=10.0.0.0",
    )


def test_a_prompt_for_a_credential_is_marked_too() -> None:
    """Statement D42."""
    asked = field("System.Management.Automation.PSCredential")
    secured = secure_request(M.Prompt, ("c", "m", (field("System.String"), asked)), "h")
    assert secured.arguments[0] == "PowerShell Credential Request: c"
    assert [each.modified_by_remoting_protocol for each in secured.arguments[2]] == [False, True]
    assert all(each.is_from_remote_host for each in secured.arguments[2])
    assert secured.warnings == ()


def test_a_prompt_for_a_secret_is_announced() -> None:
    """Statement D42."""
    asked = field("System.Security.SecureString")
    secured = secure_request(M.Prompt, ("c", "m", (asked, asked)), "host")
    assert secured.arguments[:2] == ("c", "m")
    assert len(secured.warnings) == 2
    assert "HOST" in secured.warnings[0]
    nameless = FieldDescription(
        name="f", parameter_type_full_name=None, parameter_assembly_full_name=None
    )
    assert secure_request(M.Prompt, ("c", "m", (nameless,)), "host").warnings == ()


def test_a_prompt_of_an_odd_shape_is_left_alone() -> None:
    for asked in (("c",), ("c", "m", "no fields")):
        assert secure_request(M.Prompt, asked, "h") == (asked, (), None)
    kept = secure_request(M.Prompt, ("c", "m", ("no field",)), "h")
    assert kept.arguments == ("c", "m", ("no field",))


def test_reading_a_secret_line_is_announced() -> None:
    """Statement D42."""
    secured = secure_request(M.ReadLineAsSecureString, (), "host")
    assert len(secured.warnings) == 1
    assert secured.refused is None


def test_reading_the_screen_is_refused() -> None:
    """Statement D42."""
    secured = secure_request(M.GetBufferContents, (Rectangle(),), "host")
    assert secured.refused is not None
    assert secured.warnings == (secured.refused,)


def test_other_calls_are_left_alone() -> None:
    assert secure_request(M.WriteLine2, ("x",), "host") == (("x",), (), None)
