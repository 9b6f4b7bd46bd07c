"""The benchmark: what bananasd does in a second, beside what its server could, measured in the same minute."""
