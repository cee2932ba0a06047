"""Faces with known factors, drawn by python-avatars (avataaars by Pablo Stanley)."""

import io
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import python_avatars as pa
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from voxcycle.images.image_set import ImageSet

FACTORS: dict[str, tuple[str, Any]] = {  # ours: (the package's argument, its values)
    "skin": ("skin_color", pa.SkinColor),
    "hair": ("top", pa.HairType),
    "hair colour": ("hair_color", pa.HairColor),
    "accessory": ("accessory", pa.AccessoryType),
    "eyes": ("eyes", pa.EyeType),
    "brows": ("eyebrows", pa.EyebrowType),
    "mouth": ("mouth", pa.MouthType),
    "nose": ("nose", pa.NoseType),
    "beard": ("facial_hair", pa.FacialHairType),
    "clothes": ("clothing", pa.ClothingType),
    "clothes colour": ("clothing_color", pa.ClothingColor),
}
VALUES = {name: tuple(kind) for name, (_, kind) in FACTORS.items()}
HATS = {"ASTRONAUT", "BRIDE", "HAT"}  # hide the hair, or all of the head
SUITS = {"ASTRONAUT_SUIT"}
DRAWN = 64  # pixels wide; the drawing is a little higher than wide


class Face(NamedTuple):
    """The value of every factor, as indices into `VALUES`, and the ground behind it, RGB."""

    factors: dict[str, int]
    ground: tuple[int, int, int] = (255, 255, 255)

    def but(self, **changed: int) -> "Face":
        """Return the twin that differs in some factors."""
        return self._replace(factors=self.factors | changed)


def value(factor: str, name: str) -> int:
    """Return the index of a factor's value by its name, such as ("skin", "BLACK")."""
    return [v.name for v in VALUES[factor]].index(name)


def draw_faces(
    n: int, rng: np.random.Generator, has_ground: bool = False, **fixed: int | Sequence[int]
) -> list[Face]:
    """Draw n faces, every factor uniform, those that are `fixed` among the given values.

    Half of the faces have no accessory and half no beard. `has_ground` draws the ground's colour.
    """
    faces = []
    for _ in range(n):
        factors = {}
        for name, values in VALUES.items():
            among = np.atleast_1d(fixed.get(name, np.arange(len(values))))
            if name not in fixed:
                hidden = HATS if name == "hair" else SUITS
                among = np.array([i for i in among if values[i].name not in hidden])
                if name in ("accessory", "beard") and rng.random() < 0.5:
                    among = among[:1]  # NONE
            factors[name] = int(rng.choice(among))
        ground = tuple(int(c) for c in rng.integers(256, size=3)) if has_ground else (255,) * 3
        faces.append(Face(factors, ground))
    return faces


def render(face: Face, size: int) -> NDArray[np.uint8]:
    """Return the drawing (3, size, size)."""
    chosen = {FACTORS[name][0]: VALUES[name][i] for name, i in face.factors.items()}
    chosen["facial_hair_color"] = chosen["hair_color"]
    svg = pa.Avatar(style=pa.AvatarStyle.TRANSPARENT, **chosen).render()
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=DRAWN))
    drawing = Image.open(io.BytesIO(png)).convert("RGBA")
    drawing = drawing.crop((0, drawing.height - DRAWN, DRAWN, drawing.height))
    ground = Image.new("RGBA", drawing.size, face.ground)
    image = Image.alpha_composite(ground, drawing).convert("RGB")
    image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image).transpose(2, 0, 1)


def render_all(faces: Sequence[Face], size: int) -> ImageSet:
    """Return the drawings of all faces, about 10 ms each, with their factors as labels."""
    with ProcessPoolExecutor() as pool:
        pixels = list(pool.map(render, faces, [size] * len(faces), chunksize=50))
    labels = np.array([[face.factors[name] for name in FACTORS] for face in faces], np.int64)
    return ImageSet(np.stack(pixels), labels, tuple(FACTORS))
