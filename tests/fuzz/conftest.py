"""How many inputs a test tries: a few that are always the same. benchmarks/fuzz.py
tries very many.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "few",
    derandomize=True,
    max_examples=30,
    deadline=None,
    database=None,
    suppress_health_check=HealthCheck,
)
settings.load_profile("few")
