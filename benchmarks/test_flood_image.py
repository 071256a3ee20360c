"""From depths on the city's grid to the picture that the map draws, against GDAL's warp of the same."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.warp import reproject

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from geo.drainage_edges import Grid
from pages.parts.flood_image import ImageFrame, depth_classes
from pages.parts.palette import Theme

LEVEL_M = -1.0
LIMIT_MS, LIMIT_KB = 150, 400


@pytest.mark.extract
def test_picture(benchmark: Benchmark, report: Report, extract_dir: Path) -> None:
    """Draw the extract under water up to one level, as a PNG in Web Mercator."""
    with rasterio.open(extract_dir / "elevation.tif") as source:
        ground = source.read(1, masked=True).astype(float).filled(np.nan) * source.scales[0]
        transform, crs, shape = source.transform, source.crs, source.shape
    depth = np.maximum(LEVEL_M - ground, 0)
    grid = Grid(transform.c, transform.f, transform.a, crs.to_epsg(), shape)
    classes = depth_classes(Theme(dark=False))
    frame_s, frame = seconds_of(lambda: ImageFrame.of(grid), rounds=3)
    png = benchmark.pedantic(lambda: frame.png(depth, classes), rounds=7, warmup_rounds=1)
    mine_s = benchmark.stats.stats.median
    high, wide = frame.cell.shape
    box = Transformer.from_crs(4326, 3857, always_xy=True).transform_bounds(*frame.box)

    place = Affine((box[2] - box[0]) / wide, 0, box[0], 0, (box[1] - box[3]) / high, box[3])

    def by_gdal() -> tuple[bytes, np.ndarray]:
        kind = sum((depth >= low).astype(np.uint8) for low in classes.lows)
        warped = np.zeros((high, wide), dtype=np.uint8)
        reproject(
            kind,
            warped,
            src_transform=transform,
            src_crs=crs,
            dst_transform=place,
            dst_crs="EPSG:3857",
            resampling=Resampling.nearest,
        )
        with MemoryFile() as file:
            with file.open(
                driver="PNG", width=wide, height=high, count=1, dtype="uint8", transform=place
            ) as picture:
                picture.write(warped, 1)
            return file.read(), warped

    peer_s, (_, warped) = seconds_of(by_gdal, rounds=3)
    mine = np.append(sum((depth.ravel() >= low).astype(np.uint8) for low in classes.lows), 0)[frame.cell]
    assert (mine == warped).mean() > 0.995
    report(
        f"Picture of water on {depth.size:,} cells, {len(png) / 1000:.0f} kB (frame once {frame_s:.2f} s)",
        f"{1000 * mine_s:.0f} ms",
        f"GDAL's warp and PNG by rasterio, same pixels to 0.5 %: {1000 * peer_s:.0f} ms, "
        f"{peer_s / mine_s:.1f} times",
        f"under {LIMIT_MS} ms and {LIMIT_KB} kB",
        1000 * mine_s < LIMIT_MS and len(png) < 1000 * LIMIT_KB,
    )
