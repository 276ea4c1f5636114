/**
 * What each shell is told about `ptun`. The scripts know no verb: they ask `ptun completion <shell> -- <words>` at each
 * Tab, so they need not be renewed with ptun. They never evaluate what comes back.
 */
export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const
export type Shell = (typeof shells)[number]

/** A line that means: names of files. */
export const filesLine = ':files'

const bash = `# Completion of ptun for bash 3.2 and later. Once: eval "$(ptun completion bash)"
# For good: ptun completion bash > ~/.local/share/bash-completion/completions/ptun
_ptun() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = "${filesLine}" ]; then
      compopt -o default 2>/dev/null || complete -o default -F _ptun ptun
    elif [ -n "$line" ]; then
      COMPREPLY+=("$line")
    fi
  done < <(ptun completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _ptun ptun
`

const zsh = `#compdef ptun
# Completion of ptun for zsh. Once, behind compinit: eval "$(ptun completion zsh)"
# For good: ptun completion zsh > a folder of $fpath, as _ptun
_ptun() {
  local -a lines
  lines=("\${(@f)$(ptun completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  lines=(\${lines:#})
  if [[ "$lines[1]" == "${filesLine}" ]]; then
    _files
  elif (( $#lines )); then
    _describe 'ptun' lines
  fi
}
if [[ "$funcstack[1]" == _ptun ]]; then
  _ptun "$@"
else
  compdef _ptun ptun
fi
`

const fish = `# Completion of ptun for fish. For good: ptun completion fish > ~/.config/fish/completions/ptun.fish
function __ptun_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines (ptun completion fish -- $words[2..-1] "$current" 2>/dev/null)
  if test "$lines[1]" = "${filesLine}"
    __fish_complete_path "$current"
  else if test (count $lines) -gt 0
    printf '%s\\n' $lines
  end
end
complete -c ptun -f -a '(__ptun_complete)'
`

/** Before 7.3 PowerShell drops an empty argument, so a colon stands in front of the last. */
const powershell = `# Completion of ptun for PowerShell 5.1 and later. For good: add this line to $PROFILE
#   ptun completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName ptun -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
  ptun completion powershell -- @words ":$wordToComplete" 2>$null | ForEach-Object {
    $value, $text = $_ -split "\`t", 2
    if ($value -and $value -ne '${filesLine}') {
      if (-not $text) { $text = $value }
      [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $text)
    }
  }
}
`

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish, powershell }
