"""Opens our files with other programs and prints what each of them sees, one line a file and reader.

    python tests/readers/check.py [--out FOLDER]

Readers that are not installed are skipped, with the reason. `--out` keeps the files and the maps that QGIS draws of them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "data"))

from stored.data import stored_result  # noqa: E402 (the path comes first)
from views.data import view_of  # noqa: E402 (the path comes first)

from t2s_agent.results.export import write  # noqa: E402 (the path comes first)

BOXES = [(4, 4, 16, 16), (16, 6, 30, 20), (40, 20, 55, 35)]  # the first two touch
PIXELS = 144 + 196 + 225  # of the boxes
MOON = "+proj=eqc +R=1737400 +units=m +no_defs"
ENDINGS = (".gpkg", ".parquet", ".fgb", ".geojson", ".shp", ".kml", ".csv")
SYSTEM_PYTHON = "/usr/bin/python3"  # that has Debian's GDAL and QGIS modules


@dataclass(frozen=True)
class Case:
    """A result and what is true of it: number of regions, their area, and the CRS that readers should name."""

    name: str
    view: object
    boxes: list
    area: float
    crs: str


CASES = (
    Case("earth", view_of(), BOXES, PIXELS * 0.25 / 0.9996**2, "EPSG:4326"),
    Case("empty", view_of(), [], 0.0, "EPSG:4326"),
    Case("no-place", view_of(crs=None), BOXES, PIXELS, "not on Earth"),
    Case("moon", view_of(crs=MOON, transform=Affine(100, 0, 5e4, 0, -100, 2e4)), BOXES, PIXELS, "not on Earth"),
)


@dataclass(frozen=True)
class Line:
    """What one reader saw of one file. `why` says why nothing was seen, `wrong` what differs from the truth."""

    case: str
    file: str
    reader: str
    count: int | None = None
    area: float | None = None
    measured: float | None = None
    crs: str = ""
    why: str = ""
    wrong: str = ""

    def text(self) -> str:
        if self.why:
            return f"{self.case:9} {self.file:9} {self.reader:13} {self.why}"
        numbers = " ".join("       -" if v is None else f"{v:8.2f}" for v in (self.area, self.measured))
        state = f"WRONG: {self.wrong}" if self.wrong else "right"
        return f"{self.case:9} {self.file:9} {self.reader:13} {self.count!s:>5} {numbers}  {self.crs:28.28} {state}"


def judged(line: Line, case: Case) -> Line:
    """The line with what is wrong in it. Areas that readers compute themselves may differ by 1 %: outlines are simplified."""
    if line.why:
        return line
    scale = 1e4 if case.name == "moon" else 1  # a pixel there is 100 x 100 of the file's units
    wrong = []
    if line.count != len(case.boxes):
        wrong.append(f"{len(case.boxes)} regions")
    if line.area is not None and abs(line.area - case.area) > 0.002 * case.area + 0.01:
        wrong.append(f"area {case.area:.2f}")
    if line.measured is not None and abs(line.measured / scale - case.area) > 0.01 * case.area + 0.01:
        wrong.append(f"area {case.area * scale:.2f} by its own measure")
    earth = "4326" in line.crs or "CRS84" in line.crs or line.crs == "WGS 84"
    csv = line.file == ".csv"  # which names none
    if line.crs != "-" and not csv and len(case.boxes) and earth != (case.crs == "EPSG:4326"):
        wrong.append(f"CRS {case.crs}")
    return replace(line, wrong=", ".join(wrong))


def files_of(case: Case, folder: Path) -> dict[str, Path]:
    """Every file type of a case that can hold it, and the mask."""
    record, stored = stored_result(folder / f"{case.name}-stored", case.boxes, view=case.view)
    endings = [e for e in (*ENDINGS, ".tif") if not (e == ".kml" and case.crs != "EPSG:4326")]
    return {ending: write(folder / f"{case.name}{ending}", record, stored) for ending in endings}


def program(name: str) -> str:
    return "" if shutil.which(name) else f"skipped: {name} is not installed"


def asked(script: str, paths: list[Path], *more: str) -> dict[str, dict]:
    """What a script of this folder, run by the system's Python, says of files, by their paths."""
    done = subprocess.run(
        [SYSTEM_PYTHON, str(HERE / script), *map(str, paths), *more], capture_output=True, text=True, timeout=300
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["path"]: line for line in lines}


def by_script(reader: str, script: str, module: str) -> Callable[[Case, dict[str, Path]], Iterator[Line]]:
    def lines(case: Case, files: dict[str, Path]) -> Iterator[Line]:
        vectors = {ending: path for ending, path in files.items() if ending != ".tif"}
        if subprocess.run([SYSTEM_PYTHON, "-c", f"import {module}"], capture_output=True).returncode:
            yield Line(case.name, "all", reader, why=f"skipped: the system's Python has no {module}")
            return
        seen = asked(script, list(vectors.values()))
        for ending, path in vectors.items():
            found = seen.get(str(path), {"error": "the reader ended without a word"})
            if "error" in found:
                no_arrow = ending == ".parquet"  # Debian 12's GDAL 3.6 is built without it
                why = "skipped: this GDAL is built without Parquet" if no_arrow else ""
                yield Line(case.name, ending, reader, why=why, wrong="" if why else found["error"])
                continue
            yield Line(case.name, ending, reader, found["count"], found["area"], found["measured"], found["crs"] or "-")

    return lines


def qgis_process(case: Case, files: dict[str, Path]) -> Iterator[Line]:
    """Statistics of the attribute by QGIS's own tool, without a display."""
    name = next((each for each in ("qgis_process.bin", "qgis_process") if shutil.which(each)), "")
    if not name or not case.boxes:
        yield Line(case.name, "all", "qgis_process", why="skipped: not installed" if not name else "skipped: no rows")
        return
    for ending in (".gpkg", ".fgb", ".geojson", ".shp"):
        field = "area_m2" if case.crs == "EPSG:4326" else "area_px2"
        done = subprocess.run(
            [name, "--json", "run", "qgis:basicstatisticsforfields", "--",
             f"INPUT_LAYER={files[ending]}", f"FIELD_NAME={field}"],
            capture_output=True, text=True, timeout=120, env={"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        )  # fmt: skip
        try:
            found = json.loads(done.stdout[done.stdout.index("{") :])["results"]
        except (ValueError, KeyError):
            yield Line(case.name, ending, "qgis_process", wrong=(done.stderr or done.stdout)[-200:])
            continue
        yield Line(case.name, ending, "qgis_process", found["COUNT"], found["SUM"], None, "-")


def with_geopandas(case: Case, files: dict[str, Path]) -> Iterator[Line]:
    import geopandas

    for ending, path in files.items():
        if ending in (".tif", ".csv"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "More than one layer": the other one is the style
            table = geopandas.read_parquet(path) if ending == ".parquet" else geopandas.read_file(path)
        area = next((table[n].astype(float).sum() for n in ("area_m2", "area_px2") if n in table), None)
        metres = table.to_crs(32633) if table.crs and table.crs.is_geographic else table
        scale = 0.9996**2 if metres is not table else 1
        crs = ":".join(table.crs.to_authority() or ()) or table.crs.name if table.crs else "-"
        yield Line(case.name, ending, "geopandas", len(table), area, float(metres.area.sum()) / scale, crs)


def duckdb(case: Case, files: dict[str, Path]) -> Iterator[Line]:
    try:
        import duckdb as module
    except ImportError:
        yield Line(case.name, ".parquet", "DuckDB", why="skipped: duckdb is not installed")
        return
    with module.connect() as database:
        field = "area_m2" if case.crs == "EPSG:4326" else "area_px2"
        measured = "NULL"
        try:
            database.execute("LOAD spatial")
            database.execute("SET geometry_always_xy = true")
            measured = "sum(ST_Area_Spheroid(geometry))" if case.crs == "EPSG:4326" else "sum(ST_Area(geometry))"
        except module.Error:
            pass  # the extension is not there: attributes only
        query = f"SELECT count(*), coalesce(sum({field}), 0), {measured}, any_value(typeof(geometry)) FROM '{files['.parquet']}'"
        count, area, own, kind = database.execute(query).fetchone()
    yield Line(case.name, ".parquet", "DuckDB", count, area, own, (kind or "-").removeprefix("GEOMETRY"))


@contextmanager
def postgres() -> Iterator[str]:
    """A database with PostGIS of its own, on a socket in a folder that goes with it."""
    programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    if programs is None or not shutil.which("ogr2ogr"):
        yield ""
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.chown(folder, "postgres")
        folder.chmod(0o755)

        def run(*command: str) -> None:
            as_owner = ["runuser", "-u", "postgres", "--", *command]
            subprocess.run(as_owner, check=True, capture_output=True, timeout=120, cwd="/")

        run(f"{programs}/initdb", "-D", f"{folder}/data", "-A", "trust")
        run(
            f"{programs}/pg_ctl",
            "-D",
            f"{folder}/data",
            "-w",
            "-l",
            f"{folder}/log",
            "-o",
            f"-k {folder} -h ''",
            "start",
        )
        try:
            run("psql", "-h", str(folder), "-d", "postgres", "-c", "CREATE EXTENSION postgis")
            yield str(folder)
        finally:
            run(f"{programs}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")


def with_postgis(socket: str) -> Callable[[Case, dict[str, Path]], Iterator[Line]]:
    def lines(case: Case, files: dict[str, Path]) -> Iterator[Line]:
        if not socket:
            yield Line(case.name, "all", "PostGIS", why="skipped: PostgreSQL or ogr2ogr is not installed")
            return
        place = f"PG:host={socket} user=postgres dbname=postgres"
        for ending in (".gpkg", ".fgb", ".geojson", ".shp", ".kml"):
            if ending not in files or (ending in (".geojson", ".kml") and not case.boxes):
                continue  # types cannot be known from a text without features
            table = f"t_{case.name.replace('-', '_')}_{ending[1:]}"
            layer = [] if ending != ".gpkg" else ["where_are_the_tanks"]
            for how in ("-overwrite", "-append"):  # twice: the second file goes into the table of the first
                done = subprocess.run(
                    ["ogr2ogr", "-f", "PostgreSQL", how, "-nln", table, place, str(files[ending]), *layer],
                    capture_output=True, text=True, timeout=120,
                )  # fmt: skip
                if done.returncode:
                    yield Line(case.name, ending, "PostGIS", wrong=done.stderr[:200])
                    break
            else:
                yield _asked_of(case, socket, table, ending)

    return lines


def _asked_of(case: Case, socket: str, table: str, ending: str) -> Line:
    field = "area_m2" if case.crs == "EPSG:4326" else "area_px2"
    column = "geom" if ending == ".gpkg" else "wkb_geometry"
    measure = f"ST_Area({column}::geography)" if case.crs == "EPSG:4326" else f"ST_Area({column})"
    query = f"""SELECT count(*) / 2, coalesce(sum({field}), 0) / 2, coalesce(sum({measure}), 0) / 2,
        (SELECT srid || ' ' || type FROM geometry_columns WHERE f_table_name = '{table}') FROM {table}"""
    done = subprocess.run(
        ["psql", "-h", socket, "-U", "postgres", "-At", "-F", "|", "-c", query],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        return Line(case.name, ending, "PostGIS", wrong=done.stderr[:200])
    count, area, measured, crs = done.stdout.strip().split("|")
    return Line(case.name, ending, "PostGIS", int(count), float(area), float(measured), crs)


def mask_lines(case: Case, files: dict[str, Path]) -> Iterator[str]:
    """The mask's grid as GDAL and QGIS read it, and whether outlines burned into it give the mask."""
    import geopandas

    with rasterio.open(files[".tif"]) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = geopandas.read_file(files[".gpkg"])
        moved = table.to_crs(file.crs) if case.crs == "EPSG:4326" else table
        labels, shapes = file.read(1), list(zip(moved.geometry, moved["id"], strict=True))
        burned = rasterio.features.rasterize(shapes, file.shape, transform=file.transform) if shapes else labels * 0
        differing = int(np.count_nonzero(burned != labels))
        yield f"{case.name:9} mask      rasterio      {np.count_nonzero(labels)} px, {differing} differ from the outlines"
    for reader, script, module in (("GDAL", "gdal_reader.py", "osgeo"), ("QGIS", "qgis_reader.py", "qgis.core")):
        if subprocess.run([SYSTEM_PYTHON, "-c", f"import {module}"], capture_output=True).returncode == 0:
            found = asked(script, [files[".tif"]]).get(str(files[".tif"]), {})
            yield f"{case.name:9} mask      {reader:13} {json.dumps({k: v for k, v in found.items() if k != 'path'})}"


def readers(stack: ExitStack) -> list[Callable[[Case, dict[str, Path]], Iterator[Line]]]:
    socket = stack.enter_context(postgres())
    return [
        by_script("GDAL", "gdal_reader.py", "osgeo"),
        by_script("PyQGIS", "qgis_reader.py", "qgis.core"),
        qgis_process,
        with_postgis(socket),
        with_geopandas,
        duckdb,
    ]


def checked(folder: Path) -> Iterator[Line]:
    """All lines, judged."""
    with ExitStack() as stack:
        every = readers(stack)
        for case in CASES:
            files = files_of(case, folder)
            for reader in every:
                for line in reader(case, files):
                    yield line if line.wrong else judged(line, case)


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="keep the files, and QGIS's maps of them, in this new folder")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as name:
        folder = out or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        wrong = 0
        for line in checked(folder):
            print(line.text(), flush=True)
            wrong += bool(line.wrong)
        for case in CASES:
            files = {e: folder / f"{case.name}{e}" for e in (*ENDINGS, ".tif")}
            for text in mask_lines(case, files):
                print(text, flush=True)
            if out:
                asked("qgis_reader.py", [files[".tif"], files[".gpkg"]], "--map", str(folder / f"{case.name}.png"))
    print(f"{wrong} wrong" if wrong else "all right")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
