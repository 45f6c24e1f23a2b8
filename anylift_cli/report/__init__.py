"""What a result looks like and how good it is."""
