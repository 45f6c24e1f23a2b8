"""What readers of other tools' files share: pickles without powers, arrays that are checked."""
