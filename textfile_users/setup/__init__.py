"""Setting up and checking an installation: install, uninstall, doctor, and what they share."""
