"""Users' slices: the memory, CPU, tasks, IO and pressure that the kernel accounts to each."""
