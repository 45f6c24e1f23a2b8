"""Changes to a finished motion that animators ask for."""
