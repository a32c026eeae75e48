"""The command ``affectstream``: one module a subcommand."""
