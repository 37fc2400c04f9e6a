"""`tests/` mirrors the package: each module has its test file by name, or stands below with the file that tests it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "t2s_agent/accelerator.py": "tests/prompting/test_local.py",
    "t2s_agent/api/engine.py": "tests/test_api.py",
    "t2s_agent/api/functions.py": "tests/test_api.py",
    "t2s_agent/api/html.py": "tests/api/test_result.py",
    "t2s_agent/api/naming.py": "tests/api/test_result.py",
    "t2s_agent/batch/job.py": "tests/batch/test_run.py",
    "t2s_agent/batch/rows.py": "tests/batch/test_scenes.py",
    "t2s_agent/batch/schema.py": "tests/batch/test_parts.py",
    "t2s_agent/batch/selecting.py": "tests/batch/test_stac.py",
    "t2s_agent/batch/worker.py": "tests/batch/test_run.py",
    "t2s_agent/cli/demo.py": "tests/cli/test_first_use.py",
    "t2s_agent/cli/doctor.py": "tests/server/test_server_settings.py",
    "t2s_agent/cli/items.py": "tests/scene/remote/test_search.py",
    "t2s_agent/cli/serve.py": "tests/server/test_server_settings.py",
    "t2s_agent/models.py": "tests/pipeline/test_before_asking.py",
    "t2s_agent/pipeline/band_facts.py": "tests/scene/test_budgets.py",
    "t2s_agent/pipeline/calibrating.py": "tests/pipeline/test_calibrated.py",
    "t2s_agent/pipeline/describe.py": "tests/tools/test_describe_region.py",
    "t2s_agent/pipeline/engine.py": "tests/pipeline/test_pipeline.py",
    "t2s_agent/pipeline/refinement.py": "tests/pipeline/test_refine.py",
    "t2s_agent/pipeline/saving.py": "tests/pipeline/test_pipeline.py",
    "t2s_agent/pipeline/segment.py": "tests/pipeline/test_pipeline.py",
    "t2s_agent/pipeline/steps.py": "tests/pipeline/test_pipeline.py",
    "t2s_agent/pipeline/assembly.py": "tests/pipeline/test_large.py",
    "t2s_agent/pipeline/tiled_view.py": "tests/pipeline/test_large.py",
    "t2s_agent/pipeline/window_accounts.py": "tests/pipeline/test_large.py",
    "t2s_agent/pipeline/windows.py": "tests/pipeline/test_large.py",
    "t2s_agent/prompting/checkpoint.py": "tests/prompting/test_local.py",
    "t2s_agent/prompting/prompter.py": "tests/prompting/test_scripted.py",  # a protocol: types only
    "t2s_agent/prompting/reading.py": "tests/prompting/test_forms.py",
    "t2s_agent/regions/grid.py": "tests/regions/test_plane.py",
    "t2s_agent/regions/plus_minus.py": "tests/test_calibration.py",
    "t2s_agent/regions/region.py": "tests/regions/test_build.py",
    "t2s_agent/results/export/copies.py": "tests/results/export/test_write.py",
    "t2s_agent/results/export/stac.py": "tests/results/export/test_write.py",
    "t2s_agent/results/export/style.py": "tests/results/export/test_write.py",
    "t2s_agent/results/export/table.py": "tests/results/export/test_write.py",
    "t2s_agent/results/export/vector.py": "tests/results/export/test_write.py",
    "t2s_agent/results/files.py": "tests/server/test_resources.py",
    "t2s_agent/results/record.py": "tests/results/test_store.py",
    "t2s_agent/scene/boxes.py": "tests/scene/test_scene.py",
    "t2s_agent/scene/limits.py": "tests/scene/test_budgets.py",
    "t2s_agent/scene/placing.py": "tests/scene/test_camera.py",
    "t2s_agent/scene/proj_data.py": "tests/scene/test_georeference.py",
    "t2s_agent/scene/reading.py": "tests/scene/test_scene.py",
    "t2s_agent/scene/remote/limits.py": "tests/scene/remote/test_client.py",
    "t2s_agent/scene/remarks.py": "tests/scene/test_scene.py",
    "t2s_agent/scene/source.py": "tests/scene/remote/test_plan.py",  # a protocol, and what a reader says
    "t2s_agent/scene/tiff.py": "tests/scene/test_budgets.py",
    "t2s_agent/segmenting/segmenter.py": "tests/segmenting/test_box.py",  # a protocol, and what a segmenter gives
    "t2s_agent/server/page/app.py": "tests/server/page/test_page_in_chromium.py",
    "t2s_agent/server/page/answering.py": "tests/server/page/test_routes.py",
    "t2s_agent/server/page/pictures.py": "tests/server/page/test_picture_routes.py",
    "t2s_agent/server/page/assets.py": "tests/server/page/test_routes.py",
    "t2s_agent/server/page/result_view.py": "tests/server/page/test_routes.py",
    "t2s_agent/server/page/work.py": "tests/server/page/test_routes.py",
    "t2s_agent/server/refusals.py": "tests/server/test_guard.py",
    "t2s_agent/server/toolset.py": "tests/server/test_build.py",
    "t2s_agent/tiling/observing.py": "tests/tiling/test_seams.py",
    "t2s_agent/weights.py": "tests/prompting/test_local.py",
    "tools/distances.py": "tests/tools/test_describe_region.py",
    "tools/pictures.py": "tests/tools/test_describe_region.py",
    "training/nano/mlp_circuits.py": "tests/training/nano/test_circuits.py",
    "training/nano/word_numbers.py": "tests/training/nano/test_circuits.py",
    "training/rewards/asked.py": "tests/training/rewards/test_engine.py",
    "training/rewards/masks.py": "tests/training/rewards/test_engine.py",
    "training/rewards/naive.py": "tests/training/rewards/test_engine.py",
    "training/rewards/reading.py": "tests/training/rewards/test_engine.py",
    "training/rewards/semantic.py": "tests/training/rewards/test_engine.py",
    "training/rewards/target.py": "tests/training/rewards/test_engine.py",
    "training/rollouts/features.py": "tests/training/rollouts/test_scoring.py",
    "training/rollouts/prefix.py": "tests/training/rollouts/test_scoring.py",
}


def modules():
    found = [path for folder in ("t2s_agent", "tools", "training") for path in (ROOT / folder).rglob("*.py")]
    return sorted({path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py"})


def by_name(module):
    path = Path(module)
    folders = path.parts[1:-1] if path.parts[0] == "t2s_agent" else path.parts[:-1]
    return Path("tests", *folders, f"test_{path.name}").as_posix()


@pytest.mark.parametrize("module", modules())
def test_a_module_has_its_test_file(module):
    own, named = by_name(module), ELSEWHERE.get(module)
    assert (ROOT / (named or own)).is_file(), f"write {own}, or say in ELSEWHERE which file tests {module}"


def test_the_list_of_exceptions_names_modules_that_have_no_test_file_of_their_own():
    assert set(ELSEWHERE) <= set(modules())
    assert [module for module in ELSEWHERE if (ROOT / by_name(module)).is_file()] == []
