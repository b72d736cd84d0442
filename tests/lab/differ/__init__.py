"""The differential test: one request in five ways, and one answer to all."""
