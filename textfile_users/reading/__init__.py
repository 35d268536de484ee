"""How bytes are got: files, journals of positions, databases, and small codecs."""
