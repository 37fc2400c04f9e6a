"""Tests what supervised training learns: the product's prompt, an answer from the truth, and nothing else."""

import pytest
import torch
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from t2s_agent.prompting.frames import Size
from t2s_agent.prompting.inputs import chat_of
from t2s_agent.prompting.parsing import parse_answer
from t2s_agent.prompting.style import style_named
from t2s_agent.segmenting.box import BoxSegmenter
from training.data import Questions, Schedule
from training.policy import open_policy
from training.pool import Pool
from training.recipe import Data, Policy, Source, Supervised
from training.supervised import answer_writer, examples

COUNT = 4


@pytest.fixture(scope="module", params=["nano", "qwen2_5_vl", "qwen3_vl", "internvl"])
def opened(request, tiny_models):
    name = "nano" if request.param == "nano" else str(tiny_models[request.param])
    return open_policy(Policy(name=name, dtype="float32"), device="cpu")


@pytest.fixture(scope="module")
def questions():
    data = Data(train=(Source(dataset="procedural", options={"count": 4, "size": 128}),))
    pool = Pool.open(data.train, data)
    return Questions(pool, Schedule(pool, data, seed=1, length=COUNT))


def test_the_answer_reads_back_as_the_truth(opened, questions):
    write = answer_writer(Supervised(), opened.processor)
    for number in range(COUNT):
        asked = questions.schedule.at(number)
        view, truth = questions.pool.view(asked.id), questions.pool.truth(asked.id)
        frame = opened.processor.rule.frame(Size(view.width, view.height))
        text = write(questions.pool, asked).removesuffix(opened.processor.tokenizer.eos_token)
        size = frame.model.width, frame.model.height
        read = parse_answer(text, frame=size, style=style_named(asked.style), strict=True)
        assert read.status == ("found" if truth.mask.any() else "empty")
        for instance in map(frame.to_view, read.instances):
            assert (
                min(max(abs(a - b) for a, b in zip(instance.box, each.bounds, strict=True)) for each in truth.instances)
                <= 2
            )


def test_prompts_are_the_products_inputs_and_only_the_answer_has_labels(opened, questions):
    write = answer_writer(Supervised(), opened.processor)
    dataset = examples(questions, opened.processor, write)
    collate = DataCollatorForVisionLanguageModeling(opened.processor, completion_only_loss=True)
    batch = collate([dataset[number] for number in range(COUNT)])
    for number in range(COUNT):
        asked = questions.schedule.at(number)
        served = opened.processor.builder.build(
            [questions.pool.view(asked.id)], [chat_of(style_named(asked.style), asked.question)]
        )
        prompt = served["input_ids"][0]
        there = batch["attention_mask"][number].bool()
        row, labels = batch["input_ids"][number][there], batch["labels"][number][there]
        answer = opened.processor.tokenizer(write(questions.pool, asked), add_special_tokens=False, return_tensors="pt")
        assert torch.equal(row, torch.cat([prompt, answer["input_ids"][0]]))
        assert torch.equal(labels, torch.cat([torch.full_like(prompt, -100), answer["input_ids"][0]]))


def test_the_thought_names_the_category_or_else_the_question(tiny_models, questions):
    processor = open_policy(Policy(name=str(tiny_models["qwen3_vl"]), dtype="float32"), device="cpu").processor
    asked = questions.schedule.at(0)
    category = questions.pool.sample(asked.id).metadata["category"]
    text = answer_writer(Supervised(thinking="It is {category}."), processor)(questions.pool, asked)
    assert text.startswith(f"<think>It is {category}.</think>")


def test_clicks_are_chosen_against_the_segmenter_that_is_given(tiny_models, questions):
    processor = open_policy(Policy(name=str(tiny_models["qwen3_vl"]), dtype="float32"), device="cpu").processor
    asked = next(each for each in map(questions.schedule.at, range(COUNT)) if questions.pool.truth(each.id).mask.any())
    clicked = answer_writer(Supervised(clicks=2), processor, BoxSegmenter())(questions.pool, asked)
    assert clicked.count("positive_points") == answer_writer(Supervised(), processor)(questions.pool, asked).count(
        "positive_points"
    )


def test_the_dataset_gives_batches_as_it_gives_items(opened, questions):
    dataset = examples(questions, opened.processor, answer_writer(Supervised(), opened.processor))
    assert len(dataset) == COUNT
    both = dataset[1:3]
    assert both["completion"] == [dataset[1]["completion"], dataset[2]["completion"]]
