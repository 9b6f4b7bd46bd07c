"""The only code that forks or handles signals: the master, its children, and what the command line does to them."""
