"""Tests which questions a run asks, in which order, and that the order is the same for every process that takes part."""

from collections import Counter
from itertools import islice

import pytest
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from trl.trainer.utils import RepeatSampler

from t2s_agent.errors import T2SError
from t2s_agent.prompting.style import STYLES
from training.data import Questions, Schedule, _mixed, open_questions, pass_length, prompt_of
from training.pool import Pool
from training.recipe import Data, Optimizer, Policy, Recipe, Source


def scenes(count=6, **more):
    return Source(dataset="procedural", split="train", options={"count": count, "size": 64}, **more)


def schedule(data, *, length, seed=1):
    return Schedule(Pool.open(data.train, data), data, seed=seed, length=length)


def asked(data, *, length, seed=1):
    plan = schedule(data, length=length, seed=seed)
    return [plan.at(number) for number in range(length)]


def test_a_pass_asks_about_each_image_once():
    passes = asked(Data(train=(scenes(6),)), length=18)
    for start in (0, 6, 12):
        assert len({each.image_id for each in passes[start : start + 6]}) == 6


def test_passes_have_different_orders():
    images = [each.image_id for each in asked(Data(train=(scenes(6),)), length=12)]
    assert images[:6] != images[6:]


def test_rotating_asks_another_question_of_an_image_in_each_pass_until_all_were_asked():
    data = Data(train=(scenes(2),), questions="rotate")
    pool = Pool.open(data.train, data)
    for image in ("procedural/scene_0", "procedural/scene_1"):
        own = [each for each in asked(data, length=8) if each.image_id == image]
        questions = len([id_ for id_ in pool.ids if pool.image_id(id_) == image])
        assert len({each.id for each in own[:questions]}) == min(questions, 4)


def test_one_keeps_to_a_drawn_question_and_first_to_the_first():
    for rule in ("one", "first"):
        data = Data(train=(scenes(3),), questions=rule)
        assert len({each.id for each in asked(data, length=12)}) == 3
    firsts = {each.id for each in asked(Data(train=(scenes(3),), questions="first"), length=3)}
    assert all("/00-" in id_ for id_ in firsts)


def test_all_asks_every_question_once_a_pass():
    data = Data(train=(scenes(3),), questions="all")
    pool = Pool.open(data.train, data)
    assert sorted(each.id for each in asked(data, length=len(pool))) == pool.ids
    assert pass_length(pool, data) == len(pool)


def test_the_order_depends_on_the_seed_alone():
    data = Data(train=(scenes(6),))
    assert asked(data, length=12) == asked(data, length=24)[:12]
    assert asked(data, length=12) != asked(data, length=12, seed=2)


def test_sources_are_mixed_by_weight_in_every_stretch():
    source, place = _mixed([3.0, 1.0], 400)
    assert Counter(source.tolist()) == {0: 300, 1: 100}
    assert all(Counter(source[start : start + 40].tolist())[1] in (9, 10, 11) for start in range(0, 400, 40))
    assert place[source == 1].tolist() == list(range(100))


def test_styles_have_equal_shares_also_within_a_source():
    data = Data(train=(scenes(4), scenes(4)), styles=("box", "points"))
    counts = Counter((each.source, each.style) for each in asked(data, length=32))
    assert set(counts.values()) == {8}
    assert {source for source, _ in counts} == {"procedural", "procedural-2"}


def test_the_length_of_a_run_follows_from_its_steps_or_its_epochs():
    data = Data(train=(scenes(6),))
    pool = Pool.open(data.train, data)

    def length(**optimizer):
        recipe = Recipe(about="a test", policy=Policy(name="nano"), data=data, optimizer=Optimizer(**optimizer))
        return len(Schedule.of(recipe, pool))

    assert length(steps=5, prompts=3) == 15
    assert length(epochs=2.5) == 15


def test_an_item_has_the_products_messages_and_the_views_pixels():
    recipe = Recipe(
        about="a test",
        policy=Policy(name="nano"),
        data=Data(train=(scenes(2),)),
        optimizer=Optimizer(steps=2, prompts=1),
    )
    questions = open_questions(recipe)
    item = questions[0]
    view = questions.pool.view(item["id"])
    assert item["image"].size == (view.width, view.height)
    assert item["image"].mode == "RGB"
    system, user = item["prompt"]
    assert system == {"role": "system", "content": STYLES["box_2_points"].system}
    assert questions.pool.sample(item["id"]).question in user["content"]
    with pytest.raises(IndexError):
        questions[len(questions)]


def test_control_tokens_in_a_question_lose_their_meaning():
    data = Data(train=(scenes(1),))
    question = schedule(data, length=1).at(0)
    spoilt = type(question)(question.id, question.image_id, "a <|im_end|>\nship", "box", "procedural")
    assert "a < |im_end|> ship" in prompt_of(spoilt)[1]["content"]


class Ids:
    """The ids of a schedule as a dataset, so that what the samplers choose can be compared without pixels."""

    def __init__(self, plan):
        self.plan = plan

    def __len__(self):
        return len(self.plan)

    def __getitem__(self, number):
        return self.plan.at(number).id


@pytest.mark.parametrize("workers", [0, 2])
def test_two_ranks_see_together_what_one_sees(workers):
    plan = schedule(Data(train=(scenes(6),)), length=12)
    sampler = RepeatSampler(plan, mini_repeat_count=2, batch_size=2, shuffle=False)

    def seen(world, batch):
        ranks = []
        for rank in range(world):
            batches = BatchSamplerShard(BatchSampler(sampler, batch, drop_last=True), world, rank, split_batches=False)
            ranks.append(list(DataLoader(Ids(plan), batch_sampler=batches, num_workers=workers)))
        return [[id_ for batch in step for id_ in batch] for step in zip(*ranks, strict=True)]

    one, two = seen(1, 4), seen(2, 2)
    assert one == two
    assert [id_ for step in one for id_ in islice(step, 0, None, 2)] == [plan.at(number).id for number in range(12)]


def test_a_run_of_no_questions_is_refused():
    with pytest.raises(T2SError, match="0 questions"):
        _mixed([1.0], 0)


def test_a_sequential_sampler_reads_items_in_the_order_of_the_schedule():
    data = Data(train=(scenes(2),))
    plan = schedule(data, length=4)
    questions = Questions(Pool.open(data.train, data), plan)
    assert [questions[index]["id"] for index in SequentialSampler(questions)] == [plan.at(n).id for n in range(4)]
