"""The groups of verbs, one file each. A command parses, calls one function, and shows the result."""
