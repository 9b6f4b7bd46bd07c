"""Other job systems on the same server, in the same minute: how fast each is, and what a kill costs."""
