"""Programs of others that solve cameras, run in environments of their own: one module per program."""
