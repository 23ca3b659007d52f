"""Expressions whose output is compared with PowerShell's: width of the window and expression.

Each runs in a real PowerShell, its objects are serialized as by a server, and the real client's
display of them is recorded in ``formatting_received.jsonl`` by ``python -m
tests.powershell.record_formatting PWSH``. tests/live compares the recording with the installed
PowerShell.
"""

from __future__ import annotations

__all__ = ["ROWS"]

_TAGGED = (
    "| Add-Member PSComputerName lab -PassThru "
    "| Add-Member RunspaceId ([guid]'00000000-0000-0000-0000-000000000001') -PassThru "
    "| Add-Member PSShowComputerName {shown} -PassThru"
)


def _tagged(expression: str, *, shown: bool = True) -> str:
    return f"({expression}) {_TAGGED.format(shown='$true' if shown else '$false')}"


_FILE = (
    "[pscustomobject]@{{PSTypeName='System.IO.FileInfo'; PSParentPath='X\\FileSystem::{0}'; "
    "UnixMode='-rw-r--r--'; User='root'; Group='root'; "
    "LastWriteTime=[datetime]'2024-01-02 03:04:05'; Size=1221; NameString='{1}'}}"
)
_PROCESS = (
    "[pscustomobject]@{PSTypeName='System.Diagnostics.Process'; NPM=0; PM=1.5MB; WS=130MB; "
    "CPU=1.234; Id=12570; SI=12345; ProcessName='dotnet'}"
)
_COMMAND = (
    "[pscustomobject]@{PSTypeName='System.Management.Automation.CmdletInfo'; CommandType='Cmdlet'; "
    "Name='Get-Date'; Version=[version]'7.0'; Source='Microsoft.PowerShell.Utility'}"
)
_FIVE = "[pscustomobject]@{a=1;b=2;c=3;d=4;e=5}"

ROWS: tuple[tuple[int, str], ...] = (
    # values that are printed as lines
    (80, "0.1; 1e22; -0.0; [single]0.1; 1e15; 1e16; [double]::NaN; [double]::PositiveInfinity"),
    (80, "1.5d; 100d; 1.10d; 1e-5; 123456789.123456789; 0.1+0.2; 1/3; [single](1/3)"),
    (80, "[double]::MaxValue; [double]::Epsilon; [single]::MaxValue; 1e14; 1234567890123456.0"),
    (80, "[single]16777217; [single]1e7; [single]1234567; [single]0.00001234; 0.0001; 0.00001"),
    (80, "[decimal]::MaxValue; [decimal]'0.0000001'; [decimal]'1.10'; [decimal]0"),
    (80, "$true; $false; [char]'x'; 'text'; ''; $null; 5; -5; [byte]7; [uint64]::MaxValue"),
    (80, "[bigint]::Parse('123456789012345678901234567890')"),
    (80, "[datetime]'2024-01-02 03:04:05'"),
    (80, "[datetime]'2024-01-02 03:04:05'; 5; [datetime]'2024-01-03'"),
    (80, "[timespan]'1.02:03:04.5'"),
    (80, "[timespan]-1"),
    (80, "[timespan]::MaxValue"),
    (80, "[guid]::Empty; [guid]'12345678-1234-1234-1234-123456789012'"),
    (80, "[version]'1.2.3'; [version]'4.5'"),
    (20, "[version]'1.2.3.4'"),
    (80, ",@(1,2,3)"),
    (80, ",[byte[]](1,2,3)"),
    (80, "[DayOfWeek]::Friday; [DayOfWeek]::Monday"),
    (80, "[System.IO.FileAttributes]3"),
    (20, "'x' * 50; 'word ' * 10; \"l1`nl2\""),
    (80, "ConvertTo-SecureString x -AsPlainText -Force"),
    (80, "{ 1 + 1 }"),
    # generic tables
    (80, "[pscustomobject]@{a=1;b='hello'}"),
    (80, "[pscustomobject]@{aaaa=1;b='hello'}; [pscustomobject]@{aaaa=100000;b='x'}"),
    (80, "'text'; [pscustomobject]@{a=1}; 5; [pscustomobject]@{a=2}; [pscustomobject]@{q=2}"),
    (80, "0.1,1.23456,1e22,-0.0,1e-7,[double]::NaN,123456.789,[single]0.1 | % { "
         "[pscustomobject]@{a=$_} }"),
    (80, "[pscustomobject]@{a=[decimal]1.5;b=[decimal]1;c=$true;d=[char]'x'}"),
    (80, "[pscustomobject]@{b='y';c=$true;d=[datetime]'2024-01-01'}; "
         "[pscustomobject]@{b=1;c=$false;d=[datetime]'2024-01-01 12:00'}"),
    (80, "[pscustomobject]@{b=$null;c=5;d=[version]'1.2';e=@(1)}; "
         "[pscustomobject]@{b=1000;c=1;d=[version]'1.2';e=@(1)}"),
    (80, "[pscustomobject]@{a='x'*200;b='y'*30}"),
    (80, "[pscustomobject]@{a='x'*50;b='y'*50;c='z'*50}"),
    (80, "1..3 | % { [pscustomobject]@{a='x'*$_*20;b='y'*20;c='z'*20} }"),
    (60, "1..3 | % { [pscustomobject]@{a='x'*$_*20;b='y'*20;c='z'*20} }"),
    (30, "1..3 | % { [pscustomobject]@{a='x'*$_*20;b='y'*20;c='z'*20} }"),
    (5, "1..3 | % { [pscustomobject]@{a='x'*$_*20;b='y'*20;c='z'*20} }"),
    (14, "[pscustomobject]@{aaaaaaaaa='x';b=123456789}"),
    (12, "[pscustomobject]@{aaaaaaaaa='x';b=123456789}"),
    (11, "[pscustomobject]@{aaaaaaaaa='x';b=123456789}"),
    (12, "[pscustomobject]@{aaaaaaaaa='x';b='abcdefgh'}"),
    (11, "[pscustomobject]@{aaaaaaaaa='x';b='abcdefgh'}"),
    (14, "[pscustomobject]@{aaaaaaaaa='x';b='日本語日本'}"),
    (15, "[pscustomobject]@{aaaaaaaaa='x';b='日本語日本'}"),
    (80, "[pscustomobject]@{averylongheadernamehere=1;b=2;anotherverylongheadernamethatislong=3;"
         "theverylongheadernamenumberfour='zz'}"),
    (40, "[pscustomobject]@{averylongheadernamehere=1;b=2;anotherverylongheadernamethatislong=3;"
         "theverylongheadernamenumberfour='zz'}"),
    (40, "[pscustomobject]@{a=\"l1`nl2\";b=2}"),
    (60, "[pscustomobject]@{a=1;b=2}; [pscustomobject]@{a=3}; [pscustomobject]@{b=3;c=1}"),
    (30, "[pscustomobject]@{a='日本語日本語日本語日本語';b=2}; [pscustomobject]@{a='é';b=2}"),
    (40, "[pscustomobject]@{a=\"x`e[31mred`e[0m\";b=1}"),
    (80, "[pscustomobject]@{}; [pscustomobject]@{a=1}"),
    # lists
    (80, f"{_FIVE}; {_FIVE}"),
    (40, f"{_FIVE}; 'x'; {_FIVE}"),
    (40, f"{_FIVE}; [pscustomobject]@{{z=1}}; [version]'1.3'"),
    (40, f"[pscustomobject]@{{a=1;b=2}}; {_FIVE}; [pscustomobject]@{{z=1}}"),
    (80, "[pscustomobject]@{a=1.23456;b=[decimal]1.5;c=[single]0.1;d=1e22;e=-0.0;"
         "f=@(1.23456,2);g=@{x=1.23456}}"),
    (30, "[pscustomobject]@{a='日本語日本語日本語日本語';b='x y '*20;ccccc=3;d=4;e=5}"),
    (30, "[pscustomobject]@{a='ab cd '*10;b='  lead and  two';c=\"tab`tx\";d=1;e=4}"),
    (30, "[pscustomobject]@{a='';b=$null;ccccc=\"a`n`nb\";d=1;e=2}"),
    (10, "[pscustomobject]@{averylongname='abcdefgh';bbb=2;c=3;d=4;e=5}"),
    (16, "[pscustomobject]@{averylongname='abcdefgh';bbb=2;c=3;d=4;e=5}"),
    # values in cells
    (80, "[pscustomobject]@{a=@(1,2,3,4,5,6);b=@{x=1};c=$null}"),
    (80, "[pscustomobject]@{a=@(1,2,3,4);d=@();e=@{}}"),
    (80, "[pscustomobject]@{a=@(1.23456,'x y',$true,$null)}; [pscustomobject]@{a=[char[]]'abc'}"),
    (80, "[pscustomobject]@{a=@(1,@(2,3))}"),
    (80, "[pscustomobject]@{a=@(1,@(2,@(3,4)),'x')}"),
    (80, "[pscustomobject]@{x=[dayofweek]1;y=[System.IO.FileAttributes]3;w=[uri]'http://x'}"),
    (80, "[pscustomobject]@{x=(ConvertTo-SecureString a -AsPlainText -Force);"
         "y=[byte[]](1,2,3,4,5);z=[char]'x';w=[xml]'<a/>'}"),
    (80, "[pscustomobject]@{x={1+1};y=[version]'1.2';z=[guid]::empty;w=[bigint]5}"),
    (80, "[pscustomobject]@{f=[datetime]'2024-01-02 03:04:05.123';"
         "g=[datetimeoffset]'2024-01-02 03:04:05 +01:00';h=[timespan]'1.02:03:04.5'}"),
    (100, "[pscustomobject]@{b=[timespan]::FromMilliseconds(1500);c=[timespan]-1;"
          "d=[datetime]::MinValue;e=[datetime]'2024-06-01';f=0}"),
    (80, "[pscustomobject]@{p=[pscustomobject]@{q=1;r='x'}}"),
    (80, "[pscustomobject]@{s=[System.Collections.Stack]@(1,2);"
         "q=[System.Collections.Queue]@(1,2)}"),
    # dictionaries
    (80, "[ordered]@{a=1;b=@{c=1}}"),
    (80, "[ordered]@{b=[decimal]1.5;a=1.23456;t=@(1,2);n=$null}"),
    (20, "@{abc='x'*40}"),
    (40, "@{abc='x'*40}"),
    (80, "@{('k'*50)='x'*100}"),
    (80, "@{a=1}; @{b=2}; [pscustomobject]@{a=1}; @{c=3}"),
    (80, "[ordered]@{1='one';2.5='x'}"),
    # views
    (120, _COMMAND), (80, _COMMAND), (78, _COMMAND), (77, _COMMAND), (60, _COMMAND), (40, _COMMAND),
    (120, _PROCESS), (80, _PROCESS), (40, _PROCESS), (20, _PROCESS),
    (70, f"{_PROCESS}; [version]'1.2'; {_PROCESS}; 'x'; {_PROCESS}; [datetime]'2024-01-01'"),
    (70, "[version]'1.2'; @{a=1}; [version]'1.3'; [timespan]1; [pscustomobject]@{z=1}"),
    (70, "[timespan]1; [version]'1.3'; [timespan]2; [pscustomobject]@{z=1}"),
    (70, "[datetime]'2024-01-01'; [version]'1.3'; [datetime]'2024-01-01'"),
    (70, "1; [version]'1.3'; 'x'; [version]'1.3'"),
    (70, f"{_FIVE}; [version]'1.3'; [datetime]'2024-01-01'; [timespan]1"),
    (40, "'x'; [pscustomobject]@{a=1}; 'y'; @{q=1}; [datetime]'2024-01-01'; 'z'; [timespan]1"),
    (70, "; ".join(
        _FILE.format(folder, name)
        for folder, name in (("/etc", "passwd"), ("/etc", "group"), ("/", "bin -> usr/bin"),
                             ("/etc", "hosts"))
    )),
    (80, "1,1,2 | Group-Object"),
    (30, "'a' | Group-Object; 'bb' | Group-Object"),
    (80, "1,2,3 | Measure-Object -Sum"),
    (80, "'a b' | Measure-Object -Word -Line -Character"),
    (80, "Get-Variable ConfirmPreference"),
    (80, "[pscustomobject]@{PSTypeName='System.ServiceProcess.ServiceController';Status='Running';"
         "Name='ssh';DisplayName='OpenBSD Secure Shell server'}"),
    (80, "[cultureinfo]'en-US' | Select-Object LCID,Name,DisplayName"),
    (100, "[semver]'7.6.9'"),
    # the origin of an object
    (80, _tagged("[pscustomobject]@{a=1}")),
    (80, _tagged("[pscustomobject]@{a=1}", shown=False)),
    (80, _tagged("[pscustomobject]@{a=1;b=2}")),
    (80, _tagged(_FIVE)),
    (80, _tagged(_PROCESS)),
    (80, _tagged(_PROCESS, shown=False)),
    (80, _tagged(_FILE.format("/etc", "passwd"))),
    (80, _tagged("[version]'1.2'")),
    (80, _tagged("[datetime]'2024-01-01'")),
    (80, _tagged("[timespan]'1'")),
    (80, _tagged("[timespan]'1'", shown=False)),
    (80, _tagged("[guid]::Empty")),
    (80, _tagged("'text'")),
    (80, _tagged("5")),
)  # fmt: skip

#: Run as ``... | Format-...`` on the server, which sends formatting instructions.
FORMATTED: tuple[tuple[int, str], ...] = (
    (80, "[pscustomobject]@{a=1;b='x'},[pscustomobject]@{a=2000;b='y'} | Format-Table"),
    (80, "[pscustomobject]@{a=1;b='x'} | Format-List"),
    (40, "[pscustomobject]@{a=1;b='ab cd '*20} | Format-List"),
    (40, "[pscustomobject]@{a=1;g=1},[pscustomobject]@{a=1;g=2} | Format-Table a -GroupBy g"),
    (40, "[pscustomobject]@{a=1;g=1},[pscustomobject]@{a=1;g=2} | Format-List a -GroupBy g"),
    (40, "1..7 | % { [pscustomobject]@{a=\"item$_\"} } | Format-Wide"),
    (40, "1..7 | % { [pscustomobject]@{a=\"item$_\"} } | Format-Wide -Column 3"),
    (40, "1..7 | % { [pscustomobject]@{a=\"item$_\"} } | Format-Wide -AutoSize"),
    (20, "1..3 | % { [pscustomobject]@{a=\"itemlongerthanten$_\"} } | Format-Wide"),
    (60, "[pscustomobject]@{a=1;b=@{c=1};d=@(1,2);e=[pscustomobject]@{z=1}} | Format-Custom"),
    (60, "[datetime]'2024-01-01' | Format-Custom"),
    (40, "[pscustomobject]@{a=1;b=2} | Format-Table -HideTableHeaders"),
    (30, "[pscustomobject]@{a='x'*100} | Format-Table -Wrap"),
    (30, "[pscustomobject]@{a='xx '*10;b='y'} | Format-Table -Wrap"),
    (60, "[pscustomobject]@{a=\"l1`nl2\";b='x'} | Format-Table -Wrap"),
    (60, "[pscustomobject]@{a=\"l1`nl2\";b='x'} | Format-Table"),
    (80, f"{_PROCESS} | Format-Table"),
    (40, f"{_PROCESS} | Format-Table"),
    (80, f"{_PROCESS} | Format-Table Id,ProcessName -AutoSize"),
    (80, f"{_COMMAND} | Format-Table"),
    (80, f"{_COMMAND} | Format-List"),
    (70, f"{_FILE.format('/etc', 'passwd')} | Format-Table"),
    (70, f"{_FILE.format('/etc', 'passwd')} | Format-List"),
    (80, "'text' | Format-Table"),
    (80, "'text',[pscustomobject]@{a=1} | Format-Table"),
    (80, "1,2 | Format-Wide"),
    (80, "[ordered]@{a=1;b=2} | Format-Table"),
    (80, "[version]'1.2' | Format-Table; [version]'1.3' | Format-List"),
    (80, "'before'; [version]'1.2' | Format-Table; 'after'; [pscustomobject]@{a=1}"),
    (60, "[pscustomobject]@{a=1;b=2} | Format-Table @{n='Label';e={$_.a * 2};align='center';"
         "width=12},b"),
    (60, "[pscustomobject]@{a=1.23456;b=2} | Format-Table @{n='N';e={$_.a};f='0.000'},b"),
)  # fmt: skip
