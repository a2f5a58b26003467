"""The material files (MTL) of Wavefront OBJ: a colour and a texture for each name."""

from dataclasses import replace
from pathlib import Path

from lightning_rast.scene.asset import Material, Texture
from lightning_rast.scene.texture_file import read_texture

# Options of a texture line and how many words follow each.
_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-o": 3, "-s": 3, "-t": 3, "-texres": 1,
    "-clamp": 1, "-bm": 1, "-imfchan": 1, "-type": 1, "-cc": 1,
}  # fmt: skip


def read_materials(
    obj_path: Path, libraries: list[str], names: list[str]
) -> tuple[list[Material], list[str]]:
    """The materials of these names, white where nothing is known, and notes on what is missing."""
    known: dict[str, Material] = {}
    notes: list[str] = []
    for library in libraries:
        files = [obj_path.parent / library]
        if not _is_file(files[0]):  # several names in a line
            files = [obj_path.parent / name for name in library.split()]
        for file in files:
            if _is_file(file):
                _read_library(file, known, notes)
            else:
                notes.append(f"its material file {file.name} is not there")
    missing = [name for name in names if name not in known]
    if missing and not notes:
        notes.append(f"no material file tells of {', '.join(missing[:3])}")
    return [known.get(name, Material(name=name)) for name in names], notes


def write_materials(path: Path, materials: dict[str, Material], textures: dict[str, str]) -> None:
    """textures: for names of materials, the file of each one's texture."""
    lines = []
    for name, material in materials.items():
        red, green, blue, alpha = material.color
        lines += [f"newmtl {name}", f"Kd {red:.9g} {green:.9g} {blue:.9g}", f"d {alpha:.9g}"]
        if name in textures:
            lines.append(f"map_Kd {textures[name]}")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def _read_library(path: Path, known: dict[str, Material], notes: list[str]) -> None:
    name = None
    textures: dict[str, Texture] = {}
    for line in path.read_bytes().decode("utf-8", errors="replace").splitlines():
        key, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if key == "newmtl":
            name = rest
            known[name] = Material(name=name)
        if name is None:
            continue
        try:
            known[name] = _with_line(known[name], key.lower(), rest, path, textures)
        except ValueError as error:
            notes.append(str(error))


def _with_line(
    material: Material, key: str, rest: str, path: Path, textures: dict[str, Texture]
) -> Material:
    red, green, blue, alpha = material.color
    match key:
        case "kd":
            red, green, blue = (_unit(word) for word in (rest.split() * 3)[:3])
        case "d":
            alpha = _unit((rest.split() or ["1"])[-1])
        case "tr":
            alpha = 1 - _unit((rest.split() or ["0"])[-1])
        case "map_kd":
            file = _texture_path(path, rest)
            if file.name not in textures:
                textures[file.name] = read_texture(file)
            # Most programs show the texture alone where there is one and Kd is black.
            if (red, green, blue) == (0, 0, 0):
                red = green = blue = 1.0
            material = replace(material, texture=textures[file.name])
    mode = "BLEND" if alpha < 1 else "OPAQUE"
    return replace(material, color=(red, green, blue, alpha), alpha_mode=mode)


def _texture_path(path: Path, rest: str) -> Path:
    """A file beside the material file; what stands in front of its name are options."""
    words = rest.split()
    while words and words[0].startswith("-"):
        words = words[1 + _OPTIONS.get(words[0].lower(), 1) :]
    name = " ".join(words) if words and rest.startswith("-") else rest
    # Paths of the maker's machine lead nowhere here.
    for candidate in (name, name.replace("\\", "/"), name.replace("\\", "/").rpartition("/")[2]):
        if _is_file(path.parent / candidate):
            return path.parent / candidate
    return path.parent / (name or "?")


def _unit(word: str) -> float:
    value = float(word)
    return min(1.0, max(0.0, value)) if value == value else 1.0


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # names that no file can have
        return False
