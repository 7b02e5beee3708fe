"""The classic REST API, version 1.2: a file per tag."""
