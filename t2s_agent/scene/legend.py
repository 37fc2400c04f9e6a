"""Says what the bands of a scene mean: sensor, common names, colours and scaling."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import rasterio

from t2s_agent.scene.bands import Band, Colours, colours_of
from t2s_agent.scene.recognising import CALLER, Recognised, in_order, recognise
from t2s_agent.scene.scaling import Scaling, scaling_of
from t2s_agent.scene.sensors import load_sensors
from t2s_agent.scene.spectral import common_name, wavelength_in, wavelength_tag

_INTERPRETED = ("pan", "coastal", "rededge")  # GDAL's colour interpretations that are common names too
_NEAR_INFRARED = ("nir", "nir08")


@dataclass(frozen=True, slots=True)
class Sensing:
    """What the caller says about sensors: the id of one, and a file with more of them (`sensors_file`).

    `names` and `tags` are what a catalogue says about a file that does not say it itself: names of its bands (for those
    without one), and properties such as `("s2:processing_baseline", "05.09")`, which count as tags of the file.
    """

    sensor: str = ""
    sensors_file: Path | None = None
    names: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Legend:
    """The bands of a scene, with the scale and offset of their values and their common names; which of them hold the colours.

    `scalings` has one entry a band. `recognised` is None where nothing says which sensor it is. `not_alpha` is a band that the file
    declares as alpha and that is the sensor's; 0 where there is none.
    """

    bands: tuple[Band, ...]
    colours: Colours
    scalings: tuple[Scaling, ...]
    recognised: Recognised | None = None
    not_alpha: int = 0

    def index_of(self, *commons: str) -> int:
        """The first band with the first of these common names that there is; 0 where there is none."""
        for common in commons:
            for band in self.bands:
                if band.common == common:
                    return band.index
        return 0

    def spellings_of(self, band: Band) -> tuple[str, ...]:
        """The names by which a band can be asked for: its own, the sensor's, the common one."""
        meaning = self.recognised.bands[band.index - 1] if self.recognised else None
        names = (band.description, *((meaning.name, *meaning.also) if meaning else ()), band.common)
        return tuple(name for name in names if name)

    @property
    def is_radar(self) -> bool:
        """Whether the sensor is a radar."""
        return self.recognised is not None and self.recognised.sensor.kind == "sar"

    @property
    def named_by_caller(self) -> str:
        """The id of the sensor, if the caller named it; else empty."""
        return self.recognised.sensor.id if self.recognised and self.recognised.why == CALLER else ""

    @property
    def sensor_words(self) -> str:
        """The sensor and what it was recognised by; empty where it is unknown."""
        return f"{self.recognised.sensor.title}, by {self.recognised.why}" if self.recognised else ""

    @property
    def scaling_words(self) -> tuple[str, ...]:
        """The rules of scaling of all bands with a colour or a common name, each once."""
        named = {self.colours.red, self.colours.green, self.colours.blue, self.colours.nir}
        used = [s for band, s in zip(self.bands, self.scalings, strict=True) if band.common or band.index in named]
        return tuple(dict.fromkeys(scaling.words for scaling in used))

    def remarks(self) -> Iterator[str]:
        """What was recognised and by what, and what is not known of the scaling."""
        if self.recognised is None:
            return
        yield f"read as {self.sensor_words}"
        sensor = self.recognised.sensor
        if sensor.order_note and in_order(self.recognised, self.bands):
            yield sensor.order_note
        if sensor.unconfirmed:
            yield f"not confirmed for {sensor.title}: {sensor.unconfirmed}"
        if self.not_alpha:
            band = self.recognised.bands[self.not_alpha - 1]
            yield f"band {self.not_alpha} is interpreted as alpha and is the sensor's {band.name if band else ''}: it is read as that"
        for scaling in dict.fromkeys(self.scalings):
            if scaling.other_offset is not None:
                yield scaling.how


def legend_of(dataset: rasterio.DatasetReader, path: Path, sensing: Sensing = Sensing()) -> Legend:
    """The legend of a file. Raises what `recognise` and `load_sensors` raise."""
    names = (*sensing.names, *("" for _ in dataset.indexes))
    stored = tuple(
        replace(band, description=band.description or name)
        for band, name in zip(_bands_of(dataset), names, strict=False)
    )
    tags = {key: str(value) for key, value in (*dataset.tags().items(), *sensing.tags)}
    found = recognise(stored, path.name, tags, load_sensors(sensing.sensors_file), sensing.sensor)
    meanings = found.bands if found else (None,) * len(stored)
    scalings = tuple(
        scaling_of(band, found, meaning, tags | dataset.tags(band.index), path.name)
        for band, meaning in zip(stored, meanings, strict=True)
    )
    colours = colours_of(stored, _about(path, stored, tags))
    if found:
        colours = _colours_by(found, colours)
    bands = []
    for band, meaning, scaling in zip(stored, meanings, scalings, strict=True):
        common = meaning.common if meaning else "" if found else _common(band, colours)
        scale, offset = (scaling.scale, scaling.offset) if scaling.known else (1.0, 0.0)
        colour = "undefined" if meaning and band.colour == "alpha" else band.colour
        fill = found.sensor.fill if found and meaning and meaning.unit != "" else None
        declared = dataset.nodatavals[band.index - 1]
        fill = None if fill == declared else fill
        bands.append(replace(band, common=common, scale=scale, offset=offset, colour=colour, fill=fill))
    alpha = next((b.index for b, m in zip(stored, meanings, strict=True) if m and b.colour == "alpha"), 0)
    return Legend(tuple(bands), colours, scalings, found, alpha)


def _common(band: Band, colours: Colours) -> str:
    """The common name of a band of an unknown sensor."""
    for name in ("red", "green", "blue", "nir"):
        if getattr(colours, name) == band.index:
            return name
    if band.colour in _INTERPRETED:
        return band.colour
    return common_name(band.description, band.wavelength_nm or wavelength_in(band.description))


def _colours_by(found: Recognised, otherwise: Colours) -> Colours:
    """The colours by the bands of the sensor; those that it does not have are unknown."""

    def first(*commons: str) -> int:
        places = [i for c in commons for i, band in enumerate(found.bands, 1) if band and band.common == c]
        return places[0] if places else 0

    remarks = () if found.surely else otherwise.remarks
    return Colours(first("red"), first("green"), first("blue"), first(*_NEAR_INFRARED), remarks)


def _bands_of(dataset: rasterio.DatasetReader) -> Iterator[Band]:
    for i in dataset.indexes:
        scale, offset = dataset.scales[i - 1], dataset.offsets[i - 1]
        usable = math.isfinite(scale) and math.isfinite(offset) and scale != 0
        tags = {**dataset.tags(i), **dataset.tags(i, ns="IMAGERY")}
        yield Band(
            i,
            dataset.descriptions[i - 1] or "",
            dataset.colorinterp[i - 1].name.lower(),
            dataset.dtypes[i - 1],
            wavelength_tag(tags),
            float(scale) if usable else 1.0,
            float(offset) if usable else 0.0,
        )


def _about(path: Path, bands: Sequence[Band], tags: Mapping[str, str]) -> str:
    """Text of a file that may name its sensor: its name, its bands' names, its tags."""
    values = " ".join(value[:200] for value in list(tags.values())[:200])
    return " ".join([path.name, *(band.description for band in bands), values])[:20_000]
