"""Reads a config from a YAML file and `key=value` overrides, and says what is wrong with it.

Every message names the key, where it was written (file and line, or the override) and what
would be right, so that a typo costs a second and not a training run.
"""

import difflib
import functools
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_rast.config import PRESETS, Config
from lightning_rast.config_effect import reason_without_effect
from lightning_rast.config_problems import problems

_PATH_KEYS = ("data.mesh", "data.folder", "start.mesh")


class ConfigError(ValueError):
    """A setting that cannot be used; the message fits one screen."""


@dataclass(frozen=True)
class _Setting:
    key: str
    value: Any
    source: str
    folder: Path  # relative paths start here


def load_config(
    path: str | Path | None, overrides: Sequence[str] = (), *, complete: bool = True
) -> Config:
    """The config of a YAML file (None: of the defaults) with `key=value` overrides on top.

    Relative paths become absolute: those in the file start at the file's folder, those in an
    override at the current one. A whole float such as 1e3 is accepted for a whole number.
    Text is taken as it is written: a folder may be called 007, true or, in an override, `a: #2`.
    A preset's values (`config.PRESETS`) come first, whatever the order.
    With complete=False a value may still be missing, as in a file that is meant to be filled in.

    Raises:
        ConfigError: unreadable file, unknown key, wrong type, impossible value, missing file.
    """
    settings = [_override(text) for text in overrides]
    if path is not None:
        path = Path(path)
        settings = [*_file_settings(path), *settings]
    settings = [*_preset_settings(settings), *settings]
    merged = OmegaConf.structured(Config)
    sources: dict[str, str] = {}
    for setting in settings:
        _apply(merged, setting, _schema())
        sources[setting.key] = setting.source
    if not merged.name and path is not None:
        merged.name = _escaped(path.stem)
    config = typing.cast(Config, OmegaConf.to_object(merged))
    found = [*problems(config), *_missing_paths(config)]
    if found and complete:
        raise ConfigError("\n".join(_say(key, sources.get(key), text) for key, text in found))
    return config


def settings_without_effect(
    config: Config, path: str | Path | None, overrides: Sequence[str] = ()
) -> Iterator[str]:
    """A line for each setting of the file or the overrides, other than the default, that changes
    nothing beside the others in `config`, which they led to. What a preset sets does not count.

    Raises:
        ConfigError: as `load_config`.
    """
    given = [_override(text) for text in overrides]
    if path is not None:
        given = [*_file_settings(Path(path)), *given]
    values, defaults = flat_values(config), flat_values(Config())
    for setting in {setting.key: setting for setting in given}.values():
        reason = reason_without_effect(config, setting.key)
        if reason is not None and values.get(setting.key) != defaults.get(setting.key):
            yield _say(setting.key, setting.source, f"has no effect with {reason}")


def config_yaml(config: Config) -> str:
    """The whole config as YAML; `load_config` reads it back to an equal config."""
    return OmegaConf.to_yaml(OmegaConf.create(_escaped(asdict(config))))


def changed_keys(before: Config, after: Config) -> list[str]:
    """Full keys whose values differ."""
    old, new = flat_values(before), flat_values(after)
    return [key for key in new if new[key] != old[key]]


def flat_values(config: Config) -> dict[str, Any]:
    """Full key -> value, for tables of hyperparameters."""
    leaves = _leaves(asdict(config))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in leaves}


def _escaped(content: Any) -> Any:
    """Values such that OmegaConf reads text with ${ in it as that text."""
    if isinstance(content, dict):
        return {key: _escaped(value) for key, value in content.items()}
    if isinstance(content, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", content)
    return content


def _say(key: str, source: str | None, text: str) -> str:
    return f"{key} {text}" + (f"  [{source}]" if source else "")


def _file_settings(path: Path) -> Iterator[_Setting]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no such config file: {path}{_nearest_file(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read config file {path}: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        written = dict(_written(node)) if isinstance(node, yaml.MappingNode) else {}
        loaded = OmegaConf.create(text) if text.strip() else OmegaConf.create()
        if node is not None and not isinstance(loaded, DictConfig):
            raise ConfigError(f"{path}: must hold `key: value` lines")
        content = OmegaConf.to_container(loaded, resolve=True) if node is not None else {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{path}: {str(error).splitlines()[0]}") from None
    for key, value in _leaves(typing.cast(dict[str, Any], content)):
        line, text = written.get(key, (0, ""))
        source = f"{path}, line {line}" if line else str(path)
        if _schema().get(key) is str and isinstance(value, int | float):
            value = text if text and "${" not in text else str(value)
        yield _Setting(key, value, source, path.resolve().parent)


def _preset_settings(settings: Sequence[_Setting]) -> Iterator[_Setting]:
    """What the preset that is asked for last sets; a preset that does not exist is refused when
    its own key is applied."""
    asked = [setting for setting in settings if setting.key == "preset"]
    if asked and isinstance(asked[-1].value, str):
        for key, value in PRESETS.get(asked[-1].value, {}).items():
            yield _Setting(key, value, f"preset {asked[-1].value}", Path.cwd())


def _nearest_file(path: Path) -> str:
    names = [other.name for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f". Did you mean {path.parent / near[0]}?" if near else ""


def _written(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, tuple[int, str]]]:
    """Full key -> its line, and its value's text as it stands there ("" of a list or section)."""
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        text = value.value if isinstance(value, yaml.ScalarNode) else ""
        yield name, (key.start_mark.line + 1, text)
        if isinstance(value, yaml.MappingNode):
            yield from _written(value, f"{name}.")


def _override(text: str) -> _Setting:
    key, equals, value = text.partition("=")
    key = key.strip()
    source = f"override {text!r}"
    if not equals or not key:
        raise ConfigError(f"expected key=value, got {text!r}")
    expected = _schema().get(key)
    if expected is str or get_origin(expected) is Literal:
        # As YAML, 007 would be 7, `My photos #2` end at the #, and {stem}_mask.png be an error.
        return _Setting(key, value, source, Path.cwd())
    try:
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={value}"]), resolve=True)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{source}: {str(error).splitlines()[0]}") from None
    return _Setting(key, typing.cast(dict[str, Any], parsed)["value"], source, Path.cwd())


def _leaves(content: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@functools.cache
def _schema() -> dict[str, Any]:
    """Full key -> type."""
    return _schema_types(Config)


def _schema_types(schema: type, prefix: str = "") -> dict[str, Any]:
    hints = get_type_hints(schema)
    types: dict[str, Any] = {}
    for field in fields(schema):
        if is_dataclass(hints[field.name]):
            types |= _schema_types(hints[field.name], f"{prefix}{field.name}.")
        else:
            types[f"{prefix}{field.name}"] = hints[field.name]
    return types


def _apply(merged: DictConfig, setting: _Setting, schema: dict[str, Any]) -> None:
    key, value = setting.key, setting.value
    if key not in schema:
        if value in (None, {}) and any(name.startswith(f"{key}.") for name in schema):
            return  # a section with nothing in it
        raise ConfigError(_say(key, setting.source, _unknown(key, schema)))
    expected = schema[key]
    # YAML reads 1e3 as text and 1.0e3 as a float; people mean a thousand steps by both.
    if expected is int and isinstance(value, str):
        value = _as_number(value)
    if expected is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    wrong = _say(key, setting.source, f"must be {_type_words(expected)}, got {value!r}")
    if expected is str and not isinstance(value, str):
        raise ConfigError(wrong)
    if get_origin(expected) is Literal and value not in get_args(expected):
        raise ConfigError(wrong)
    if isinstance(value, bool) != (expected is bool):
        raise ConfigError(wrong)
    if key in _PATH_KEYS and isinstance(value, str) and value:
        value = str((setting.folder / _without_tilde(value)).resolve())
    try:
        OmegaConf.update(merged, key, _escaped(value), merge=False)
    except OmegaConfBaseException:
        raise ConfigError(wrong) from None


def _without_tilde(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # no such user: the name itself begins with ~
        return Path(name)


def _as_number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _unknown(key: str, schema: dict[str, Any]) -> str:
    if any(name.startswith(f"{key}.") for name in schema):
        return "is a section: write its keys below it"
    for name in schema:
        if key.startswith(f"{name}."):
            return f"is unknown: {name} takes {_type_words(schema[name])}, not a section"
    leaf = key.rpartition(".")[2]
    same_leaf = [name for name in schema if name.rpartition(".")[2] == leaf]
    near = same_leaf or difflib.get_close_matches(key, schema, n=1, cutoff=0.5)
    if not near:
        by_leaf = {name.rpartition(".")[2]: name for name in schema}
        near = [by_leaf[name] for name in difflib.get_close_matches(leaf, by_leaf, n=1)]
    return "is not a known key" + (f". Did you mean {' or '.join(near)}?" if near else "")


def _type_words(expected: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if expected in words:
        return words[expected]
    args = get_args(expected)
    if get_origin(expected) is Literal:
        return "one of " + ", ".join(args)
    if get_origin(args[0]) is Literal:
        return "a list of some of " + ", ".join(get_args(args[0]))
    kind = {int: "whole numbers", float: "numbers"}[args[0]]
    return f"a list of {len(args)} {kind}" if get_origin(expected) is tuple else f"a list of {kind}"


def _missing_paths(config: Config) -> Iterator[tuple[str, str]]:
    data, start = config.data, config.start
    used = {
        "data.mesh": data.mesh if data.kind == "synthetic" else "",
        "start.mesh": start.mesh if start.kind == "mesh" else "",
    }
    for key, name in used.items():
        if name and Path(name).is_dir():
            yield key, f"names a folder: {name}. Name a mesh file in it"
        elif name and not Path(name).is_file():
            yield key, f"names a file that does not exist: {name}{_nearest_file_in(name)}"
    if data.kind == "masks" and data.folder and not Path(data.folder).exists():
        yield "data.folder", f"names a folder or file that does not exist: {data.folder}"


def _nearest_file_in(name: str) -> str:
    folder = Path(name).parent
    names = [other.name for other in folder.iterdir()] if folder.is_dir() else []
    near = difflib.get_close_matches(Path(name).name, names, n=1)
    return f". Did you mean {folder / near[0]}?" if near else ""
