# Reads commands from standard input, one base64 line each, runs them in the global scope and
# answers with a line of its own: MARK, "ok" or "failed", the output as base64.
param([string]$Mark)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$PSStyle.OutputRendering = 'PlainText'
[Console]::OutputEncoding = [Text.UTF8Encoding]::new($false)
$global:LiveSessions = @{}
$global:LiveParameters = @{}

# The session of a name, opened with the parameters registered for it, again when it is not open.
function global:Get-LiveSession([string]$Name) {
    $session = $global:LiveSessions[$Name]
    if ($null -eq $session -or $session.State -ne 'Opened') {
        if ($session) { Remove-PSSession $session }
        $parameters = $global:LiveParameters[$Name]
        $session = New-PSSession @parameters
        $global:LiveSessions[$Name] = $session
    }
    $session
}

# A [powershell] that runs in the session, without what Invoke-Command adds to objects.
function global:New-LivePipeline([string]$Name) {
    $pipeline = [powershell]::Create()
    $pipeline.Runspace = (Get-LiveSession $Name).Runspace
    $pipeline
}

while ($null -ne ($line = [Console]::In.ReadLine())) {
    $code = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line))
    $how = 'ok'
    try {
        $output = @(. ([scriptblock]::Create($code))) -join "`n"
    }
    catch {
        $how = 'failed'
        $output = "$($_.FullyQualifiedErrorId): $_"
    }
    $bytes = [Text.Encoding]::UTF8.GetBytes($output)
    [Console]::Out.WriteLine("$Mark $how $([Convert]::ToBase64String($bytes))")
    [Console]::Out.Flush()
}
