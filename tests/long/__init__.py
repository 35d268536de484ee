"""What takes long: faults, fuzzing, endurance; in full by script/test --long, else a little."""
