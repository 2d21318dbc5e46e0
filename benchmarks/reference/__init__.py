"""Plain versions of the package, written as one would find them elsewhere."""
