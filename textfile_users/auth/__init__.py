"""What the messages of an auth log say, one module a program.

Beside each pattern stand messages that it knows (``+``), with the finding they give, and
messages that it must refuse (``-``); tests/test_patterns.py runs over exactly these.
"""
