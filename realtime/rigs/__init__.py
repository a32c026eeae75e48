"""The rigs that ship, one TOML file each."""
