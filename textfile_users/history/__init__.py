"""History: logins and logouts of the past, by wtmp, wtmpdb, btmp and lastlog."""
