"""Run the work on a running Dask or Ray cluster."""
