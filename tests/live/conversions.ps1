# Converts each value, as a client sends it, to each type by binding it to a function's parameter.
# Arguments: a file with one value a line (an expression, or CLIXML after an exclamation mark), a file
# with one type a line, and the file for the answers, a JSON object a line.
param($ValuesPath, $TypesPath, $OutPath)
$open = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
$types = Get-Content $TypesPath
function Get-Bare($value) {
    [System.Management.Automation.PSSerializer]::Serialize($value, 2) -replace '^<Objs[^>]*>\s*', '' -replace '\s*</Objs>\s*$', '' -replace '\n\s*', ''
}
foreach ($type in $types) {
    Invoke-Expression "function global:Test-$($type -replace '\W','_') { [CmdletBinding()] param([Parameter(Position=0)][$type]`$p) ,`$p }"
}
$out = [System.IO.StreamWriter]::new($OutPath)
foreach ($text in Get-Content $ValuesPath) {
    if ($text.StartsWith('!')) { $xml = $open + $text.Substring(1) + '</Objs>' }
    else {
        $value = & ([scriptblock]::Create("return ,($text)"))
        $xml = [System.Management.Automation.PSSerializer]::Serialize($value, 1)
    }
    $bare = $xml -replace '^<Objs[^>]*>\s*', '' -replace '\s*</Objs>\s*$', '' -replace '\n\s*', ''
    $answers = foreach ($type in $types) {
        $given = @{ p = [System.Management.Automation.PSSerializer]::Deserialize($xml) }
        try {
            $made = & "Test-$($type -replace '\W','_')" @given -ErrorAction Stop
            @{ clixml = (Get-Bare $made) }
        }
        catch {
            @{ id = $_.FullyQualifiedErrorId -replace ',.*$', ''; message = $_.Exception.Message }
        }
    }
    $out.WriteLine((@{ value = $text; clixml = $bare; answers = @($answers) } | ConvertTo-Json -Compress -Depth 4))
}
$out.Close()
