"""One module an origin: ``parse_x`` takes bytes and is pure, ``read_x`` opens the files."""
