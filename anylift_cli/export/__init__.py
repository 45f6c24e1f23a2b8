"""Writers of the result in other programs' formats."""
