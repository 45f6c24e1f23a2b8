"""Files that ship with anylift; `manifest.toml` says what each is and which command made it."""
