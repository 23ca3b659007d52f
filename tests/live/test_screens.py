"""Screens of an entered session, compared with those of the real client after every step."""

from __future__ import annotations

import pytest

from tests.live.screen_scenarios import (
    ANY,
    CHOICE,
    CHOICES,
    CTRL_C,
    CTRL_R,
    DEBUGGER,
    MORE,
    MORE_SCENARIOS,
    ODD_PROMPTS,
    OWN_WORDS,
    REDRAWN,
    TAB,
    UP,
    answered,
    running,
)  # fmt: skip
from tests.live.screens import LEFT, PROMPT, Screens, Step

TIME_LIMIT = 400

SCENARIOS: dict[str, list[Step | str]] = {
    "values": [
        "1..3",
        "'text'",
        "$null",
        "",
        "@{ a = 1 }",
        "[ordered]@{ a = 1; long = 'x' * 200 }",
        "[pscustomobject]@{ a = 1; b = 'two' }",
        "[pscustomobject]@{ a = 1; b = 2; c = 3; d = 4; e = 5 }",
        "1.5, 1e22, [single]0.1, -0.0, 1kb, 0x10",
        "[datetime]'2024-01-02T03:04:05'",
        "[timespan]'1.02:03:04'",
        "[version]'1.2.3'",
        "[guid]::Empty",
        "'a' * 300",
        "[byte[]](1..20)",
        "[char]'x'; $true",
        "'é', '日本', '😀'",
        "'a\tb'",
        "Get-Item / | Select-Object Name, FullName",
        "1..3 | Format-Table",
        "1..3 | ForEach-Object { [pscustomobject]@{ n = $_ } } | Format-List",
    ],
    "records": [
        "Write-Warning 'careful'",
        "Write-Error 'wrong'",
        "Write-Verbose 'v' -Verbose",
        "Write-Debug 'd' -Debug",
        "Write-Information 'i' -InformationAction Continue",
        "Write-Information 'not shown'",
        "Write-Host 'plain'",
        "Write-Host ''",
        "Write-Host $null",
        "Write-Host 'red' -ForegroundColor Red -NoNewline; Write-Host ' on'",
        "'a'; Write-Host 'b'; 'c'; Write-Warning 'd'; 'e'",
        "'x' | Out-Host",
        "$Host.UI.WriteLine('ui')",
        "$Host.UI.WriteErrorLine('ui error')",
        "$Host.UI.WriteWarningLine('ui warning')",
        "/bin/sh -c 'echo out'",
        "/bin/sh -c 'echo err >&2'",
        "/bin/sh -c 'exit 3'; $LASTEXITCODE",
    ],
    "errors": [
        "throw 'boom'",
        "1/0",
        "nosuchcommand",
        "Get-Item /nosuch",
        "1 + )",
        "[int]'x'",
        "$x.foo()",
        "Get-Item -Nosuch",
        "function f { Write-Error 'in f' }; f",
        "function g { throw 'in g' }; g",
        "Write-Error -Message m -Category ObjectNotFound -ErrorId MyId -RecommendedAction 'do it'",
        "Write-Error ('long ' * 60)",
        "$ErrorView = 'NormalView'",
        "1/0",
        "Get-Item /nosuch",
        "$ErrorView = 'DetailedView'",
        "1/0",
        "$ErrorView = 'ConciseView'",
        "& { $ErrorActionPreference = 'Stop'; Write-Error 'stops'; 'not reached' }",
        "trap { 'trapped'; continue }; throw 'x'",
    ],
    "prompts": [
        Step("function prompt { 'P> ' }\r", r"\[localhost\]: P>"),
        Step("1\r", r"\[localhost\]: P>"),
        Step('function prompt { "`e[32mgreen`e[0m> " }\r', r"\[localhost\]: green>"),
        Step("1\r", r"\[localhost\]: green>"),
        Step('function prompt { "one`ntwo> " }\r', r"two>"),
        Step("1\r", r"two>"),
        Step("function prompt { throw 'no' }\r", r".*PS>"),
        Step("1\r", r".*PS>"),
        Step(
            "function prompt { Write-Host 'host ' -NoNewline; 'a> ' }\r",
            r"host \[localhost\]: a>",
            accepted=REDRAWN,
        ),
        Step("1\r", r"host \[localhost\]: a>"),
        Step("function prompt { Write-Error 'wrong'; 'e> ' }\r", r"\[localhost\]: e>"),
        Step("function prompt { '' }\r", r".*PS>"),
        Step("1\r", r".*PS>"),
        Step("Remove-Item function:prompt\r", r".*PS>"),
        Step("1\r", r".*PS>"),
        Step("exit\r", LEFT),
    ],
    "blocks": [
        Step("if ($true) {\r", MORE),
        Step("'in'\r", MORE),
        Step("}\r"),
        Step("@'\r", MORE),
        Step("first\r", MORE),
        Step("\r", MORE),
        Step("third\r", MORE),
        Step("'@\r"),
        Step("'a\r", MORE),
        Step("\r", MORE),
        Step("b'\r"),
        Step("1 +\r", MORE),
        Step("2\r"),
        Step("'x' |\r", MORE),
        Step("ForEach-Object { $_ }\r"),
        Step("function f {\r", MORE),
        Step("  param($a)\r", MORE),
        Step("  $a * 2\r", MORE),
        Step("}\r"),
        "f 21",
        Step("Write-Output `\r", MORE),
        Step("joined\r"),
        Step("if (1) {\r", MORE),
        Step(")\r", MORE),
        Step(CTRL_C),
        "'still here'",
        Step("@(1,\r", MORE),
        Step(CTRL_C),
        "'after'",
    ],
    "history": [
        "'one'",
        "'two'",
        Step(UP, ANY + "'two'"),
        Step("\r"),
        Step(UP + UP, ANY + "'one'"),
        Step("\r"),
        Step("if (1) {\r", MORE),
        Step("'block'\r", MORE),
        Step("}\r"),
        Step(UP, MORE + " }"),
        Step("\r"),
        Step(CTRL_R, ANY, accepted="the words of the search are those of the editor"),
        Step("two", ANY, accepted="the words of the search are those of the editor"),
        Step("\r", PROMPT, shows="two", accepted="the words of the search are those of the editor"),
        "(Get-History).CommandLine",
        "Get-History | Select-Object -Last 2 Id, CommandLine",
    ],
    "tab": [
        "$xyz = 1",
        "'dir1', 'dir2', 'with space' | % { $null = New-Item -ItemType Directory tabs/$_ }",
        "Set-Location tabs",
        Step("Get-Chil" + TAB, ANY + "Get-ChildItem"),
        Step("\r"),
        Step("Get-ChildItem -Rec" + TAB, ANY + "-Recurse"),
        Step(CTRL_C),
        Step("cd dir" + TAB, ANY + "dir"),
        Step(CTRL_C),
        Step("cd wi" + TAB, ANY + "space.*"),
        Step(CTRL_C),
        Step("$xy" + TAB, ANY + r"\$xyz"),
        Step("\r"),
        Step("'a'.Leng" + TAB, ANY + "Length"),
        Step("\r"),
        Step("'é😀'; Get-Chil" + TAB, ANY + "Get-ChildItem"),
        Step(CTRL_C),
        Step("nosuchthing" + TAB, ANY + "nosuchthing"),
        Step(CTRL_C),
        "Set-Location ..; Remove-Item -Recurse tabs",
    ],
    "interrupting": [
        Step("'typed" + CTRL_C),
        running("while ($true) { Start-Sleep -Milliseconds 50 }"),
        Step(CTRL_C),
        "'after'",
        running("/bin/sleep 60"),
        Step(CTRL_C),
        running("Start-Sleep 60"),
        Step(CTRL_C),
        running("try { Start-Sleep 60 } finally { $cleaned = $true }"),
        Step(CTRL_C),
        "$cleaned",
        "'still here'",
    ],
    "interrupted questions": [
        Step("'x'; Read-Host 'name'; 'after'\r", "name:"),
        Step(CTRL_C),
        CHOICES,
        Step("$Host.UI.PromptForChoice('T','M',$o,1); 'after'\r", CHOICE),
        Step(CTRL_C),
        Step("Get-Credential -UserName bob -Message M; 'after'\r", ".*bob:", accepted=OWN_WORDS),
        Step(CTRL_C),
        Step("Read-Host -AsSecureString 'secret'; 'after'\r", "secret:", accepted=OWN_WORDS),
        Step(CTRL_C),
        "'still here'",
    ],
    "questions": [
        *answered("Read-Host 'name'", "bob", until="name:"),
        *answered("Read-Host", "bob", until=""),
        *answered("Read-Host 'name'", "", until="name:"),
        Step("(Read-Host -AsSecureString 'secret').Length\r", "secret:", accepted=OWN_WORDS),
        "geheim",
        Step("Read-Host -MaskInput 'masked'\r", "masked:", accepted=OWN_WORDS),
        "geheim",
        CHOICES,
        *answered("$Host.UI.PromptForChoice('T','M',$o,1)", "?", "two", until=CHOICE),
        *answered("$Host.UI.PromptForChoice('T','M',$o,1)", "", until=CHOICE),
        *answered("$Host.UI.PromptForChoice('T','M',$o,-1)", "", "h", until=CHOICE),
        *answered("$Host.UI.PromptForChoice('','',$o,0)", "nonsense", "O", until=CHOICE),
        "$null = New-Item -Force ./file.txt",
        *answered("Remove-Item ./file.txt -Confirm", "n", until=CHOICE),
        *answered("Remove-Item ./file.txt -Confirm", "?", "y", until=CHOICE),
        'function m { param([Parameter(Mandatory)]$a, [Parameter(Mandatory)][int]$b) "$a $b" }',
        *answered("m", "one", "2"),
        "function l { param([Parameter(Mandatory)][string[]]$a) $a.Count }",
        *answered("l", "one", "two", ""),
        "function s { param([Parameter(Mandatory)][securestring]$a) $a.Length }",
        Step("s\r", "a:", accepted=OWN_WORDS),
        "geheim",
        "function helped { param([Parameter(Mandatory, HelpMessage = 'the help')]$a) $a }",
        *answered("helped", "!?", "x"),
        Step("(Get-Credential bob).UserName\r", ".*bob:", accepted=OWN_WORDS),
        "geheim",
        Step(
            "$c = $Host.UI.PromptForCredential('Cap','Msg','','target'); $c.UserName\r",
            "User:",
            accepted=OWN_WORDS,
        ),
        Step("bob\r", ".*bob:"),
        "geheim",
        *answered(
            "$f = [System.Management.Automation.Host.FieldDescription]::new('F');"
            " $Host.UI.Prompt('Cap','Msg',@($f))",
            "value",
        ),
    ],
    "questions for numbers": [
        "function m { param([Parameter(Mandatory)][int]$b) $b }",
        *answered("m", "x"),
    ],
    "typed ahead": [
        Step("Start-Sleep -Milliseconds 700; 'done'\r'next'\r", PROMPT, shows="next"),
        "'after'",
    ],
    "progress": [
        "1..3 | ForEach-Object { Write-Progress A -Status S -PercentComplete (30 * $_) }; 'end'",
        "Write-Progress A -Status S -PercentComplete 50; Write-Progress A -Completed",
        "Write-Progress A -Status busy -PercentComplete 42; Start-Sleep -Milliseconds 300; 'x'",
    ],
    "debugger": [
        "Set-Content ./dbg.ps1 '$a = 1', 'Write-Host \"host $a\"', '$b = $a + 1', '$b', '\"end\"'",
        "$null = Set-PSBreakpoint -Script ./dbg.ps1 -Line 2",
        Step("./dbg.ps1\r", DEBUGGER),
        Step("$a\r", DEBUGGER),
        Step("s\r", DEBUGGER),
        Step("s\r", DEBUGGER),
        Step("k\r", DEBUGGER),
        Step("l 1 3\r", DEBUGGER),
        Step("nosuchcommand\r", DEBUGGER),
        Step("Write-Warning w; Write-Error e; Write-Host h\r", DEBUGGER),
        Step("\r", DEBUGGER),
        Step("h\r", DEBUGGER),
        Step("c\r"),
        Step("./dbg.ps1\r", DEBUGGER),
        Step("v\r", DEBUGGER),
        Step("o\r"),
        Step("./dbg.ps1\r", DEBUGGER),
        Step("q\r"),
        Step("Wait-Debugger; 'after'\r", DEBUGGER),
        Step("c\r"),
    ],
    "raw screen": [
        "$Host.UI.RawUI.WindowSize",
        "$Host.UI.RawUI.BufferSize.Width",
        "$Host.UI.RawUI.ForegroundColor",
        "$Host.Name",
        "Clear-Host",
        "'after'",
        "$Host.UI.RawUI.WindowTitle = 'title'; 'ok'",
        running("$k = $Host.UI.RawUI.ReadKey(); 'x'"),
        Step("a"),
        "$k",
        running("$k = $Host.UI.RawUI.ReadKey('NoEcho,IncludeKeyDown'); 'x'"),
        Step("A"),
        "$k",
    ],
    "nested": [
        "$Host.EnterNestedPrompt()",
        "'after'",
        "Enter-PSSession -HostName nosuch",
        "$Host.UI.PromptForChoice",
    ],
    "leaving by exit": [Step("exit\r", LEFT)],
    "leaving by exit 3": [Step("exit 3\r", LEFT)],
    "leaving by SetShouldExit": [Step("$Host.SetShouldExit(3)\r", LEFT)],
    "leaving by Exit-PSSession": [Step("Exit-PSSession\r", LEFT)],
    "leaving by exit and more": [Step("exit; 'x'\r", LEFT)],
    "leaving by a function": ["function leave { exit }", Step("leave\r", LEFT)],
    **MORE_SCENARIOS,
}

OPEN: dict[str, str] = {}
"""Scenarios that still differ, with reasons. An entry whose scenario is equal fails: remove it."""


def _marked(name: str) -> object:
    reason = OPEN.get(name)
    return pytest.param(name, marks=pytest.mark.xfail(reason=reason)) if reason else name


@pytest.mark.parametrize("name", [_marked(name) for name in SCENARIOS])
def test_the_screen_is_that_of_the_real_client(screens: Screens, name: str) -> None:
    with screens.entered() as pair:
        pair.play(SCENARIOS[name])


def test_a_prompt_that_is_no_string_is_that_of_the_real_client(screens: Screens) -> None:
    """PSReadLine would draw the end of these prompts again, in the wrong place."""
    steps: list[Step | str] = []
    for body, shown in ODD_PROMPTS.items():
        steps.append(Step(f"function prompt {{ {body} }}\r", rf".*{shown}.*", reads=False))
        steps.append(Step("'next'\r", ANY, shows="next", reads=False))
    with screens.entered(by_line=True) as pair:
        pair.play(steps)


OURS = r"\[localhost\]: PS>"
"""The prompt of our endpoint."""


def at_ours(*lines: str) -> list[Step | str]:
    return [Step(line + "\r", OURS) for line in lines]


def test_our_endpoint_clears_the_screen_and_survives_an_interrupted_question(
    screens: Screens,
) -> None:
    """A client on Unix cannot fill a screen buffer; after such a call it froze in a question."""
    with screens.entered("demo") as pair:
        pair.play(
            [
                *at_ours("Get-Number 3", "clear", "Get-Number 1", "Clear-Host", "'after'", "cls"),
                Step("Show-Greeting\r", ".*: ?"),
                Step(CTRL_C, OURS),
                *at_ours("Get-Number 2", "clear", "Get-Number 1"),
                Step("Show-Greeting\r", ".*: ?"),
                Step("Anna\r", OURS),
                *at_ours("cls", "Get-Nothing", "Show-Streams", "Get-Number 2"),
                Step("exit\r", LEFT),
            ]
        )
