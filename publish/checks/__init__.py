"""What is wrong with a release, and what it claims without evidence."""
