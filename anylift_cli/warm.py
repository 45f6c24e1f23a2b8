"""Models that stay loaded from one video to the next, where somebody keeps a shelf for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Model = TypeVar("Model")


class Shelf:
    """Keeps the model that was last used in each slot, so that memory does not grow with the kinds of models used."""

    def __init__(self) -> None:
        self._models: dict[str, tuple[Hashable, Any]] = {}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within, `model` takes from this shelf and leaves on it."""
        token = _shelf.set(self)
        try:
            yield
        finally:
            _shelf.reset(token)

    def take(self, slot: str, name: Hashable) -> Any | None:
        """The model of this name, off the shelf; None, and the slot emptied, if another one was there."""
        kept_name, kept = self._models.pop(slot, (None, None))
        if kept is None or kept_name == name:
            return kept
        _close(kept)
        return None

    def put(self, slot: str, name: Hashable, model: Any) -> None:
        """Leave a model for its next use."""
        self._models[slot] = name, model

    def close(self) -> None:
        """Free all models."""
        for _, model in self._models.values():
            _close(model)
        self._models.clear()


@contextmanager
def model(slot: str, name: Hashable, make: Callable[[], Model]) -> Iterator[Model]:
    """A model for the time of the block: from the shelf in use if it has this one, otherwise made now.

    Without a shelf, and after an error in the block, it is closed afterwards. A model is used by one block at a time
    and must have no memory of what it was used for.

    Args:
        slot: what it does, such as "keypoints"; one model of each is kept.
        name: everything that `make` depends on.
    """
    shelf = _shelf.get()
    kept = shelf.take(slot, name) if shelf is not None else None
    used = make() if kept is None else kept
    try:
        yield used
    except BaseException:
        _close(used)
        raise
    if shelf is None:
        _close(used)
    else:
        shelf.put(slot, name, used)


_shelf: ContextVar[Shelf | None] = ContextVar("shelf", default=None)


def _close(model: Any) -> None:
    close = getattr(model, "close", None)
    if close is not None:
        close()
