"""Run the work on a Dask or Ray cluster that is already there."""
