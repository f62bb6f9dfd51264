"""A leaderboard: a folder of web pages that is rebuilt each night, with the history of each model.

lists ──► candidates ──► ranking ──► records ──► history ──► site: pages, data, feed, badges

Each build first reads the folder's earlier nights and the last record of each model.
"""
