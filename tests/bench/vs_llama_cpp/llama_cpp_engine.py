"""llama.cpp by way of llama-cpp-python's low-level functions, so that only the model is timed."""

import time

import llama_cpp

CONTEXT_TOKENS = 2048
SHORT_PROMPT = 16
BATCH_TOKENS = 512


class LlamaCpp:
    """One model with room for a number of sequences; the same requests as engine_bench's."""

    def __init__(self, path, threads, sequences):
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = CONTEXT_TOKENS
        settings.n_batch = settings.n_ubatch = BATCH_TOKENS
        settings.n_seq_max = sequences
        settings.n_threads = settings.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        self.batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)

    def close(self):
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def put(self, index, token, position, sequence, wants_logits):
        self.batch.token[index] = token
        self.batch.pos[index] = position
        self.batch.n_seq_id[index] = 1
        self.batch.seq_id[index][0] = sequence
        self.batch.logits[index] = wants_logits

    def compute(self, tokens):
        """Computes the first so many places of the batch; returns the seconds."""
        self.batch.n_tokens = tokens
        start = time.perf_counter()
        if llama_cpp.llama_decode(self.context, self.batch) != 0:
            raise SystemExit("llama_decode failed")
        # Waits until the logits are there.
        llama_cpp.llama_get_logits_ith(self.context, tokens - 1)
        return time.perf_counter() - start

    def prompt(self, tokens, sequence):
        for i in range(tokens):
            self.put(i, (1009 * i + 17 + 4099 * sequence) % 40000, i, sequence, i + 1 == tokens)
        return self.compute(tokens)

    def decode(self, sequences, steps):
        """Each step computes one token of each sequence, as a server with so many users does."""
        for sequence in range(sequences):
            self.prompt(SHORT_PROMPT, sequence)
        seconds = 0
        for step in range(steps):
            for sequence in range(sequences):
                token = (733 * step + 4099 * sequence + 29) % 40000
                self.put(sequence, token, SHORT_PROMPT + step, sequence, True)
            seconds += self.compute(sequences)
        return sequences * steps / seconds

    def tokens_per_second(self, request):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        verb, *numbers = request.split()
        numbers = [int(number) for number in numbers]
        if verb == "prefill":
            return numbers[0] / self.prompt(numbers[0], 0)
        if verb == "decode":
            return self.decode(1, numbers[0])
        if verb == "together":
            return self.decode(*numbers)
        raise ValueError(request)
