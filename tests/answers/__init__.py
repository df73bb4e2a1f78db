"""Wrong and right answers to the exercises, a module for each of vit_tutorial/checks;
tests/test_checks.py tries them.

WRONG: check -> [(answer, what the message must say), ...], at least six plausible ones.
RIGHT: check -> [answer, ...], at least three that differ from the solution in the
chapter.
"""
