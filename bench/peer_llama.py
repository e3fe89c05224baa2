"""llama.cpp as one side of a comparison: a Worker (rounds.py) that holds a GGUF file.

    peer_llama.py FILE.gguf --threads 2 --context 1024 [--flash-attention] [--depth N]

It answers {"prefill": P} with tokens per second of reading P tokens in batches of 512 after
`depth` tokens, {"decode": N, "prompt": P} with those of writing N single tokens after P,
{"logits": IDS} with the logits after IDS. Tokens are those of `heed bench`; logits are computed
for the last one alone."""
import argparse, ctypes, time
import numpy as np
import llama_cpp
import rounds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--flash-attention", action="store_true")
    parser.add_argument("--depth", type=int, default=0)
    given = parser.parse_args()
    answers = rounds.answers_only()
    model = llama_cpp.Llama(given.model, n_ctx=given.context, n_batch=512, n_ubatch=512,
                            n_threads=given.threads, n_threads_batch=given.threads,
                            flash_attn=given.flash_attention, verbose=False)
    context, vocabulary = model.ctx, model.n_vocab()
    memory = llama_cpp.llama_get_memory(context)
    ids = [(i * 7919 + 1) % vocabulary for i in range(given.context)]

    def read(tokens):
        """Tokens after those in the cache, in batches of 512; logits of the last one."""
        for at in range(0, len(tokens), 512):
            part = (ctypes.c_int32 * len(tokens[at:at + 512]))(*tokens[at:at + 512])
            if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(part, len(part))) != 0:
                raise RuntimeError("llama_decode failed")

    def rewind(length):
        if length == 0:
            llama_cpp.llama_memory_clear(memory, False)
        else:
            llama_cpp.llama_memory_seq_rm(memory, 0, length, -1)

    def handle(prefill=0, decode=0, prompt=0, logits=None):
        if logits:
            rewind(0)
            read(logits)
            values = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1),
                                           shape=(vocabulary, )).astype(float).tolist()
            rewind(0)
            return {"logits": values}
        length = prefill or prompt
        start = time.perf_counter()
        read(ids[given.depth:given.depth + length])
        middle = time.perf_counter()
        for i in range(decode):
            read(ids[given.depth + length + i:given.depth + length + i + 1])
        end = time.perf_counter()
        rewind(given.depth)
        return {
            "prefill": length / (middle - start), "decode": decode / (end - middle) if decode else 0
        }

    read(ids[:given.depth])
    rounds.serve(
        handle,
        {"version": llama_cpp.__version__, "system": llama_cpp.llama_print_system_info().decode()},
        answers)


if __name__ == "__main__":
    main()
