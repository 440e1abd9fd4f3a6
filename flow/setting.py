"""`--set KEY=VALUE`: an engine's parameters, with meaning, default and range read off its config dataclass.
"""

import dataclasses
import inspect
import re
from dataclasses import dataclass

from .errors import FlowError, choose

__all__ = ["Key", "keys", "configure"]

_COMMENT = re.compile(r"^\s+(\w+)\s*:[^#]*#:\s*(.*)$")
_PROBES = sorted({*range(1, 130), *(2**n for n in range(17))})


@dataclass(frozen=True)
class Key:
    """One parameter: its name, what it means, its default, and the values that stand beside the other
    defaults.
    """

    name: str
    meaning: str
    default: object
    range: str


def _accepts(config, name, value):
    try:
        dataclasses.replace(config, **{name: value})
    except ValueError:
        return False
    return True


def _range(config, name):
    """The accepted values in words, found by trying them: the checks of the config are the only list of them.
    """
    if _is_list(getattr(config, name)):
        return "numbers with commas between"
    if isinstance(getattr(config, name), bool):
        return " or ".join(str(v).lower() for v in (False, True) if _accepts(config, name, v))
    good = [v for v in _PROBES if _accepts(config, name, v)]
    if len(good) <= 4:
        return ", ".join(map(str, good))
    if all(b == 2 * a for a, b in zip(good, good[1:], strict=False)):
        return f"{good[0]}, {good[1]}, {good[2]} .. {good[-1]}"
    if good == list(range(good[0], good[-1] + 1)):
        return f"{good[0]} .. {good[-1]}"
    return ", ".join(map(str, good))


def keys(config):
    """The `Key` of each field of the dataclass instance ``config``, in its order."""
    meanings = dict(
        match.groups()
        for part in type(config).__mro__
        if dataclasses.is_dataclass(part)
        for line in inspect.getsource(part).splitlines()
        if (match := _COMMENT.match(line))
    )
    return [
        Key(f.name, meanings.get(f.name, ""), getattr(config, f.name), _range(config, f.name))
        for f in dataclasses.fields(config)
    ]


def _is_list(value):
    """Whether a parameter is several numbers, or None, what the config then makes of it."""
    return value is None or isinstance(value, tuple)


def _value(key, text, value):
    if isinstance(value, bool):
        return choose(
            f"Value of --set {key}", text.lower(), {"true": True, "1": True, "false": False, "0": False}
        )
    try:
        return tuple(int(part, 0) for part in text.split(",")) if _is_list(value) else int(text, 0)
    except ValueError:
        what = "integers with commas between" if _is_list(value) else "an integer"
        raise FlowError(f"Value of --set {key} must be {what}, not {text!r}") from None


def configure(presets, preset, settings):
    """The config named ``preset`` with ``settings``, a list of "KEY=VALUE", applied together.

    Raises FlowError for an unknown preset, key or value, and what the config itself raises for an impossible
    one.
    """
    config = choose("Preset", preset, presets)
    known = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    changes = {}
    for text in settings:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise FlowError(f"--set must be KEY=VALUE, not {text!r}")
        if key in changes:
            raise FlowError(f"--set {key} must be given once, not twice")
        choose("Key of --set", key, known)
        changes[key] = _value(key, value, known[key])
    return dataclasses.replace(config, **changes)
