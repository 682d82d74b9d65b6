"""lm-evaluation-harness over `trialwright serve`, and the same numbers another way.

    python3 tests/reference/check_lm_eval.py build/release/trialwright MODEL

Needs the package `lm-eval` with what its local-completions model needs. The task lies beside this
script, so nothing is downloaded. Each choice's log-likelihood that the harness computed from
`/v1/completions` must equal what a prompt with `echo` gives when it is asked for alone, to the last
digit that JSON holds. Prints the scores; the exit code is 0 if all agree.
"""

import json
import os
import pathlib
import sys
import tempfile
import urllib.request

os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import lm_eval
from lm_eval.tasks import TaskManager

from served_model import ServedModel

HERE = pathlib.Path(__file__).resolve().parent / "lm_eval_task"


def post(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def loglikelihood(served, context, continuation):
    """The sum over the continuation's tokens, which are those beyond the context's own."""
    count = lambda text: post(served.root + "/tokenize", {"prompt": text})["count"]
    logprobs = post(
        served.url + "/completions",
        {"model": served.name, "prompt": context + continuation, "max_tokens": 0, "echo": True,
         "logprobs": 0},
    )["choices"][0]["logprobs"]["token_logprobs"]
    return sum(logprobs[count(context):])


def main():
    binary, model = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder, ServedModel(binary, model, "--quiet") as served:
        task = (HERE / "capitals.yaml").read_text()
        task = task.replace("QUESTIONS", str(HERE / "capitals.jsonl"))
        pathlib.Path(folder, "capitals.yaml").write_text(task)
        results = lm_eval.simple_evaluate(
            model="local-completions",
            model_args={
                "model": served.name,
                "base_url": served.url + "/completions",
                "tokenizer_backend": "remote",
                "num_concurrent": 4,
            },
            tasks=["trialwright_capitals"],
            task_manager=TaskManager(include_path=folder, include_defaults=False),
            log_samples=True,
            bootstrap_iters=0,
        )
        wrong = 0
        compared = 0
        for sample in results["samples"]["trialwright_capitals"]:
            for (context, continuation), (value, _) in zip(
                [request if isinstance(request, (list, tuple)) else tuple(request.values())
                 for request in sample["arguments"]],
                sample["filtered_resps"],
            ):
                compared += 1
                ours = loglikelihood(served, context, continuation)
                if abs(ours - float(value)) > 1e-9:
                    wrong += 1
                    print(f"differs: {continuation!r}: {value} there, {ours} here")
        print(json.dumps(results["results"]["trialwright_capitals"], default=str))
        print(f"{compared} log-likelihoods compared, {wrong} differ")
        served.stop()
    sys.exit(1 if wrong or not compared else 0)


if __name__ == "__main__":
    main()
