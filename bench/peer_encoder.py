"""PyTorch or onnxruntime as one side of a comparison of encoders: a Worker (rounds.py) that
holds a BERT model folder.

    peer_encoder.py torch|onnxruntime FOLDER --threads 2 --batch B --shortest A --longest Z
    [--compiled] [--bfloat16] [--int8] [--made FOLDER]

A request {} answers with tokens per second (padding does not count) of passes that take at least
a tenth of a second; {"outputs": FILE} writes in.input_ids, in.attention_mask and
last_hidden_state to a safetensors file. Batches are those of `heed bench --batch B --lengths
A-Z`, padded to the longest. onnxruntime runs the graph that PyTorch exports, with --int8 after
its own dynamic quantization of all matmuls."""
import argparse, os, time
import numpy as np
import rounds


def batch_of(given, vocabulary):
    lengths = [given.longest] if given.batch < 2 else [
        given.shortest + i * (given.longest - given.shortest) // (given.batch - 1)
        for i in range(given.batch)
    ]
    mask = np.array([[1 if i < length else 0 for i in range(max(lengths))] for length in lengths],
                    dtype=np.int64)
    ids = np.array([(i * 7919 + 1) % vocabulary
                    for i in range(max(lengths))], dtype=np.int64)[None] * mask
    return ids, mask, sum(lengths)


def torch_model(given):
    import torch
    import transformers
    torch.set_num_threads(given.threads)
    dtype = torch.bfloat16 if given.bfloat16 else torch.float32
    return transformers.AutoModel.from_pretrained(given.folder, dtype=dtype,
                                                  attn_implementation="sdpa",
                                                  local_files_only=True).eval()


def torch_runner(given, ids, mask):
    import torch
    model = torch_model(given)
    run = torch.compile(model, dynamic=False) if given.compiled else model
    padded = None if mask.all() else torch.from_numpy(mask)
    inputs = dict(input_ids=torch.from_numpy(ids), attention_mask=padded)

    def forward():
        with torch.inference_mode():
            return run(**inputs).last_hidden_state

    return forward, lambda: forward().float().numpy()


def exported(given):
    """The model as ONNX, written once; quantized from that when asked for."""
    path = os.path.join(given.made, "encoder.onnx")
    os.makedirs(given.made, exist_ok=True)
    if not os.path.exists(path):
        import torch
        import transformers
        model = transformers.AutoModel.from_pretrained(given.folder, attn_implementation="eager",
                                                       local_files_only=True).eval()

        class Hidden(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, input_ids, attention_mask):
                return self.model(input_ids=input_ids,
                                  attention_mask=attention_mask).last_hidden_state

        axes = {0: torch.export.Dim("batch", max=4096), 1: torch.export.Dim("length", max=512)}
        ids, mask = torch.arange(16).reshape(2, 8), torch.ones(2, 8, dtype=torch.int64)
        torch.onnx.export(Hidden().eval(), (ids, mask), path,
                          input_names=["input_ids",
                                       "attention_mask"], output_names=["last_hidden_state"],
                          dynamic_shapes={"input_ids": axes, "attention_mask": axes}, dynamo=True)
    if not given.int8:
        return path
    small = os.path.join(given.made, "encoder-int8.onnx")
    if not os.path.exists(small):
        from onnxruntime.quantization import QuantType, quantize_dynamic
        quantize_dynamic(path, small, per_channel=True, weight_type=QuantType.QInt8)
    return small


def onnx_runner(given, ids, mask):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = given.threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(exported(given), options,
                                           providers=["CPUExecutionProvider"])
    inputs = {"input_ids": ids, "attention_mask": mask}
    forward = lambda: session.run(["last_hidden_state"], inputs)[0]
    return forward, forward


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("torch", "onnxruntime"))
    parser.add_argument("folder")
    for name, value in (("threads", 2), ("batch", 1), ("shortest", 32), ("longest", 32)):
        parser.add_argument(f"--{name}", type=int, default=value)
    for name in ("compiled", "bfloat16", "int8"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--made", default="build/compare")
    given = parser.parse_args()
    answers = rounds.answers_only()
    import json
    vocabulary = json.load(open(os.path.join(given.folder, "config.json")))["vocab_size"]
    ids, mask, tokens = batch_of(given, vocabulary)
    forward, outputs = (torch_runner if given.kind == "torch" else onnx_runner)(given, ids, mask)
    for _ in range(2):
        forward()

    def handle(outputs_file=None):
        if outputs_file:
            from safetensors.numpy import save_file
            save_file(
                {
                    "in.input_ids": ids, "in.attention_mask": mask,
                    "last_hidden_state": np.ascontiguousarray(outputs())
                }, outputs_file)
            return {}
        start, passes = time.perf_counter(), 0
        while passes == 0 or time.perf_counter() - start < 0.1:
            forward()
            passes += 1
        return {"rate": tokens * passes / (time.perf_counter() - start)}

    rounds.serve(handle, answers=answers)


if __name__ == "__main__":
    main()
