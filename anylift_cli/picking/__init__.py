"""`anylift objects --pick`: a page on this machine where one clicks where objects are."""
