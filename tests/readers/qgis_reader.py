"""Opens files with PyQGIS and prints what it sees as JSON; with `--map FILE` also draws them. Run by the system's Python."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import (
    QgsApplication,
    QgsDistanceArea,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def vector(path):
    layer = QgsVectorLayer(path, Path(path).name, "ogr")
    if not layer.isValid():
        return None, {"error": "QGIS does not open it"}
    crs = layer.crs()
    meter = QgsDistanceArea()
    meter.setSourceCrs(crs, QgsProject.instance().transformContext())
    if crs.isGeographic():
        meter.setEllipsoid("WGS84")
    names = [field.name() for field in layer.fields()]
    area = next((name for name in names if name in ("area_m2", "area_px2")), None)
    count, total, measured = 0, 0.0, 0.0
    for feature in layer.getFeatures():
        count += 1
        total += float(feature[area]) if area else 0.0
        measured += meter.measureArea(feature.geometry())
    style = type(layer.renderer()).__name__ if layer.renderer() else ""
    return layer, {
        "count": count,
        "area": total,
        "measured": measured,
        "crs": crs.authid() or crs.description(),
        "types": [QgsWkbTypes.displayString(layer.wkbType())],
        "style": style,
        "labels": layer.labelsEnabled(),
        "fields": len(names),
    }


def raster(path):
    layer = QgsRasterLayer(path, Path(path).name)
    if not layer.isValid():
        return None, {"error": "QGIS does not open it"}
    e = layer.extent()
    return layer, {
        "size": [layer.width(), layer.height()],
        "extent": [e.xMinimum(), e.yMinimum(), e.xMaximum(), e.yMaximum()],
        "pixel": [layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()],
        "crs": layer.crs().authid() or layer.crs().description(),
        "style": type(layer.renderer()).__name__,
    }


def draw(layers, path):
    settings = QgsMapSettings()
    settings.setLayers(layers[::-1])
    settings.setBackgroundColor(QColor(255, 255, 255))
    settings.setTransformContext(QgsProject.instance().transformContext())
    settings.setDestinationCrs(layers[0].crs())
    extent = layers[0].extent()
    extent.scale(1.02)
    settings.setExtent(extent)
    settings.setOutputSize(QSize(1200, 900))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    for error in job.errors():
        print(json.dumps({"path": path, "error": error.message}))
    job.renderedImage().save(path)


def main(arguments):
    application = QgsApplication([], False)
    application.initQgis()
    target = arguments[arguments.index("--map") + 1] if "--map" in arguments else ""
    paths = [each for each in arguments if each not in ("--map", target)]
    layers = []
    for path in paths:
        layer, seen = raster(path) if path.endswith((".tif", ".png")) else vector(path)
        print(json.dumps({"path": path, **seen}))
        layers += [layer] if layer else []
    if target:
        draw(layers, target)
    sys.stdout.flush()
    os._exit(0)  # QGIS 3.22 crashes in exitQgis where layers are alive; all is written by then


main(sys.argv[1:])
