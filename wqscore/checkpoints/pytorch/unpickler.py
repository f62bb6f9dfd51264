"""Read pickles without running code: only the few opcodes and names that a state dict needs are known.

The standard unpickler, even limited to harmless names, still calls them, sets attributes, hashes nested
tuples (which can exhaust the C stack) and allocates memory for whatever memo index a file claims. Here the
standard library only splits the bytes into opcodes; each operates on plain lists, dictionaries and the
records of `names`, so that there is nothing a file could call.

Opcodes: https://docs.python.org/3/library/pickletools.html, protocols 2 and 4, as far as `torch.save`
uses them; persistent ids: torch/serialization.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickletools import genops
from types import MappingProxyType
from typing import IO, Any, cast

from wqscore.checkpoints.counts import are_counts
from wqscore.checkpoints.pytorch.names import GLOBALS, Function, Options, Storage, StorageType, StorageView, add_items
from wqscore.errors import CheckpointError

#: A pickle describes its tensors in about 200 bytes and 45 opcodes each: room for 200,000 tensors in a file.
MAX_PICKLE_BYTES = 100_000_000
MAX_OPCODES = 10_000_000
_MAX_ARGUMENTS = 8
#: What the state of every torch.nn.Module holds, and how far behind the name of its class to look for it.
_MODULE_STATE = b"_parameters"
_AHEAD_BYTES = 10_000


@dataclass(frozen=True)
class Unpickled:
    """The value of one pickle, and the storages it names, by key."""

    value: Any
    storages: dict[str, Storage]


def unpickle(stream: IO[bytes], file: Path, known: Mapping[str, Any] = MappingProxyType({})) -> Unpickled:
    """Read one pickle, from the stream's position to its end, without running anything.

    Args:
        stream: left at the first byte after the pickle.
        file: for messages.
        known: what the persistent ids of the tar container name: tensors and storages, by id.

    Returns:
        A value made of `None`, booleans, numbers, text, lists, tuples, dictionaries, `PickledTensor` and
        `StoredDtype`; ordered dictionaries are plain ones, parameters their tensors, devices `None`, and an
        `argparse.Namespace`, in which fairseq and Lightning save options beside the weights, an empty dictionary.

    Raises:
        CheckpointError: the pickle names something a state dict does not need, is damaged, or is too long.
    """
    machine = _Machine(file, known)
    try:
        for count, (opcode, argument, _) in enumerate(genops(cast(IO[bytes], _Limited(stream)))):
            if count >= MAX_OPCODES:
                raise ValueError(f"more than {MAX_OPCODES} opcodes")
            machine.step(opcode.name, argument)
        return Unpickled(machine.stack.pop(), machine.storages)
    except _UnknownNameError as error:
        raise CheckpointError(_of_unknown_name(error.name, stream, file)) from None
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise CheckpointError(
            f"{file}: its pickle can't be read ({error!s:.200}): fetch it again, or save model.state_dict() alone"
        ) from error


class _UnknownNameError(Exception):
    """A name that a state dict does not need."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Limited:
    """A stream for genops that reads at most `MAX_PICKLE_BYTES` in all, whatever lengths the pickle claims."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MAX_PICKLE_BYTES
        begin = stream.tell()
        self._available = stream.seek(0, io.SEEK_END) - begin
        stream.seek(begin)

    def read(self, length: int) -> bytes:
        # A file object allocates the requested length even if the file is shorter.
        return self._counted(self._stream.read(min(length, self._available, self._left + 1)))

    def readline(self) -> bytes:
        return self._counted(self._stream.readline(self._left + 1))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"longer than {MAX_PICKLE_BYTES} bytes")
        return data


class _Machine:
    """The pickle machine: a stack, the stacks below its marks, and a memo."""

    def __init__(self, file: Path, known: Mapping[str, Any]) -> None:
        self.stack: list[Any] = []
        self.storages: dict[str, Storage] = {}
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._file = file
        self._known = known

    def step(self, opcode: str, argument: Any) -> None:
        handler = _HANDLERS.get(opcode)
        if handler is None:
            raise CheckpointError(_refusal(self._file, "uses", opcode))
        handler(self, argument)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_text(self, text: str) -> None:
        text.encode()  # a lone surrogate is not text, and could not be printed
        self.push(text)

    def mark(self) -> None:
        self._below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below.pop()
        return items

    def last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("the stack is empty")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def store(self, index: int | None = None) -> None:
        self._memo[len(self._memo) if index is None else index] = self.stack[-1]

    def recall(self, index: int) -> None:
        if index not in self._memo:
            raise ValueError(f"nothing was stored as {index}")
        self.push(self._memo[index])

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise ValueError("appends to a value that is not a list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        add_items(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def name(self, name: str) -> None:
        if name not in GLOBALS:
            raise _UnknownNameError(name)
        self.push(GLOBALS[name])

    def name_from_stack(self) -> None:
        module, name = self.last(2)
        if type(module) is not str or type(name) is not str:
            raise ValueError("asks for a name that is not text")
        self.name(f"{module}.{name}")

    def call(self) -> None:
        function, arguments = self.last(2)
        if not isinstance(function, Function):
            raise ValueError("calls a value that is not a function")
        if type(arguments) is not tuple or len(arguments) > _MAX_ARGUMENTS:
            raise ValueError("calls a function with arguments that no known function has")
        self.push(function.build(arguments))

    def new_object(self) -> None:
        """Put an empty dictionary where a script's options are; no other class is known."""
        found, arguments = self.last(2)
        if not isinstance(found, Options) or arguments != ():
            raise CheckpointError(_refusal(self._file, "uses", "NEWOBJ"))
        self.push({})

    def set_state(self) -> None:
        """Drop attributes: an ordered dictionary's, since a module's `_metadata` holds versions, and options."""
        self.stack.pop()
        if type(self.stack[-1]) is not dict:
            raise ValueError("sets the state of a value that is not a dictionary")

    def storage(self) -> None:
        """Turn a persistent id into the elements it names: (`storage`, type, key, device, numel[, view])."""
        match self.stack.pop():
            case str() | int() as key if str(key) in self._known:
                self.push(self._known[str(key)])
                return
            case tuple(parts) if len(parts) > _MAX_ARGUMENTS:
                raise ValueError("names a storage in an unknown way")
            case ("storage", StorageType(dtype), str() as key, _, numel, *rest) if are_counts(numel):
                storage = self.storages.setdefault(key, Storage(key, dtype, numel))
            case _:
                raise ValueError("names a storage in an unknown way")
        if storage != Storage(key, dtype, numel):
            raise ValueError(f"describes storage {key!r:.200} in two ways")
        match rest:
            case [] | [None]:
                self.push(StorageView(storage, 0, numel))
            case [(str(), first, length)] if are_counts(first, length) and first + length <= numel:
                self.push(StorageView(storage, first, length))
            case _:
                raise ValueError(f"views elements outside storage {key!r:.200}")


def _of_unknown_name(name: str, stream: IO[bytes], file: Path) -> str:
    """What to say of a name: torch's modules, and classes whose state holds parameters, are pickled modules."""
    if name.startswith("torch.nn.modules.") or _MODULE_STATE in stream.read(_AHEAD_BYTES):
        shown = name if name.isprintable() and len(name) <= 200 else f"{name[:200]!a}"
        return (
            f"{file}: holds a pickled module ({shown}), which only its code can restore: save its state_dict: "
            "torch.save(model.state_dict(), …); nothing was run"
        )
    return _refusal(file, "asks for", name)


def _refusal(file: Path, verb: str, what: str) -> str:
    shown = what if what.isprintable() and len(what) <= 200 else f"{what[:200]!a}"
    return f"{file}: its pickle {verb} {shown}, which a state dict does not need: refused, nothing was run"


_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, _: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE"), _Machine.push_text),
    # Python 2's text: the same bytes, which genops shows as Latin-1.
    **dict.fromkeys(
        ("BINSTRING", "SHORT_BINSTRING"), lambda machine, text: machine.push(text.encode("latin-1").decode())
    ),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": lambda machine, _: machine.mark(),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.last(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.last(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.last(3))),
    "APPEND": lambda machine, _: machine.append(machine.last(1)),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.store),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": lambda machine, pair: machine.name(pair.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name_from_stack(),
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.new_object(),
    "BUILD": lambda machine, _: machine.set_state(),
    "BINPERSID": lambda machine, _: machine.storage(),
}
