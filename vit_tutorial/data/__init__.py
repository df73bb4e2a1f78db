"""Images to learn from: drawn ones, STL-10, any folder; how they are split and
normalised.
"""
