"""Set-up scripts of programs that run in environments of their own; `anylift_cli.foreign.tools` runs the programs."""
