# What people do with PowerShell's own cmdlets over WS-Man: a row after each line `### name`.
# @a are the parameters of the connection, $s is an open session, $c the credential, $folder a folder of
# the client, $unique a new name. The part before the first row is run at the start of each process.
$s = New-PSSession @a
# On Linux New-PSSessionOption has no parameters for these members.
function New-Option($members) {
    $made = New-PSSessionOption -SkipCACheck -SkipCNCheck
    foreach ($name in $members.Keys) { $made.$name = $members[$name] }
    $made
}
function Invoke-With($option, $script) {
    $way = $a.Clone(); $way.SessionOption = $option
    Invoke-Command @way -ScriptBlock $script -ErrorAction Stop
}
function Show-Error($record) {
    $origin = $record.OriginInfo
    "$($record.GetType().Name) $($record.FullyQualifiedErrorId) $($record.CategoryInfo) [$origin] $record"
}
function Show-Row($name, $script) {
    "== $name"
    try { & $script | Out-String -Stream | ForEach-Object TrimEnd | Where-Object { $_ } }
    catch { "threw: $(Show-Error $_)" }
}

### values
Invoke-Command $s { 1..3; $null; [string][char]0x20ac + [char]::ConvertFromUtf32(0x1f600); ,@(1, 2); @{ a = 1 }; [version]'1.2' }
### type names
Invoke-Command $s { [pscustomobject]@{ a = 1 }; Get-Item / } |
ForEach-Object { $_.PSTypeNames[0]; $_.PSComputerName; $_.RunspaceId -eq $s.Runspace.InstanceId }
### each stream
Invoke-Command $s {
Write-Warning w; Write-Error e; Write-Information i; Write-Host h; Write-Verbose v -Verbose
Write-Debug d -Debug; Write-Progress p; 'o'
} -WarningVariable w -WarningAction SilentlyContinue -InformationVariable i -ErrorVariable e `
-ErrorAction SilentlyContinue 6>$null 4>&1 5>&1 | ForEach-Object { "$($_.GetType().Name) $_" }
"$w|$i|$e"
### host text
Invoke-Command $s { Write-Host one -NoNewline; Write-Host two } 6>&1 | ForEach-Object { "<$_>" }
### an error
Invoke-Command $s { Write-Error e -ErrorId i -Category InvalidData; 1 } 2>&1 | % { if ($_ -is [int]) { $_ } else { Show-Error $_ } }
### several errors
Invoke-Command $s { Get-Item /nope; 1/0; [int]'x'; nonsense } 2>&1 | % { Show-Error $_ }
### error stop
Invoke-Command $s { Get-Item /nope -ErrorAction Stop; 'not here' }
### throw
Invoke-Command $s { 1; throw 'boom'; 2 }
### throw an exception
Invoke-Command $s { throw [ArgumentException]::new('bad', 'p') }
### a parse error
Invoke-Command $s ([scriptblock]::Create('Invoke-Expression "if ("'))
### using
$x = 5; $y = 'two'; Invoke-Command $s { "$using:x $using:y" }
### input
1..2000 | Invoke-Command $s { $input | Measure-Object -Sum | % Sum }
### input of objects
Get-Item /, /etc | Invoke-Command $s { process { $_.Name + $_.PSTypeNames[0] } }
### arguments
Invoke-Command $s { param($a, $b) "$a/$($b.x)" } -ArgumentList 1, @{ x = 2 }
### a large argument
Invoke-Command $s { param($x) $x.Length } -ArgumentList ('z' * 300kb)
### a large output
(Invoke-Command $s { 'q' * 300kb }).Length
### many outputs
Invoke-Command $s { 1..300 } | Measure-Object -Sum | % Sum
### a secret out
$p = ConvertTo-SecureString 'sec' -AsPlainText -Force
Invoke-Command $s { param($p) [pscredential]::new('x', $p).GetNetworkCredential().Password } -ArgumentList $p
### a secret back
$p = Invoke-Command $s { ConvertTo-SecureString 'back' -AsPlainText -Force }
[pscredential]::new('x', $p).GetNetworkCredential().Password
### a credential
$q = [pscredential]::new('me', (ConvertTo-SecureString 'pw' -AsPlainText -Force))
Invoke-Command $s { $q = $using:q; $q.UserName + $q.GetNetworkCredential().Password }
### a session
$s | Select-Object State, Availability, ConfigurationName, ComputerType, Transport, ComputerName
### state of a session
Invoke-Command $s { $global:kept = 7 }; Invoke-Command $s { $kept }
### Get-PSSession
Get-PSSession -Id $s.Id | % { "$($_.State) $($_.Availability)" }
### private data
$s.ApplicationPrivateData.PSVersionTable.Keys | Sort-Object
### by name
Invoke-Command @a { 'by name' }
### two computers
$b = $a.Clone(); $b.ComputerName = @($a.ComputerName, $a.ComputerName)
Invoke-Command @b { 1..3 } | Measure-Object -Sum | % Sum
### throttled
$b = $a.Clone(); $b.ComputerName = @($a.ComputerName) * 3
Invoke-Command @b -ThrottleLimit 1 { 'once' }
### configuration
Invoke-Command @a -ConfigurationName Microsoft.PowerShell { $PSSenderInfo.GetType().Name }
### a connection URI
$b = $a.Clone(); $tls = $b.UseSSL
$u = "$(if ($tls) { 'https' } else { 'http' })://$($a.ComputerName):$($a.Port)/wsman"
'ComputerName', 'Port', 'UseSSL' | ForEach-Object { $b.Remove($_) }
Invoke-Command -ConnectionUri $u @b { 'uri' }
### an application name
Invoke-Command @a -ApplicationName wsman { 'named' }
### another application name
try { Invoke-Command @a -ApplicationName other { 1 } -ErrorAction Stop } catch { 'refused' }
### a closed session
$t = New-PSSession @a; Remove-PSSession $t; "$($t.State)"
Invoke-Command $t { 1 } -ErrorAction Stop
### disconnecting
Disconnect-PSSession $s
### exit
$t = New-PSSession @a; Invoke-Command $t { 1; exit 3; 2 }; "$LASTEXITCODE"
### exit and go on
$t = New-PSSession @a; Invoke-Command $t { exit 3 } *> $null
Invoke-Command $s { 'the other session works' }
### SetShouldExit
$t = New-PSSession @a; Invoke-Command $t { $Host.SetShouldExit(4); 'after' }
foreach ($n in 1..100) { if ("$($t.State)" -eq 'Closing') { Start-Sleep -Milliseconds 50 } }; "$($t.State)"
### a job
$j = Invoke-Command $s { 1..3; Write-Error je } -AsJob -JobName n
$null = Wait-Job $j; "$($j.State) $($j.Name) $($j.Location) $($j.ChildJobs.Count)"
Receive-Job $j 2>&1 | % { "$_" }; Remove-Job $j
### a failed job
$j = Invoke-Command $s { throw 'in a job' } -AsJob; $null = Wait-Job $j; "$($j.State)"
Receive-Job $j 2>&1 | % { "$_" }; $j.ChildJobs[0].JobStateInfo.Reason.Message
### a stopped job
$j = Invoke-Command $s { 1; Start-Sleep 60; 2 } -AsJob
while (-not (Receive-Job $j -Keep)) { Start-Sleep -Milliseconds 50 }
Stop-Job $j; "$($j.State)"; Receive-Job $j; Invoke-Command $s { 7 }
### jobs of two computers
$b = $a.Clone(); $b.ComputerName = @($a.ComputerName, $a.ComputerName)
$j = Invoke-Command @b { 5 } -AsJob; $null = Wait-Job $j; "$($j.State) $($j.ChildJobs.Count)"; Receive-Job $j
### Copy-Item
Set-Content $folder/here 'copy me'; Copy-Item $folder/here /tmp/$unique -ToSession $s
Copy-Item /tmp/$unique $folder/back -FromSession $s; Get-Content $folder/back
Invoke-Command $s { Remove-Item /tmp/$using:unique }
### Copy-Item, a folder
$null = New-Item -ItemType Directory $folder/d/e; Set-Content $folder/d/e/f ('x' * 100kb)
Copy-Item $folder/d /tmp/$unique -Recurse -ToSession $s
Copy-Item /tmp/$unique $folder/r -Recurse -FromSession $s
(Get-Item $folder/r/e/f).Length; Invoke-Command $s { Remove-Item -Recurse /tmp/$using:unique }
### Copy-Item of nothing
Copy-Item /tmp/no-such-$unique $folder -FromSession $s 2>&1 | % { Show-Error $_ }
### Import-PSSession
$m = Import-PSSession $s -CommandName Get-Date, Get-Location -Prefix Far -AllowClobber
$m.ExportedFunctions.Keys | Sort-Object; (Get-FarDate -Year 2020).Year; Remove-Module $m
### Export-PSSession
Export-PSSession $s -CommandName Get-Date -OutputModule $folder/m -AllowClobber | % Name | Sort-Object
### Get-Command
Invoke-Command $s { Get-Command Get-Date } | % { "$($_.CommandType) $_" }
### -FilePath
Set-Content $folder/f.ps1 'param($n) "file $n"'; Invoke-Command $s -FilePath $folder/f.ps1 -ArgumentList 8
### ApplicationArguments
Invoke-With (New-Option @{ ApplicationArguments = @{ k = 'v'; n = 3 } }) { $i = $PSSenderInfo.ApplicationArguments; $i.k; $i.n }
### Culture
Invoke-With (New-Option @{ Culture = 'de-DE' }) { (1.5).ToString(); (Get-Culture).Name }
### UICulture
Invoke-With (New-Option @{ UICulture = 'fr-FR' }) { (Get-UICulture).Name }
### NoCompression
Invoke-With (New-Option @{ NoCompression = $true }) { ('x' * 100kb).Length }
### NoEncryption
try { Invoke-With (New-Option @{ NoEncryption = $true }) { 'plain' } } catch { 'refused' }
### NoMachineProfile
Invoke-With (New-Option @{ NoMachineProfile = $true }) { 'no profile' }
### UseUTF16
Invoke-With (New-Option @{ UseUTF16 = $true }) { [char]0xe9 }
### IncludePortInSPN
try { Invoke-With (New-Option @{ IncludePortInSPN = $true }) { 'port' } } catch { 'refused' }
### OpenTimeout
Invoke-With (New-Option @{ OpenTimeout = '00:01' }) { 'opened' }
### OperationTimeout
Invoke-With (New-Option @{ OperationTimeout = '00:00:30' }) { Start-Sleep 1; 'operated' }
### CancelTimeout
Invoke-With (New-Option @{ CancelTimeout = '00:00:30' }) { 'cancelled' }
### IdleTimeout
Invoke-With (New-Option @{ IdleTimeout = '00:02' }) { 'idle' }
### OutputBufferingMode
Invoke-With (New-Option @{ OutputBufferingMode = 'Drop' }) { 1..3 }
### MaximumConnectionRedirectionCount
Invoke-With (New-Option @{ MaximumConnectionRedirectionCount = 0 }) { 'redirected' }
### MaxConnectionRetryCount
Invoke-With (New-Option @{ MaxConnectionRetryCount = 2 }) { 'retried' }
### ProxyAccessType
try { Invoke-With (New-Option @{ ProxyAccessType = 'NoProxyServer' }) { 'no proxy' } } catch { 'refused' }
### ProxyAuthentication
Invoke-With (New-Option @{ ProxyAuthentication = 'Basic' }) { 'no proxy' }
### MaximumReceivedObjectSize
try { Invoke-With (New-Option @{ MaximumReceivedObjectSize = 20kb }) { 'x' * 100kb } } catch { "$_" }
### MaximumReceivedDataSizePerCommand
try { Invoke-With (New-Option @{ MaximumReceivedDataSizePerCommand = 20kb }) { 'x' * 100kb } } catch { "$_" }
### SkipRevocationCheck
Invoke-With (New-Option @{ SkipRevocationCheck = $true }) { 'not revoked' }
