/* chain_model.c: writes the files of a chain model without heed's own writers (chain_model.h). */
#include "support/chain_model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HEADS = 2, HEAD = 4, D_FF = 8 };

static const char *const special_texts[] = {"<|bos|>", "<|end|>", "<|eot|>", "<|pad|>"};

/* Opens a file of the model for writing. Returns NULL after a message. */
static FILE *open_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) fprintf(stderr, "chain_model: cannot write %s: %s\n", path, strerror(errno));
    return file;
}

/* Closes a file. Returns false after a message if anything could not be written. */
static bool close_file(FILE *file, const char *name)
{
    bool failed = ferror(file) != 0;
    failed |= fclose(file) != 0;
    if (failed) fprintf(stderr, "chain_model: cannot write %s: %s\n", name, strerror(errno));
    return !failed;
}

/* Writes a text as a JSON string. */
static void put_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < 0x20) fprintf(file, "\\u%04x", (unsigned)*text);
        else fputc(*text, file);
    }
    fputc('"', file);
}

/* ---- config.json ---- */

static void put_eos(FILE *file, const char *eos)
{
    if (!eos) eos = "257";
    bool several = strchr(eos, ',') != NULL;
    if (strcmp(eos, "none") == 0) fputs("null", file);
    else fprintf(file, several ? "[%s]" : "%s", eos);
}

static bool write_config(const char *folder, const chain_model *model, int width)
{
    static const char name[] = "config.json";
    FILE *file = open_file(folder, name);
    if (!file) return false;
    fputs("{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\",\n", file);
    fprintf(file, " \"vocab_size\": %d, \"hidden_size\": %d, ", CHAIN_IDS, width);
    fprintf(file, "\"intermediate_size\": %d, \"num_hidden_layers\": 1,\n", D_FF);
    fprintf(file, " \"num_attention_heads\": %d, \"num_key_value_heads\": %d, ", HEADS, HEADS);
    fprintf(file, "\"head_dim\": %d,\n", HEAD);
    fprintf(file, " \"max_position_embeddings\": %d, ", model->context ? model->context : 256);
    fputs("\"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-06, \"rope_theta\": 10000.0,\n", file);
    fprintf(file, " \"tie_word_embeddings\": %s, ", model->tied ? "true" : "false");
    fprintf(file, "\"torch_dtype\": \"%s\",\n", model->bf16 ? "bfloat16" : "float32");
    fprintf(file, " \"bos_token_id\": %d, \"pad_token_id\": %d, ", CHAIN_BOS, CHAIN_PAD);
    fputs("\"eos_token_id\": ", file);
    put_eos(file, model->eos);
    if (model->config && *model->config) fprintf(file, ",\n %s", model->config);
    fputs("}\n", file);
    return close_file(file, name);
}

/* ---- model.safetensors ---- */

typedef struct weight {
    const char *name;
    int rows, columns; /* columns is 0 for a vector */
    float *values;     /* NULL: every value is `fill` */
    float fill;
} weight;

/* Returns the id that a symbol of a script stands for. */
static int id_of(char symbol)
{
    static const char symbols[] = "^$!~";
    const char *found = strchr(symbols, symbol);
    return found ? CHAIN_BOS + (int)(found - symbols) : (unsigned char)symbol;
}

/* Sets the weights of lm_head that make each symbol of the script follow the one before it. */
static void fill_head(float *head, int width, const char *script)
{
    for (size_t i = 0; script[0] && script[i + 1]; i++)
        head[(size_t)id_of(script[i + 1]) * (size_t)width + (size_t)id_of(script[i])] = 5;
}

/* Returns the number of elements. */
static size_t count_of(const weight *w)
{
    return (size_t)w->rows * (size_t)(w->columns ? w->columns : 1);
}

static void put_weight(FILE *file, const weight *w, bool bf16)
{
    for (size_t i = 0; i < count_of(w); i++) {
        float value = w->values ? w->values[i] : w->fill;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (bf16) bits >>= 16;
        for (int byte = 0; byte < (bf16 ? 2 : 4); byte++)
            fputc((int)(bits >> 8 * byte & 255), file);
    }
}

/* Writes the header's entry of a weight whose bytes start at `begin`. Returns its length. */
static int put_entry(char *to, size_t room, const weight *w, size_t begin, bool bf16)
{
    char shape[64];
    size_t end = begin + count_of(w) * (bf16 ? 2 : 4);
    if (w->columns) snprintf(shape, sizeof shape, "%d, %d", w->rows, w->columns);
    else snprintf(shape, sizeof shape, "%d", w->rows);
    return snprintf(to, room,
                    ", \"%s\": {\"dtype\": \"%s\", \"shape\": [%s], "
                    "\"data_offsets\": [%zu, %zu]}",
                    w->name, bf16 ? "BF16" : "F32", shape, begin, end);
}

static bool put_weights(const char *folder, const weight *weights, size_t count, bool bf16)
{
    static const char name[] = "model.safetensors";
    char header[4096] = "{\"__metadata__\": {\"format\": \"pt\"}";
    size_t length = strlen(header), begin = 0;
    for (size_t i = 0; i < count; i++) {
        length += (size_t)put_entry(header + length, sizeof header - length, &weights[i], begin,
                                    bf16);
        begin += count_of(&weights[i]) * (bf16 ? 2 : 4);
    }
    header[length++] = '}';
    while (length % 8) header[length++] = ' ';
    FILE *file = open_file(folder, name);
    if (!file) return false;
    for (int byte = 0; byte < 8; byte++) fputc((int)((uint64_t)length >> 8 * byte & 255), file);
    fwrite(header, 1, length, file);
    for (size_t i = 0; i < count; i++) put_weight(file, &weights[i], bf16);
    return close_file(file, name);
}

static bool write_weights(const char *folder, const chain_model *model, int width)
{
    static const char *const usual[] = {"ABC!XYZ$"};
    const char *const *scripts = model->scripts ? model->scripts : usual;
    size_t script_count = model->scripts ? model->script_count : 1;
    float *embedding = calloc((size_t)CHAIN_IDS * (size_t)width, sizeof *embedding);
    float *head = calloc((size_t)CHAIN_IDS * (size_t)width, sizeof *head);
    bool ok = embedding && head;
    if (!ok) fputs("chain_model: memory is out\n", stderr);
    for (int i = 0; ok && i < CHAIN_IDS; i++) embedding[(size_t)i * (size_t)width + (size_t)i] = 1;
    for (size_t i = 0; ok && i < script_count; i++) fill_head(head, width, scripts[i]);
    const weight weights[] = {
        {"model.embed_tokens.weight", CHAIN_IDS, width, embedding, 0},
        {"model.layers.0.input_layernorm.weight", width, 0, NULL, 1},
        {"model.layers.0.self_attn.q_proj.weight", HEADS * HEAD, width, NULL, 0},
        {"model.layers.0.self_attn.k_proj.weight", HEADS * HEAD, width, NULL, 0},
        {"model.layers.0.self_attn.v_proj.weight", HEADS * HEAD, width, NULL, 0},
        {"model.layers.0.self_attn.o_proj.weight", width, HEADS * HEAD, NULL, 0},
        {"model.layers.0.post_attention_layernorm.weight", width, 0, NULL, 1},
        {"model.layers.0.mlp.gate_proj.weight", D_FF, width, NULL, 0},
        {"model.layers.0.mlp.up_proj.weight", D_FF, width, NULL, 0},
        {"model.layers.0.mlp.down_proj.weight", width, D_FF, NULL, 0},
        {"model.norm.weight", width, 0, NULL, 1},
        {"lm_head.weight", CHAIN_IDS, width, head, 0},
    };
    ok = ok && put_weights(folder, weights, sizeof weights / sizeof *weights, model->bf16);
    free(embedding);
    free(head);
    return ok;
}

/* ---- tokenizer ---- */

/* Returns the printable character that byte-level vocabularies write for a byte. */
static unsigned character_of(int byte)
{
    unsigned next = 256;
    for (int b = 0; b < 256; b++) {
        bool itself = (b > 32 && b < 127) || (b > 160 && b != 173);
        if (b == byte) return itself ? (unsigned)b : next;
        next += !itself;
    }
    return next;
}

static void put_added_tokens(FILE *file)
{
    for (int i = 0; i < CHAIN_IDS - CHAIN_BOS; i++)
        fprintf(file,
                "%s\n  {\"id\": %d, \"content\": \"%s\", \"single_word\": false, "
                "\"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}",
                i ? "," : "", CHAIN_BOS + i, special_texts[i]);
}

static void put_post_processor(FILE *file, bool add_bos)
{
    static const char level[] = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                                "\"trim_offsets\": true, \"use_regex\": true}";
    fprintf(file, " \"pre_tokenizer\": %s,\n \"decoder\": %s,\n \"post_processor\": ", level,
            level);
    if (!add_bos) {
        fputs("null,\n", file);
        return;
    }
    static const char sequence[] = "{\"Sequence\": {\"id\": \"%c\", \"type_id\": 0}}";
    static const char bos[] = "{\"SpecialToken\": {\"id\": \"<|bos|>\", \"type_id\": 0}}";
    fprintf(file, "{\"type\": \"TemplateProcessing\", \"single\": [%s, ", bos);
    fprintf(file, sequence, 'A');
    fprintf(file, "], \"pair\": [%s, ", bos);
    fprintf(file, sequence, 'A');
    fputs(", ", file);
    fprintf(file, sequence, 'B');
    fprintf(file,
            "], \"special_tokens\": {\"<|bos|>\": {\"id\": \"<|bos|>\", \"ids\": [%d], "
            "\"tokens\": [\"<|bos|>\"]}}},\n",
            CHAIN_BOS);
}

static bool write_tokenizer(const char *folder, const chain_model *model)
{
    static const char name[] = "tokenizer.json";
    FILE *file = open_file(folder, name);
    if (!file) return false;
    fputs("{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [",
          file);
    put_added_tokens(file);
    fputs("],\n \"normalizer\": null,\n", file);
    put_post_processor(file, model->add_bos);
    fputs(" \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
          "\"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, "
          "\"fuse_unk\": false, \"byte_fallback\": false, \"merges\": [], \"vocab\": {",
          file);
    for (int byte = 0; byte < 256; byte++)
        fprintf(file, "%s\"\\u%04x\": %d", byte ? ", " : "", character_of(byte), byte);
    for (int i = 0; i < CHAIN_IDS - CHAIN_BOS; i++)
        fprintf(file, ", \"%s\": %d", special_texts[i], CHAIN_BOS + i);
    fputs("}}}\n", file);
    return close_file(file, name);
}

static bool write_tokenizer_config(const char *folder, const chain_model *model)
{
    static const char name[] = "tokenizer_config.json";
    FILE *file = open_file(folder, name);
    if (!file) return false;
    fputs("{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"bos_token\": \"<|bos|>\",\n"
          " \"eos_token\": \"<|end|>\", \"pad_token\": \"<|pad|>\",\n"
          " \"clean_up_tokenization_spaces\": false",
          file);
    if (model->template) {
        fputs(",\n \"chat_template\": ", file);
        put_string(file, model->template);
    }
    if (model->tokenizer_config && *model->tokenizer_config)
        fprintf(file, ",\n %s", model->tokenizer_config);
    fputs("}\n", file);
    return close_file(file, name);
}

static bool write_generation(const char *folder, const char *text)
{
    static const char name[] = "generation_config.json";
    FILE *file = open_file(folder, name);
    if (!file) return false;
    fputs(text, file);
    return close_file(file, name);
}

bool chain_model_write(const char *folder, const chain_model *model)
{
    int width = model->width ? model->width : CHAIN_IDS;
    if (width < CHAIN_IDS) {
        fprintf(stderr, "chain_model: the width is %d, expected at least %d\n", width, CHAIN_IDS);
        return false;
    }
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "chain_model: cannot make %s: %s\n", folder, strerror(errno));
        return false;
    }
    bool ok = write_config(folder, model, width) && write_weights(folder, model, width);
    if (ok && !model->without_tokenizer)
        ok = write_tokenizer(folder, model) && write_tokenizer_config(folder, model);
    if (ok && model->generation) ok = write_generation(folder, model->generation);
    return ok;
}
