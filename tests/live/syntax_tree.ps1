# Tree gives a syntax tree as nested arrays, and Parsed the errors and the tree of each text.
function global:Tree($n) {
  if ($null -eq $n) { return $null }
  switch ($n.GetType().Name) {
    ScriptBlockAst {
      $b = @($n.BeginBlock,$n.ProcessBlock,$n.DynamicParamBlock,$n.CleanBlock).Where{$_}.ForEach{"$($_.BlockKind)".ToLower()}
      $st = @(); if ($n.EndBlock) { $st = @($n.EndBlock.Statements | % { ,(Tree $_) }); if (-not $n.EndBlock.Unnamed) { $b += 'end' } }
      $p = @(); if ($n.ParamBlock) { $p = @($n.ParamBlock.Parameters | % { ,@($_.Name.VariablePath.UserPath, (Tree $_.DefaultValue)) }) }
      return ,@('script', $p, @($b|sort), $st) }
    PipelineAst { return ,@('pipeline', @($n.PipelineElements | % { ,(Tree $_) }), $n.Background) }
    PipelineChainAst { return ,@('chain', $n.Operator.ToString(), (Tree $n.LhsPipelineChain), (Tree $n.RhsPipeline)) }
    AssignmentStatementAst { return ,@('assign', $n.Operator.ToString(), (Tree $n.Left), (Tree $n.Right)) }
    CommandAst { return ,@('command', $n.InvocationOperator.ToString(), @($n.CommandElements | % { ,(Tree $_) }), @($n.Redirections | % { ,(Tree $_) })) }
    CommandExpressionAst { return ,@('commandexpression', (Tree $n.Expression), @($n.Redirections | % { ,(Tree $_) })) }
    CommandParameterAst { return ,@('parameter', $n.ParameterName, (Tree $n.Argument), $n.Extent.Text) }
    MergingRedirectionAst { return ,@('merge', $n.FromStream.ToString(), $n.ToStream.ToString()) }
    FileRedirectionAst { return ,@('file', $n.FromStream.ToString(), $n.Append, (Tree $n.Location)) }
    ConstantExpressionAst { $c=[cultureinfo]::InvariantCulture; return ,@('number', $n.Value.GetType().FullName, [Convert]::ToString($n.Value,$c), $n.Extent.Text) }
    StringConstantExpressionAst { return ,@('string', $n.StringConstantType.ToString(), $n.Value) }
    ExpandableStringExpressionAst { return ,@('expandable', $n.StringConstantType.ToString(), @($n.NestedExpressions | % { ,(Tree $_) }), $n.Value) }
    VariableExpressionAst { return ,@('variable', $n.VariablePath.UserPath, $n.Splatted) }
    UsingExpressionAst { return ,@('using', (Tree $n.SubExpression)) }
    MemberExpressionAst { return ,@('member', (Tree $n.Expression), (Tree $n.Member), $n.Static) }
    InvokeMemberExpressionAst { return ,@('method', (Tree $n.Expression), (Tree $n.Member), @($n.Arguments | ? { $_ } | % { ,(Tree $_) }), $n.Static) }
    IndexExpressionAst { return ,@('index', (Tree $n.Target), (Tree $n.Index)) }
    UnaryExpressionAst { return ,@('unary', $n.TokenKind.ToString(), (Tree $n.Child)) }
    BinaryExpressionAst { return ,@('binary', $n.Operator.ToString(), (Tree $n.Left), (Tree $n.Right)) }
    TernaryExpressionAst { return ,@('ternary', (Tree $n.Condition), (Tree $n.IfTrue), (Tree $n.IfFalse)) }
    ConvertExpressionAst { return ,@('cast', $n.Type.TypeName.FullName, (Tree $n.Child)) }
    AttributedExpressionAst { return ,@('attributed', $n.Extent.Text) }
    TypeExpressionAst { return ,@('type', $n.TypeName.FullName) }
    ArrayLiteralAst { return ,@('array', @($n.Elements | % { ,(Tree $_) })) }
    ParenExpressionAst { return ,@('paren', (Tree $n.Pipeline)) }
    SubExpressionAst { return ,@('sub', @($n.SubExpression.Statements | % { ,(Tree $_) })) }
    ArrayExpressionAst { return ,@('arrayexpression', @($n.SubExpression.Statements | % { ,(Tree $_) })) }
    HashtableAst { return ,@('hash', @($n.KeyValuePairs | % { ,@((Tree $_.Item1), (Tree $_.Item2)) })) }
    ScriptBlockExpressionAst { return ,@('block', $n.ScriptBlock.Extent.Text) }
    default { return ,@('keyword', $n.GetType().Name) }
  }
}
function global:Parsed([string]$json) {
  foreach ($text in ConvertFrom-Json $json -DateKind String) {
    $tokens = $errors = $null
    $ast = [System.Management.Automation.Language.Parser]::ParseInput([string]$text, [ref]$tokens, [ref]$errors)
    $found = @($errors | ForEach-Object { ,@($_.ErrorId, $_.Message, $_.IncompleteInput) })
    $tree = $null
    if (-not $found.Count) { $tree = Tree $ast }
    ConvertTo-Json @{ errors = $found; tree = $tree } -Depth 90 -Compress -EscapeHandling EscapeNonAscii
  }
}
