"""Training studies, one command each, all of them on `runner.py`."""
