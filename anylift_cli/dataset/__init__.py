"""Folders of lifted motions as data sets: what is good enough, whose it is, and the layouts that readers know."""
