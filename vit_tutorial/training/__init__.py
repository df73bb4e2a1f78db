"""Learning: settings, schedule, optimisers, the loop, what is measured and what is
kept.
"""
