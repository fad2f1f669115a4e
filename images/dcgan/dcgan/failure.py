"""What can go wrong in a way that a person or a service manager can act on."""

from __future__ import annotations

DONE = 0
"""The work is done, or it was stopped by SIGTERM after a checkpoint."""
UNEXPECTED = 1
"""A fault of the program itself."""
NOT_NOW = 75
"""It may work later without anybody doing anything (EX_TEMPFAIL): memory taken, disk full, no network."""
NEEDS_SOMEBODY = 78
"""It cannot work until somebody changes something (EX_CONFIG): no GPU, wrong file, bad settings."""


class Failure(Exception):
    """A failure that is told in one line and ends the program with `exit_code`.

    The message says what was being done, to what, what was found, and what to do.
    """

    def __init__(self, message: str, exit_code: int = NEEDS_SOMEBODY) -> None:
        """Keep `message` on one line, whatever the text it was made of."""
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code

    @property
    def message(self) -> str:
        """The one line."""
        return str(self.args[0])
