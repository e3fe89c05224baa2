#!/usr/bin/env python3
"""Every encoder and encoder-decoder family with options and heads drawn at random, against
transformers: outputs, loss, all gradients, and the ids of greedy and beam search.

    python3 tools/oracle/check_encoders.py [--heed build/release/heed] [--only FAMILY]
        [--head HEAD] [--count 8] [--seed 1] [--isa generic avx2 avx512 reference]

COUNT models of each family. A family is one row of FAMILIES: its class stem, its heads and a
function that draws settings; a head is one row of HEADS: a function that draws its settings and
its labels. Outputs are compared as check_forward.py compares them. Ids: where the two part, the
two best scores of transformers have to lie within 1e-4 of each other. Needs torch, transformers
and safetensors."""
import argparse, json, random, subprocess, sys, tempfile
import torch, transformers
import check_forward as forward

# ---- settings of each family ----


def sizes(rng):
    """Numbers that every family draws: heads, head width, layers, width of the feed-forward ..."""
    pick = rng.choice
    return dict(H=pick([1, 2, 4, 6]), E=pick([4, 8, 16, 32]), L=pick([1, 2, 3]),
                F=pick([5, 16, 40, 64]), V=pick([61, 131, 300]), T=pick([3, 17, 40, 66]),
                eps=pick([1e-3, 1e-5]), activation=pick(["gelu", "gelu_new", "relu",
                                                         "silu"]), tie=rng.random() < .6)


def bert_like(rng, s, **more):
    settings = dict(vocab_size=s["V"], hidden_size=s["H"] * s["E"], num_hidden_layers=s["L"],
                    num_attention_heads=s["H"], intermediate_size=s["F"],
                    hidden_act=s["activation"],
                    max_position_embeddings=s["T"] + rng.choice([4, 90]),
                    type_vocab_size=rng.choice([1, 2, 3]), layer_norm_eps=s["eps"], pad_token_id=0,
                    hidden_dropout_prob=0., attention_probs_dropout_prob=0.,
                    tie_word_embeddings=s["tie"])
    return dict(settings, **more)


def albert(rng, s):
    groups = rng.choice([g for g in (1, 2, 3) if g <= s["L"]])
    return bert_like(rng, s, embedding_size=rng.choice([6, 16,
                                                        s["H"] * s["E"]]), num_hidden_groups=groups,
                     inner_group_num=rng.choice([1, 1, 2]), classifier_dropout_prob=0.)


def electra(rng, s):
    return bert_like(rng, s, embedding_size=rng.choice([6, 16, s["H"] * s["E"]]),
                     summary_last_dropout=0.)


def roberta(rng, s):
    pad = rng.choice([0, 1, 2])
    return bert_like(rng, s, pad_token_id=pad,
                     max_position_embeddings=s["T"] + pad + 1 + rng.choice([0, 50]))


def distilbert(rng, s):
    return dict(vocab_size=s["V"], max_position_embeddings=s["T"] + rng.choice([0, 50]),
                sinusoidal_pos_embds=rng.random() < .3, n_layers=s["L"], n_heads=s["H"],
                dim=s["H"] * s["E"], hidden_dim=s["F"], dropout=0., attention_dropout=0.,
                activation=rng.choice(["gelu", "relu"]), qa_dropout=0., seq_classif_dropout=0.,
                pad_token_id=0, tie_word_embeddings=s["tie"])


def esm(rng, s):
    E = max(4, s["E"])
    return dict(vocab_size=s["V"], mask_token_id=3, pad_token_id=1, hidden_size=s["H"] * E,
                num_hidden_layers=s["L"], num_attention_heads=s["H"], intermediate_size=s["F"],
                max_position_embeddings=s["T"] + 2 + rng.choice([0, 50]), layer_norm_eps=s["eps"],
                position_embedding_type=rng.choice(["rotary", "absolute"]),
                emb_layer_norm_before=rng.choice([None, True, False]), token_dropout=rng.random()
                < .6, hidden_dropout_prob=0., attention_probs_dropout_prob=0.,
                tie_word_embeddings=s["tie"])


def modernbert(rng, s):
    pick, flag = rng.choice, lambda: rng.random() < .5
    kinds = [pick(["full_attention", "sliding_attention"]) for _ in range(s["L"])]
    theta = lambda: {"rope_type": "default", "rope_theta": pick([50., 1e4, 160000.])}
    return dict(vocab_size=s["V"], hidden_size=s["H"] * s["E"], intermediate_size=s["F"],
                num_hidden_layers=s["L"], num_attention_heads=s["H"],
                hidden_activation=s["activation"], max_position_embeddings=s["T"] + 20,
                norm_eps=s["eps"], norm_bias=flag(), pad_token_id=0, bos_token_id=1, eos_token_id=2,
                cls_token_id=1, sep_token_id=2, attention_bias=flag(), layer_types=kinds,
                rope_parameters={"full_attention": theta(), "sliding_attention": theta()
                                 }, local_attention=pick([2, 8, 9, 128]), mlp_bias=flag(),
                decoder_bias=flag(), classifier_pooling=pick(["cls",
                                                              "mean"]), classifier_bias=flag(),
                classifier_activation=pick(["gelu", "relu", "tanh"]), tie_word_embeddings=s["tie"])


def bart_like(rng, s, **more):
    settings = dict(vocab_size=s["V"], max_position_embeddings=s["T"] + rng.choice([2, 60]),
                    d_model=s["H"] * s["E"], encoder_layers=s["L"],
                    decoder_layers=rng.choice([1,
                                               2]), encoder_attention_heads=rng.choice([s["H"], 1]),
                    decoder_attention_heads=rng.choice([s["H"], 1]), encoder_ffn_dim=s["F"],
                    decoder_ffn_dim=rng.choice([3, 40]), activation_function=s["activation"],
                    scale_embedding=rng.random() < .5, dropout=0., attention_dropout=0.,
                    activation_dropout=0., pad_token_id=1, bos_token_id=0, eos_token_id=2,
                    decoder_start_token_id=2, forced_eos_token_id=None,
                    tie_word_embeddings=s["tie"])
    return dict(settings, **more)


def marian(rng, s):
    return bart_like(rng, s, activation_function=rng.choice(["swish", "relu"]),
                     decoder_vocab_size=s["V"], share_encoder_decoder_embeddings=True)


def mbart(rng, s):
    return bart_like(rng, s, decoder_start_token_id=None)


def fsmt(rng, s):
    settings = bart_like(rng, s, src_vocab_size=s["V"], tgt_vocab_size=rng.choice([s["V"], 77]),
                         langs=["en", "de"], tie_word_embeddings=False,
                         activation_function=rng.choice(["relu", "gelu"]))
    settings.pop("vocab_size")
    return settings


# ---- heads: settings, inputs with labels ----


def some(rng, labels, share, number):
    """Labels of which a share is not scored."""
    g = torch.Generator().manual_seed(number + 3)
    return torch.where(torch.rand(labels.shape, generator=g) < share, -100, labels)


def seen(inputs, labels):
    mask = inputs.get("attention_mask")
    return labels if mask is None else torch.where(mask == 0, -100, labels)


def words(rng, settings, inputs, number):
    return {}, dict(inputs, labels=some(rng, seen(inputs, inputs["input_ids"]), .4, number))


def causal(rng, settings, inputs, number):
    return dict(is_decoder=True), dict(inputs, labels=seen(inputs, inputs["input_ids"]))


def classes(rng, settings, inputs, number):
    B, count = inputs["input_ids"].shape[0], rng.choice([1, 2, 5])
    if "encoder_layers" in settings and count == 2:
        count = 3  # two labels are lost when BartConfig is saved, and read as three
    g = torch.Generator().manual_seed(number + 9)
    kind = rng.choice(["single", "multi", "numbers"]) if count > 1 else "numbers"
    if kind == "single":
        return dict(num_labels=count), dict(inputs, labels=torch.arange(B) % count)
    if kind == "multi":
        return dict(num_labels=count), dict(inputs, labels=(torch.rand(B, count, generator=g)
                                                            < .5).float())
    return dict(num_labels=count, problem_type="regression"), dict(
        inputs, labels=torch.randn(B, count, generator=g).squeeze(1))


def tags(rng, settings, inputs, number):
    labels = seen(inputs, inputs["input_ids"])
    return dict(num_labels=4), dict(inputs, labels=torch.where(labels < 0, -100, labels % 4))


def span(rng, settings, inputs, number):
    B, T = inputs["input_ids"].shape
    return {}, dict(inputs, start_positions=torch.arange(B) % (T + 1),
                    end_positions=torch.arange(B) * 3 % (T + 2))


def choice(rng, settings, inputs, number):
    C = rng.choice([1, 2, 3])
    B = inputs["input_ids"].shape[0]
    inputs = {
        k: v[:, None].repeat(1, C, *[1] * (v.dim() - 1)).roll(1, -1)
        if k == "input_ids" else v[:, None].repeat(1, C, *[1] * (v.dim() - 1))
        for k, v in inputs.items() if k != "position_ids"
    }
    for c in range(C):  # the choices differ
        inputs["input_ids"][:, c] = inputs["input_ids"][:, c].roll(c, -1)
    return {}, dict(inputs, labels=torch.arange(B) % C)


def order(rng, settings, inputs, number):
    return {}, dict(
        words(rng, settings, inputs, number)[1],
        sentence_order_label=torch.arange(inputs["input_ids"].shape[0]) % 2)


def replaced(rng, settings, inputs, number):
    return {}, dict(inputs, labels=(inputs["input_ids"] % 2).long())


def bare(rng, settings, inputs, number):
    B, T = inputs["input_ids"].shape
    g = torch.Generator().manual_seed(number + 5)
    D = settings.get("hidden_size") or settings.get("dim") or settings["d_model"]
    mask = inputs.get("attention_mask")
    if "d_model" in settings:  # the target is as long as the source and all of it is seen
        inputs = dict(inputs, decoder_input_ids=inputs["input_ids"].flip(1))
        mask = None
    weight = torch.ones(B, T) if mask is None else mask.float()
    return {}, dict(
        inputs,
        **{"cotangent.last_hidden_state": torch.randn(B, T, D, generator=g) * weight[..., None]})


def sequence(rng, settings, inputs, number):
    B = inputs["input_ids"].shape[0]
    V, S = settings.get("tgt_vocab_size") or settings["vocab_size"], rng.choice([1, 4, 33])
    S = min(S, settings["max_position_embeddings"])
    y = forward.ids(V, B, S, seed=number + 1)
    labels = some(rng, y, .2, number)
    labels[:, 0] = y[:, 0]  # the start of mBART's target is its last label
    if "tgt_vocab_size" not in settings:
        return {}, dict(inputs, labels=labels)
    shifted = torch.cat([torch.full((B, 1), settings["decoder_start_token_id"]), y[:, :-1]], 1)
    return {}, dict(inputs, labels=labels, decoder_input_ids=shifted)  # FSMT shifts no labels


HEADS = {
    "ForMaskedLM": words, "ForCausalLM": causal, "ForSequenceClassification": classes,
    "ForTokenClassification": tags, "ForQuestionAnswering": span, "ForMultipleChoice": choice,
    "ForPreTraining": order, "Discriminator": replaced, "Model": bare,
    "ForConditionalGeneration": sequence
}
TASKS = ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"]
ENCODER = ["ForMaskedLM", *TASKS, "ForMultipleChoice", "Model"]
BART = [
    "ForConditionalGeneration", "ForConditionalGeneration", "ForSequenceClassification",
    "ForQuestionAnswering", "ForCausalLM", "Model"
]
FAMILIES = {  # class stem, heads, settings, whether token types are given
    "bert": ("Bert", ENCODER, bert_like, True),
    "albert": ("Albert", [*ENCODER, "ForPreTraining"], albert, True),
    "electra": ("Electra", [*ENCODER, "Discriminator", "ForCausalLM"], electra, True),
    "distilbert": ("DistilBert", ENCODER, distilbert, False),
    "roberta": ("Roberta", [*ENCODER, "ForCausalLM"], roberta, True),
    "bart": ("Bart", BART, bart_like, False),
    "mbart": ("MBart", BART, mbart, False),
    "marian": ("Marian", ["ForCausalLM", "Model"], marian, False),
    "fsmt": ("FSMT", ["ForConditionalGeneration"], fsmt, False),
    "esm": ("Esm", ["ForMaskedLM", *TASKS[:2], "Model"], esm, False),
    "modernbert": ("ModernBert", ENCODER, modernbert, False),
}


def first_inputs(rng, family, settings, s, number):
    """ids, mask, token types, positions: what the encoder reads."""
    B, T = rng.choice([1, 2, 3]), s["T"]
    V = settings.get("src_vocab_size") or settings["vocab_size"]
    x = forward.ids(V, B, T, seed=number, low=4)
    mask = forward.drawn_mask(rng, B, T)
    inputs = dict(input_ids=x)
    if mask is not None:
        inputs["attention_mask"] = mask
        if rng.random() < .7:  # padding tokens where nothing is seen
            inputs["input_ids"] = torch.where(mask == 0, settings["pad_token_id"], x)
    if family == "esm" and rng.random() < .7:  # masked residues
        g = torch.Generator().manual_seed(number + 1)
        masked = (torch.rand(B, T, generator=g) < .2) & (inputs["input_ids"] >= 4)
        seen = torch.full((B,), T) if mask is None else mask.sum(1)
        masked[masked.sum(1) == seen] = False  # transformers divides by the share of others
        inputs["input_ids"] = torch.where(masked, 3, inputs["input_ids"])
    if FAMILIES[family][3] and rng.random() < .7:
        inputs["token_type_ids"] = forward.ids(settings["type_vocab_size"], B, T, seed=number + 5,
                                               low=0)
    return inputs


def draw(rng, family, number, head):
    """A class, its configuration and inputs with labels."""
    stem, heads, settings_of, _ = FAMILIES[family]
    s = sizes(rng)
    settings = settings_of(rng, s)
    head = rng.choice([h for h in heads if head in ("", h)])
    inputs = first_inputs(rng, family, settings, s, number)
    if stem in ("Bart", "MBart") and head == "ForSequenceClassification":
        x = torch.where(inputs["input_ids"] == 2, 4, inputs["input_ids"])
        inputs.pop("attention_mask", None)
        x[:, -1] = 2  # every text ends with eos, whose row is classified
        inputs["input_ids"] = torch.where(x == 1, 5, x)
    more, inputs = HEADS[head](rng, settings, inputs, number)
    if "is_decoder" in more and stem in ("Bart", "MBart", "Marian"):
        more = {}  # the class sets it
    config = getattr(transformers, stem + "Config")(**dict(settings, **more))
    cls = stem + {"Discriminator": "ForPreTraining"}.get(head, head)
    return cls, config, inputs, settings


def searched(heed, folder, model, inputs, beams):
    """Both search; None, or what differs."""
    source = inputs["input_ids"][:1]
    config = model.config
    if source.shape[1] == 0:
        return None
    start = config.decoder_start_token_id
    start = config.bos_token_id if start is None else start
    with torch.no_grad():
        out = model.float().generate(
            source, attention_mask=torch.ones_like(source), do_sample=False, num_beams=beams,
            max_new_tokens=min(12,
                               config.max_position_embeddings - 1), decoder_start_token_id=start,
            eos_token_id=2, pad_token_id=1, forced_eos_token_id=None, early_stopping=False,
            length_penalty=1., return_dict_in_generate=True, output_scores=True)
    want = out.sequences[0].tolist()[1:]
    command = [
        heed, "generate", "-m", folder, "--prompt-ids", ",".join(map(str, source[0].tolist())),
        "-n",
        str(min(12, config.max_position_embeddings - 1)), "--temp", "0", "--ids"
    ]
    command += ["--beams", str(beams)]  # FSMT searches with five by itself
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return f"heed generate answers {done.returncode}: {done.stderr.strip()}"
    got = json.loads(done.stdout)
    trim = lambda ids: ids[:ids.index(2)] if 2 in ids else ids
    if trim(want) == trim(got):
        return None
    if beams == 1:
        for i, (a, b) in enumerate(zip(want, got)):
            if a != b and i < len(out.scores):
                gap = (out.scores[i][0, a] - out.scores[i][0, b]).item()
                return None if abs(gap) < 1e-4 else f"id {i} is {b}, expected {a}, {gap:.3g} apart"
    return f"beams {beams}: {got}, expected {want}"


def check(heed, family, number, rng, head, isas):
    cls, config, inputs, settings = draw(rng, family, number, head)
    model = forward.make(cls, config, number)
    if family == "fsmt":  # its positions depend on how much is cached once padding is written
        model.generation_config.bad_words_ids = [[config.pad_token_id]]
    seq2seq = "encoder_layers" in settings and not cls.endswith("CausalLM")
    with tempfile.TemporaryDirectory() as folder:
        problems = forward.check(heed, folder, f"{family} {number}", model, inputs, isas, seq2seq)
        if cls.endswith("ForConditionalGeneration") and not problems:
            wrong = [searched(heed, folder, model, inputs, beams) for beams in (1, 3)]
            problems += [w for w in wrong if w]
    return problems, settings, cls


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--only", default="")
    parser.add_argument("--head", default="")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--isa", nargs="*", default=[""])
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = total = 0
    for family in FAMILIES:
        if options.only not in ("", family):
            continue
        if options.head and options.head not in FAMILIES[family][1]:
            continue
        bad = 0
        for number in range(options.count):
            rng = random.Random(f"{family} {options.seed} {number}")
            problems, settings, cls = check(options.heed, family, options.seed * 1000 + number, rng,
                                            options.head, options.isa)
            bad += bool(problems)
            if problems:
                print(
                    f"FAILED {family} {options.seed}.{number} {cls}: {'; '.join(problems[:3])} "
                    f"({len(problems)})\n    {settings}", flush=True)
        total, failed = total + options.count, failed + bad
        print(f"{family}: {options.count - bad} of {options.count} agree", flush=True)
    return forward.summarize(failed, total)


if __name__ == "__main__":
    sys.exit(main())
