"""Every error that Crescent raises, and the collector that raises all faults of one input together."""

from collections.abc import Iterable, Iterator


class CrescentError(Exception):
    """Base of all errors whose text is written for the user."""


class InvalidInputError(CrescentError, ValueError):
    """Arguments or settings that cannot be used; the text lists every fault."""


class CityFolderError(CrescentError, ValueError):
    """A city folder that cannot be opened; the text lists every fault of every table."""


class ImportSourceError(CrescentError, ValueError):
    """Files given to an importer that cannot be read or lack what the importer needs."""


class MissingTableError(CrescentError, LookupError):
    """A table this city does not have; the text says what to load and how."""


class SolverError(CrescentError, RuntimeError):
    """A solver that stopped without a result that can be trusted; the text says why."""


class PortalError(CrescentError, RuntimeError):
    """An open-data portal that gave no usable answer; the text says what was asked and what to do."""


class PortalUnavailableError(PortalError):
    """A portal that could not be reached, or did not answer properly however often it was asked."""


class PortalRefusedError(PortalError):
    """A portal that understood the question and refused it: an unknown id, a bad token, a bad filter."""


class PortalColumnsError(PortalError):
    """Datasets that answer with other columns than expected; the text names both for each of them."""


class PortalMovedError(PortalError):
    """A dataset whose rows moved while its pages were read; what was read must be read again."""


class Faults:
    """Gather faults and raise them as one error, so that a user mends all of them at once.

    Examples
    --------
    >>> faults = Faults()
    >>> faults.add("speed_kph must be positive")
    >>> faults.raise_as(InvalidInputError, "The network cannot be built")
    Traceback (most recent call last):
    ...
    errors.InvalidInputError: The network cannot be built: speed_kph must be positive
    """

    def __init__(self) -> None:
        self._messages: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._messages)

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def add(self, message: str) -> None:
        """Note one fault, in words that tell the user what to do."""
        self._messages.append(message)

    def extend(self, messages: Iterable[str]) -> None:
        """Note several faults."""
        self._messages.extend(messages)

    def check(self, condition: object, message: str) -> None:
        """Note ``message`` unless ``condition`` holds."""
        if not condition:
            self.add(message)

    def raise_as(self, error: type[CrescentError], headline: str) -> None:
        """Raise ``error`` with the headline and every fault; do nothing when there is none."""
        if not self._messages:
            return
        if len(self._messages) == 1:
            raise error(f"{headline}: {self._messages[0]}")
        listing = "\n".join(f"- {message}" for message in self._messages)
        raise error(f"{headline}, {len(self._messages)} faults:\n{listing}")
