"""Learning without labels, and measuring what was learned: an objective a module."""
