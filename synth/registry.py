"""The names by which synthesizers are chosen, in the project file and on the command line."""

from __future__ import annotations

SYNTHESIZERS = {
    "auto": "auto",
    "fast": "copula",
    "copula": "copula",
    "trees": "trees",
    "argn": "argn",
    "argn-flexible": "argn-flexible",
    "par": "par",
    "tvae": "tvae",
    "gan": "gan",
    "cgan": "cgan",
    "wgan": "wgan",
    "wgan-gp": "wgan-gp",
    "cwgan-gp": "cwgan-gp",
    "dragan": "dragan",
    "cramer-gan": "cramer-gan",
    "ctgan": "ctgan",
    "copula-gan": "copula-gan",
    "timegan": "timegan",
    "doppelganger": "doppelganger",
    "independent": "independent",
}
"""Row model by name: `auto` is chosen for each table when it is fitted (`row_models.choice`);
`independent` draws columns alone, the floor that others must beat."""


def resolve(name: str) -> str:
    """The row model that `name` stands for.

    Raises:
        ValueError: There is no synthesizer of that name.
    """
    if name not in SYNTHESIZERS:
        raise ValueError(
            f"The synthesizer '{name}' is not known. Use one of: {', '.join(SYNTHESIZERS)}."
        )
    return SYNTHESIZERS[name]
