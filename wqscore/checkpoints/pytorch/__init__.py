"""Read the files of torch.save without torch and without running a pickle."""
