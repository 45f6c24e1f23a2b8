"""How far a result is from the truth."""
