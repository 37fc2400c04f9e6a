"""Opens vector and raster files with GDAL's own Python module and prints what it sees as JSON. Run by the system's Python."""

import json
import sys

from osgeo import gdal, ogr, osr

gdal.UseExceptions()


def vector(path):
    file = gdal.OpenEx(path, gdal.OF_VECTOR, open_options=["AUTODETECT_TYPE=YES"] if path.endswith(".csv") else [])
    layer = file.GetLayer(0)
    crs = layer.GetSpatialRef()
    names = [layer.GetLayerDefn().GetFieldDefn(i).GetName() for i in range(layer.GetLayerDefn().GetFieldCount())]
    area = next((name for name in names if name in ("area_m2", "area_px2")), None)
    count, total, measured, types = 0, 0.0, 0.0, set()
    for feature in layer:
        count += 1
        total += float(feature.GetField(area)) if area else 0.0
        geometry = feature.GetGeometryRef()
        types.add(ogr.GeometryTypeToName(geometry.GetGeometryType()))
        measured += area_of(geometry, crs)
    return {
        "count": count,
        "area": total,
        "measured": measured,
        "crs": crs_name(crs),
        "types": sorted(types),
        "layer": layer.GetName(),
        "fields": len(names),
    }


def area_of(geometry, crs):
    """In the units of the file's coordinates, or for degrees in m2 of an equal-area projection around the place."""
    if crs is not None and not crs.IsGeographic():
        return geometry.GetArea()
    moved = geometry.Clone()
    around = osr.SpatialReference()
    point = geometry.Centroid()
    around.ImportFromProj4(f"+proj=laea +lat_0={point.GetY()} +lon_0={point.GetX()} +datum=WGS84")
    wgs = osr.SpatialReference()
    wgs.ImportFromEPSG(4326)
    wgs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    moved.Transform(osr.CoordinateTransformation(wgs, around))
    return moved.GetArea()


def raster(path):
    file = gdal.Open(path)
    band = file.GetRasterBand(1)
    values = band.ReadAsArray()
    return {
        "size": [file.RasterXSize, file.RasterYSize],
        "transform": list(file.GetGeoTransform()),
        "pixels": int((values > 0).sum()),
        "ids": len({*values.ravel().tolist()} - {0}),
        "crs": crs_name(file.GetSpatialRef()),
        "colours": band.GetColorTable().GetCount() if band.GetColorTable() else 0,
        "nodata": band.GetNoDataValue(),
    }


def crs_name(crs):
    if crs is None:
        return ""
    code = crs.GetAuthorityCode(None)
    return f"{crs.GetAuthorityName(None)}:{code}" if code else crs.GetName()


def main(paths):
    for path in paths:
        try:
            seen = raster(path) if path.endswith(".tif") else vector(path)
        except RuntimeError as error:
            seen = {"error": str(error)}
        print(json.dumps({"path": path, **seen}))


main(sys.argv[1:])
