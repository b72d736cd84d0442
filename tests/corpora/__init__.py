"""Hostile and odd HTTP/1 bytes, and what must become of them."""
