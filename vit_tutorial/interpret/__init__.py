"""Looking into a model: attention, attribution, interventions, and whether to believe
them.
"""
