"""Recognise checkpoints of torch.distributed.checkpoint (DCP), which can't be read.

Their index, `.metadata`, is a pickle of torch's own classes, which only torch can restore, and each shard is a
sequence of `torch.save` files.
"""

from __future__ import annotations

from collections.abc import Collection

from wqscore.errors import CheckpointError


def check_not_distributed(names: Collection[str], where: str) -> None:
    """Refuse a folder that torch.distributed.checkpoint saved, by the names of its files.

    Args:
        names: the files, relative to the folder, `/` between parts.
        where: the folder, for the message.

    Raises:
        CheckpointError: the folder holds such a checkpoint.
    """
    if ".metadata" in names or any(name.endswith(".distcp") and "/" not in name for name in names):
        raise CheckpointError(
            f"{where}: is a torch distributed checkpoint, which is not read: convert it with "
            "torch.distributed.checkpoint.format_utils.dcp_to_torch_save, into pytorch_model.bin"
        )
