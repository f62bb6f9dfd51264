"""A leaderboard as a folder of web pages that is built again each night, from what changed.

lists ──► candidates ──► ranking ──► records ──► history ──► site: pages, data, feed, badges

What the folder holds is read back before it is written: the nights of before, and the last record of each model.
"""
