/* aliases.c: the tables of names from other programs (aliases.h). */
#include "aliases.h"

#include <string.h>

/* The first row whose option the command has counts. */
static const heed_cli_alias aliases[] = {
    /* a model and what it computes on */
    {"model-name-or-path", "model", NULL},
    {"model-path", "model", NULL},
    {"model-name-or-path", "init", NULL},
    {"model-path", "init", NULL},
    {"model", "init", NULL},
    {"ctx-size", "context", NULL},
    {"n-ctx", "context", NULL},
    {"max-seq-length", "context", NULL},
    {"max-model-len", "context", NULL},
    {"block-size", "context", NULL},
    {"n-threads", "threads", NULL},
    {"num-threads", "threads", NULL},
    /* the length of what is generated */
    {"max-new-tokens", "n", NULL},
    {"n-predict", "n", NULL},
    {"predict", "n", NULL},
    {"max-tokens", "n", NULL},
    {"max-new-tokens", "new-tokens", NULL},
    {"n-predict", "new-tokens", NULL},
    {"n-gen", "new-tokens", NULL},
    {"n-prompt", "prompt-tokens", NULL},
    {"n-depth", "depth", NULL},
    {"repetitions", "rounds", NULL},
    {"batch-size", "batch", NULL},
    /* how tokens are chosen */
    {"temperature", "temp", NULL},
    {"typical", "typical-p", NULL},
    {"repetition-penalty", "repeat-penalty", NULL},
    {"no-repeat-ngram-size", "no-repeat-ngram", NULL},
    {"num-beams", "beams", NULL},
    {"num-return-sequences", "num-return", NULL},
    {"reverse-prompt", "stop", NULL},
    {"stop-strings", "stop", NULL},
    {"system-prompt", "system", NULL},
    {"chat-template", "template", NULL},
    {"chat-template-file", "template", NULL},
    {"skip-special-tokens", "skip-special", NULL},
    /* files */
    {"output", "out", NULL},
    {"outfile", "out", NULL},
    {"output-dir", "out", NULL},
    {"outtype", "dtype", NULL},
    {"file", "text", NULL},
    {"train-file", "data", NULL},
    {"dataset", "data", NULL},
    {"validation-file", "valid", NULL},
    {"resume-from-checkpoint", "resume", NULL},
    /* training */
    {"lr", "learning-rate", NULL},
    {"epochs", "max-steps", "e"},
    {"num-epochs", "max-steps", "e"},
    {"num-train-epochs", "max-steps", "e"},
    {"steps", "max-steps", NULL},
    {"num-steps", "max-steps", NULL},
    {"max-iters", "max-steps", NULL},
    {"batch", "batch-size", NULL},
    {"per-device-train-batch-size", "batch-size", NULL},
    {"grad-accum", "gradient-accumulation-steps", NULL},
    {"lr-scheduler", "lr-scheduler-type", NULL},
    {"warmup", "warmup-steps", NULL},
    {"optim", "optimizer", NULL},
    {"grad-clip", "max-grad-norm", NULL},
    {"label-smoothing-factor", "label-smoothing", NULL},
    {"n-layer", "layers", NULL},
    {"num-hidden-layers", "layers", NULL},
    {"n-head", "heads", NULL},
    {"num-attention-heads", "heads", NULL},
    {"num-key-value-heads", "kv-heads", NULL},
    {"n-embd", "d-model", NULL},
    {"hidden-size", "d-model", NULL},
    {"intermediate-size", "d-ff", NULL},
};
enum { ALIASES = sizeof aliases / sizeof *aliases };

typedef struct {
    const char *word, *text;
} hint;

/* Options that have no counterpart of the same meaning. */
static const hint option_hints[] = {
    {"--do-sample", "--temp above 0 samples, --temp 0 does not"},
    {"--max-length", "--context is the length of a sequence, -n the number of new tokens"},
    {"--gpu-layers", "heed computes on the CPU"},
    {"--n-gpu-layers", "heed computes on the CPU"},
    {"-ngl", "heed computes on the CPU"},
    {"--device", "heed computes on the CPU"},
    {"--cache-type-k", "--cache f16 stores keys and values in that type"},
    {"--cache-type-v", "--cache f16 stores keys and values in that type"},
    {"--fp16", "--bf16 is the training in 16 bits"},
    {"--load-in-8bit", "--weights q8_0 quantizes when loading"},
    {"--load-in-4bit", "--weights q4_k quantizes when loading"},
    {"-sys", "--system TEXT is the system prompt"},
    {"-cnv", "heed chat -m MODEL holds a conversation"},
    {"--conversation", "heed chat -m MODEL holds a conversation"},
};

static const hint command_hints[] = {
    {"run", "heed chat -m MODEL holds a conversation, heed generate -m MODEL -p TEXT continues a "
            "text"},
    {"cli", "heed chat -m MODEL holds a conversation, heed generate -m MODEL -p TEXT continues a "
            "text"},
    {"quantize", "heed convert MODEL --out FILE.gguf --dtype q4_k quantizes a model"},
    {"perplexity", "heed eval -m MODEL --text FILE prints the perplexity of a text"},
    {"finetune", "heed train --init MODEL --data FILE --out RUN fine-tunes a model"},
    {"fine-tune", "heed train --init MODEL --data FILE --out RUN fine-tunes a model"},
    {"encode", "heed tokenize -m MODEL -p TEXT prints the ids of a text"},
    {"decode", "heed tokenize -m MODEL --jsonl FILE --decode turns ids into text"},
    {"pull", "hf download OWNER/MODEL downloads a model, and heed info OWNER/MODEL finds it then"},
    {"download",
     "hf download OWNER/MODEL downloads a model, and heed info OWNER/MODEL finds it then"},
};

bool heed_cli_name_matches(const char *known, const char *name, size_t length)
{
    if (strlen(known) != length) return false;
    for (size_t i = 0; i < length; i++) {
        bool hyphen = known[i] == '-' && name[i] == '_';
        if (known[i] != name[i] && !hyphen) return false;
    }
    return true;
}

/* Returns whether the command has the option `name`. */
static bool has_option(const heed_cli_command *command, const char *name)
{
    const heed_cli_option *o;
    for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));)
        if (o->kind != HEED_CLI_HEADING && !strcmp(o->name, name)) return true;
    return false;
}

const heed_cli_alias *heed_cli_alias_next(const heed_cli_command *command, size_t *at)
{
    while (*at < ALIASES) {
        const heed_cli_alias *alias = &aliases[(*at)++];
        bool taken = has_option(command, alias->spelling); /* heed's own option has that name */
        if (!taken && has_option(command, alias->name)) return alias;
    }
    return NULL;
}

const heed_cli_alias *heed_cli_alias_find(const heed_cli_command *command, const char *name,
                                          size_t length)
{
    const heed_cli_alias *alias;
    for (size_t at = 0; (alias = heed_cli_alias_next(command, &at));)
        if (heed_cli_name_matches(alias->spelling, name, length)) return alias;
    return NULL;
}

/* Returns the text for a word of `length` bytes, or NULL if the table has none. */
static const char *find_hint(const hint *table, size_t count, const char *word, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (heed_cli_name_matches(table[i].word, word, length)) return table[i].text;
    return NULL;
}

const char *heed_cli_option_hint(const char *word)
{
    return find_hint(option_hints, sizeof option_hints / sizeof *option_hints, word,
                     strcspn(word, "="));
}

const char *heed_cli_command_hint(const char *word)
{
    return find_hint(command_hints, sizeof command_hints / sizeof *command_hints, word,
                     strlen(word));
}
