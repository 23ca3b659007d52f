"""The files of a PowerShell with its full language: scripts that read and write streams.

They run in Windows PowerShell 5.1 and in PowerShell 7. A file is written beside its place and moved
there when its SHA-256 is right.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from psremoting.copying.byte_streams import end_of, entry_of, received, sent
from psremoting.copying.remote_files import CopyError, End, Looked, RemoteEntry, checked, table_of
from psrp.clixml import Dictionary, Int64, List
from psrp.clixml.times import UNIX_EPOCH

if TYPE_CHECKING:
    from psremoting.session import PSSession

__all__ = ["CHUNK", "PowerShellFiles"]

CHUNK = 1 << 20
"""Bytes of one object of a stream; smaller ones cost PowerShell more than their bytes."""

_SHOW = r"""
function Show-Entry($entry) {
  $directory = $entry -is [IO.DirectoryInfo]
  @{ Path = $entry.FullName; Name = $entry.Name; IsDirectory = $directory
     Size = [long]$(if ($directory) { 0 } else { $entry.Length })
     Ticks = $entry.LastWriteTimeUtc.Ticks
     Mode = $(if ($null -ne $entry.UnixFileMode) { [int]$entry.UnixFileMode }) } }
"""
_LOOK = (
    "param($path)"
    + _SHOW
    + r"""
$full = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($path)
$parent = [IO.Path]::GetDirectoryName($full)
$found = if ([IO.File]::Exists($full) -or [IO.Directory]::Exists($full)) {
  Get-Item -LiteralPath $full -Force
} else { Get-Item -Path $path -Force -ErrorAction Ignore }
@{ Path = $full; Separator = [string][IO.Path]::DirectorySeparatorChar
   Parent = [bool]($parent -and [IO.Directory]::Exists($parent))
   Entries = @($found | Where-Object { $_ -is [IO.FileSystemInfo] } |
     ForEach-Object { Show-Entry $_ }) }
"""
)
_ENTRIES = (
    "param($path)"
    + _SHOW
    + r"""
foreach ($entry in Get-ChildItem -LiteralPath $path -Force -ErrorAction Stop) {
  if (-not $entry.LinkType -or $entry.LinkType -eq 'HardLink') { Show-Entry $entry } }
"""
)
_MAKE = "param($path) $null = [IO.Directory]::CreateDirectory($path)"
_PART = r"""
param($part)
if ([IO.File]::Exists($part)) {
  $file = [IO.File]::OpenRead($part); $sha = [Security.Cryptography.SHA256]::Create()
  try { @{ Size = $file.Length; Sha256 = [BitConverter]::ToString($sha.ComputeHash($file)) } }
  finally { $file.Dispose() }
} else { @{ Size = [long]0; Sha256 = '' } }
"""
_WRITE = r"""
param($path, $part, $offset)
begin {
  $ErrorActionPreference = 'Stop'; $end = $null
  $sha = [Security.Cryptography.SHA256]::Create()
  $file = New-Object IO.FileStream $part, 'OpenOrCreate', 'ReadWrite'
  $file.SetLength([Math]::Min($file.Length, $offset))
  $buffer = New-Object byte[] 1048576
  while (($count = $file.Read($buffer, 0, $buffer.Length)) -gt 0) {
    $null = $sha.TransformBlock($buffer, 0, $count, $null, 0) }
  if ($file.Length -ne $offset) { $file.Dispose(); throw "Cannot go on at byte $offset." }
}
process {
  if ($_ -is [byte[]]) {
    try { $file.Write($_, 0, $_.Length) } catch { $file.Dispose(); throw }
    $null = $sha.TransformBlock($_, 0, $_.Length, $null, 0)
  } elseif ($null -ne $_) { $end = $_ }
}
end {
  $null = $sha.TransformFinalBlock((New-Object byte[] 0), 0, 0); $file.Dispose()
  if ($null -eq $end) { return }
  $hash = [BitConverter]::ToString($sha.Hash).Replace('-', '')
  if ($hash -ne $end.Sha256) {
    [IO.File]::Delete($part)
    throw "The bytes of '$path' have the SHA-256 $hash here and another one at their source." }
  if ($PSVersionTable.PSVersion.Major -ge 6) { [IO.File]::Move($part, $path, $true) }
  elseif ([IO.File]::Exists($path)) { [IO.File]::Replace($part, $path, [NullString]::Value) }
  else { [IO.File]::Move($part, $path) }
  if ($end.Ticks) {
    [IO.File]::SetLastWriteTimeUtc($path, (New-Object DateTime $end.Ticks, 'Utc')) }
  if ($null -ne $end.Mode -and ($IsLinux -or $IsMacOS)) {
    # .NET 6, of PowerShell 7.2, cannot.
    try { [IO.File]::SetUnixFileMode($path, [int]$end.Mode) } catch { } }
  @{ Sha256 = $hash }
}
"""
_READ = r"""
param($path, $offset, $chunk)
$ErrorActionPreference = 'Stop'
$file = New-Object IO.FileStream $path, 'Open', 'Read', 'ReadWrite'
try {
  $sha = [Security.Cryptography.SHA256]::Create(); $at = [long]0
  while ($true) {
    $size = if ($at -lt $offset) { [Math]::Min($chunk, $offset - $at) } else { $chunk }
    $buffer = New-Object byte[] $size
    $count = $file.Read($buffer, 0, $buffer.Length)
    if ($count -le 0) { break }
    $null = $sha.TransformBlock($buffer, 0, $count, $null, 0)
    if ($count -lt $buffer.Length) { [Array]::Resize([ref]$buffer, $count) }
    if ($at -ge $offset) { , $buffer }
    $at += $count
  }
  $null = $sha.TransformFinalBlock((New-Object byte[] 0), 0, 0)
  $entry = Get-Item -LiteralPath $path -Force
  @{ Sha256 = [BitConverter]::ToString($sha.Hash); Size = $at
     Ticks = $entry.LastWriteTimeUtc.Ticks
     Mode = $(if ($null -ne $entry.UnixFileMode) { [int]$entry.UnixFileMode }) }
} finally { $file.Dispose() }
"""


class PowerShellFiles:
    """Files reached with scripts."""

    resumes = True

    def __init__(self, session: PSSession) -> None:
        self._session = session

    async def _run(self, script: str, **parameters: Any) -> list[Any]:
        ran = await self._session.run(script, parameters=parameters, as_script=True)
        return checked(ran)

    async def look(self, path: str) -> Looked:
        found = table_of(await self._run(_LOOK, path=path))
        entries = found.get("Entries")
        items = entries if isinstance(entries, List) else [entries] if entries else []
        return Looked(
            path=str(found["Path"]),
            entries=tuple(entry_of(each) for each in items),
            parent_is_directory=bool(found["Parent"]),
            separator=str(found["Separator"]),
        )

    async def entries(self, directory: RemoteEntry) -> list[RemoteEntry]:
        return [entry_of(each) for each in await self._run(_ENTRIES, path=directory.path)]

    async def make_directory(self, path: str) -> None:
        await self._run(_MAKE, path=path)

    async def part(self, path: str, id: str) -> tuple[int, str]:
        found = end_of(table_of(await self._run(_PART, part=_part_path(path, id))))
        return found.size, found.sha256

    async def upload(
        self, path: str, id: str, offset: int, data: AsyncIterator[bytes | End]
    ) -> None:
        async with aclosing(sent(data, _end_table)) as input:
            result = await self._session.run(
                _WRITE,
                parameters={"path": path, "part": _part_path(path, id), "offset": Int64(offset)},
                input=input,
                as_script=True,
            )
        if not checked(result):
            raise CopyError(f"PowerShell did not complete '{path}'.")

    async def download(self, entry: RemoteEntry, offset: int) -> AsyncGenerator[bytes | End, None]:
        invocation = await self._session.invoke(
            _READ,
            parameters={"path": entry.path, "offset": Int64(offset), "chunk": CHUNK},
            as_script=True,
        )
        async with aclosing(received(invocation)) as items:
            async for item in items:
                yield item


def _part_path(path: str, id: str) -> str:
    """Return the path of the part of a file: hidden beside it."""
    cut = max(path.rfind("/"), path.rfind("\\")) + 1
    return f"{path[:cut]}.{path[cut:][:150]}.{id}.psrp-part"


def _end_table(end: End) -> Dictionary:
    table = Dictionary({"Sha256": end.sha256})
    if end.mtime_ns is not None:
        table["Ticks"] = Int64(end.mtime_ns // 100 + UNIX_EPOCH)
    if end.mode is not None:
        table["Mode"] = end.mode
    return table
