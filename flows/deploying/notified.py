"""Who is told of trouble: the saved notification blocks that the project file names."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from prefect_synth.flows.deploying.errors import DeployError


def notification_blocks(client: SyncPrefectClient, names: Sequence[str]) -> list[UUID]:
    """The identifiers of notification blocks.

    Args:
        client: The server that they are saved on.
        names: Their types and names, as `slack-webhook/oncall`.

    Raises:
        DeployError: There is no such block, or it cannot notify.
    """
    return [_block(client, name) for name in names]


def _block(client: SyncPrefectClient, wanted: str) -> UUID:
    kind, _, name = wanted.partition("/")
    try:
        found = client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound:
        raise DeployError(
            f"notify names '{wanted}', and there is no such block on the Prefect server in use. "
            "Save one there (Blocks, in its pages, or Block.save), or take it out of notify."
        ) from None
    schema = found.block_schema
    if schema is None or "notify" not in schema.capabilities:
        raise DeployError(
            f"notify names '{wanted}', which is a block that cannot notify anybody. Name one of "
            "Prefect's notification blocks, such as slack-webhook/oncall."
        )
    return found.id
