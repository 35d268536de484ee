"""What `doctor` looks at: a module by theme, each with thin reading and pure judging."""
