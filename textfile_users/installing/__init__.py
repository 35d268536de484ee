"""What `install` and `uninstall` are made of: facts about the host, and the steps that follow."""
