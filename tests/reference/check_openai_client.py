"""Every feature of `trialwright serve` through the official `openai` client.

    python3 tests/reference/check_openai_client.py build/release/trialwright MODEL

Needs the package `openai`. Prints one line a check; the exit code is the number of failures.
"""

import json
import sys

import openai

from served_model import ServedModel

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def refusal(kind, **arguments):
    """The error that a call must end in."""
    client = arguments.pop("client")
    try:
        client.chat.completions.create(**arguments)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


@check
def models_are_listed(client, model):
    assert [entry.id for entry in client.models.list()] == [model]
    assert client.models.retrieve(model).id == model


@check
def a_conversation_is_answered(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_completion_tokens=24
    )
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@check
def the_same_question_again_comes_from_the_cache(client, model):
    ask = lambda: client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=8
    )
    first, second = ask(), ask()
    assert first.choices[0].message.content == second.choices[0].message.content
    assert second.usage.prompt_tokens_details.cached_tokens > 0


@check
def a_stream_says_what_the_answer_says(client, model):
    arguments = dict(model=model, messages=QUESTION, temperature=0.9, seed=11, max_tokens=40)
    whole = client.chat.completions.create(**arguments)
    text, finish, usage = "", None, None
    for chunk in client.chat.completions.create(
        **arguments, stream=True, stream_options={"include_usage": True}
    ):
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason
    assert usage.completion_tokens == whole.usage.completion_tokens


@check
def seeds_and_choices_draw_apart(client, model):
    ask = lambda seed: client.chat.completions.create(
        model=model, messages=QUESTION, temperature=1.0, seed=seed, n=3, max_tokens=20
    )
    texts = [choice.message.content for choice in ask(1).choices]
    assert texts == [choice.message.content for choice in ask(1).choices]
    assert len(set(texts)) > 1
    assert texts != [choice.message.content for choice in ask(2).choices]


@check
def stop_texts_end_an_answer(client, model):
    whole = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=24
    )
    word = whole.choices[0].message.content.split()[2]
    cut = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=24, stop=[word]
    )
    assert word not in cut.choices[0].message.content
    assert whole.choices[0].message.content.startswith(cut.choices[0].message.content)
    assert cut.choices[0].finish_reason == "stop"


@check
def logprobs_come_with_bytes_and_alternatives(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=8, logprobs=True, top_logprobs=3
    )
    content = answer.choices[0].logprobs.content
    assert len(content) == answer.usage.completion_tokens
    for token in content:
        assert token.logprob <= 0
        assert bytes(token.bytes).decode("utf-8", "replace") == token.token
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob == token.logprob


@check
def tools_are_called_or_refused(client, model):
    try:
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "What is the weather in Rome? Use the tool."}],
            tools=[WEATHER],
            temperature=0,
            max_tokens=80,
        )
    except openai.BadRequestError as error:
        assert error.param == "tools", error
        return "the template has no tools"
    message = answer.choices[0].message
    if not message.tool_calls:
        return "the model did not call"
    call = message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments)
    reply = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "user", "content": "What is the weather in Rome? Use the tool."},
            message,
            {"role": "tool", "tool_call_id": call.id, "content": "sunny, 25 degrees"},
        ],
        tools=[WEATHER],
        tool_choice="none",
        temperature=0,
        max_tokens=40,
    )
    assert not reply.choices[0].message.tool_calls
    return f"called {call.function.name}({call.function.arguments})"


@check
def streamed_tool_calls_are_the_same(client, model):
    arguments = dict(
        model=model,
        messages=[{"role": "user", "content": "What is the weather in Rome? Use the tool."}],
        tools=[WEATHER],
        temperature=0,
        max_tokens=80,
    )
    try:
        whole = client.chat.completions.create(**arguments).choices[0].message
    except openai.BadRequestError:
        return "the template has no tools"
    text, calls = "", {}
    for chunk in client.chat.completions.create(**arguments, stream=True):
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for call in delta.tool_calls or []:
            entry = calls.setdefault(call.index, [call.function.name, ""])
            entry[1] += call.function.arguments
    assert text == (whole.content or "")
    assert list(calls.values()) == [
        [call.function.name, call.function.arguments] for call in whole.tool_calls or []
    ]


@check
def formats_hold_or_are_refused(client, model):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
              "additionalProperties": False}
    try:
        answer = client.chat.completions.create(
            model=model,
            messages=QUESTION,
            temperature=0,
            max_tokens=60,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            },
        )
    except openai.BadRequestError as error:
        return f"refused: {error.message}"
    assert "city" in json.loads(answer.choices[0].message.content)
    return "held"


@check
def texts_are_continued_and_scored(client, model):
    answer = client.completions.create(
        model=model,
        prompt=["The capital of France is", "One, two, three,"],
        temperature=0,
        max_tokens=4,
        echo=True,
        logprobs=2,
    )
    for choice, prompt in zip(answer.choices, ["The capital of France is", "One, two, three,"]):
        assert choice.text.startswith(prompt)
        logprobs = choice.logprobs
        assert logprobs.token_logprobs[0] is None
        assert all(value <= 0 for value in logprobs.token_logprobs[1:])
        assert "".join(logprobs.tokens) == choice.text or "<" in "".join(logprobs.tokens)
        for token, offset in zip(logprobs.tokens, logprobs.text_offset):
            if not token.startswith(("bytes:", "<")):
                assert choice.text[offset:].startswith(token), (token, offset)


@check
def a_text_alone_is_scored_as_it_is_after_generation(client, model):
    made = client.completions.create(
        model=model, prompt="The capital of France is", temperature=0, max_tokens=6, echo=True,
        logprobs=1,
    ).choices[0]
    scored = client.completions.create(
        model=model, prompt=made.text, temperature=0, max_tokens=0, echo=True, logprobs=1
    ).choices[0]
    count = len(scored.logprobs.tokens)
    if made.logprobs.tokens[:count] != scored.logprobs.tokens:
        return "the text is cut into other tokens"
    assert made.logprobs.token_logprobs[:count] == scored.logprobs.token_logprobs


@check
def streamed_texts_are_the_same(client, model):
    arguments = dict(model=model, prompt="Once upon a time", seed=3, max_tokens=30)
    whole = client.completions.create(**arguments).choices[0].text
    text = "".join(
        chunk.choices[0].text for chunk in client.completions.create(**arguments, stream=True)
    )
    assert text == whole


@check
def what_is_not_supported_is_refused_by_name(client, model):
    for field, value in [
        ("logit_bias", {"50256": -100}),
        ("frequency_penalty", 0.5),
        ("parallel_tool_calls", False),
        ("temperature", -1),
        ("n", 1000),
    ]:
        error = refusal(openai.BadRequestError, client=client, model=model, messages=QUESTION,
                        **{field: value})
        assert error.param == field, (field, error)
    refusal(openai.NotFoundError, client=client, model="gpt-4o", messages=QUESTION)


@check
def a_wrong_key_is_refused(client, model):
    stranger = openai.OpenAI(base_url=client.base_url, api_key="wrong", max_retries=0)
    refusal(openai.AuthenticationError, client=stranger, model=model, messages=QUESTION)


def main():
    binary, model = sys.argv[1:3]
    failures = 0
    with ServedModel(binary, model, "--api-key-env", "CHECK_KEY", env={"CHECK_KEY": "s3cret"}) as served:
        client = openai.OpenAI(base_url=served.url, api_key="s3cret", max_retries=0, timeout=300)
        for function in CHECKS:
            name = function.__name__.replace("_", " ")
            try:
                note = function(client, served.name)
                print(f"ok      {name}" + (f" ({note})" if note else ""), flush=True)
            except Exception as error:
                failures += 1
                print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
        code = served.stop()
        if code != 143:
            failures += 1
            print(f"FAILED  the server ended with {code} after SIGTERM")
    sys.exit(failures)


if __name__ == "__main__":
    main()
