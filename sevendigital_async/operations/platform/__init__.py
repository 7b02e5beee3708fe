"""The streaming platform API: a file per tag."""
