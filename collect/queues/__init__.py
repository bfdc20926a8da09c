"""What people label in: Argilla's datasets made, filled, read, and kept in versions."""
