"""Opens image files safely and reads any part of them at any resolution."""

from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.legend import Sensing
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.opening import PINNED, ignore_not_georeferenced
from t2s_agent.scene.scene import Scene, open_scene
from t2s_agent.scene.view import Grid, Picture, View, Window

__all__ = [
    "PINNED",
    "Georeference",
    "Grid",
    "Limits",
    "Picture",
    "Scene",
    "Sensing",
    "View",
    "Window",
    "ignore_not_georeferenced",
    "open_scene",
]
