"""Remote imagery: files on allowed https servers, fetched as byte ranges by a guarded client and decoded by GDAL from those bytes alone."""
