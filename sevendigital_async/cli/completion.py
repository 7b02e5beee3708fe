"""Completion of the command in shells: the scripts, and how they are installed."""

from __future__ import annotations

import enum
from pathlib import Path

from typer.completion import get_completion_script, install  # type: ignore[attr-defined]

from .output import COMPLETION_VARIABLE

PROGRAM = "sevendigital"


class Shell(enum.StrEnum):
    """Shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


# typer's script for zsh adds a space after `key=` and completes nothing the first time. This one reads the lines that
# are made for fish: a word, and its help after a tab.
_ZSH_SCRIPT = f"""\
#compdef {PROGRAM}

_{PROGRAM}_completion() {{
  local line word
  local -a words_found keys_found
  for line in ${{(f)"$(env _TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" _TYPER_COMPLETE_FISH_ACTION=get-args \\
      {COMPLETION_VARIABLE}=complete_fish {PROGRAM})"}}; do
    word=${{${{line%%$'\\t'*}}//:/\\\\:}}
    [[ $line == *$'\\t'* ]] && word+=":${{line#*$'\\t'}}"
    if [[ $line == *= ]]; then keys_found+=("$word"); else words_found+=("$word"); fi
  done
  if (( $#words_found + $#keys_found == 0 )); then _files; return; fi
  (( $#words_found )) && _describe word words_found
  (( $#keys_found )) && _describe key keys_found -S ''
}}

compdef _{PROGRAM}_completion {PROGRAM}
# Installed in a directory of fpath, this file is read when the command is completed for the first time.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _{PROGRAM}_completion "$@"; fi"""


def completion_script(shell: Shell) -> str:
    """Return the script that makes a shell complete the command."""
    if shell is Shell.ZSH:
        return _ZSH_SCRIPT
    script: str = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, shell=shell.value)
    if shell is Shell.BASH:  # no space after `key=`
        script = script.replace("    return 0\n", "    [[ $COMPREPLY == *= ]] && compopt -o nospace\n    return 0\n")
    return script


def install_completion(shell: Shell) -> Path:
    """Install the script for a shell and return the path of its file."""
    path: Path = install(shell=shell.value, prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE)[1]
    if shell in {Shell.BASH, Shell.ZSH}:
        path.write_text(f"{completion_script(shell)}\n")
    return path
