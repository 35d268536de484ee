"""Sessions: who is logged in, by utmp, logind and /proc."""
