"""Sample handlers, to be copied: `bananasd demo` runs them, and the wheel ships them as bananasd.samples."""
