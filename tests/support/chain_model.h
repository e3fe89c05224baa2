/* chain_model.h: writes a model whose next token depends on the last token alone.

   The model is a llama of one layer. Its attention and its feed-forward block add zero, its norms
   scale by one, and row a of its embedding is the unit vector a. For each pair (a, b) of
   neighbors in a script, lm_head[b][a] is 5 and everything else is 0, so the most likely token
   after a is b. After a token that no script mentions, all logits are 0.

   There are 260 ids: the bytes 0 to 255, 256 `<|bos|>`, 257 `<|end|>`, 258 `<|eot|>` and
   259 `<|pad|>`. In a script each byte stands for itself, except that `^`, `$`, `!` and `~` stand
   for 256 to 259. The default script "ABC!XYZ$" says B, C, 258 after A, and goes on with
   X, Y, Z, 257 unless 258 stops it. */
#ifndef HEED_TESTS_CHAIN_MODEL_H
#define HEED_TESTS_CHAIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

enum { CHAIN_BOS = 256, CHAIN_END, CHAIN_EOT, CHAIN_PAD, CHAIN_IDS };

/* A member that is NULL or 0 takes the default that its comment names. */
typedef struct chain_model {
    const char *const *scripts;   /* {"ABC!XYZ$"} */
    size_t script_count;          /* 0 with scripts == NULL */
    const char *eos;              /* ids with commas between; "257". "none" writes null. */
    const char *config;           /* more members of config.json: "\"top_k\": 3"; none. They stand
                                   last, so they replace the members of the same names. */
    const char *generation;       /* the text of generation_config.json; no such file */
    const char *tokenizer_config; /* more members of tokenizer_config.json; none */
    const char *template;         /* the chat template in tokenizer_config.json; none */
    int width;                    /* d_model, at least 260; 260 (512 fits every quantized type) */
    int context;                  /* max_position_embeddings; 256 */
    bool bf16;                    /* weights in bf16 instead of f32; both hold them exactly */
    bool tied;                    /* ask for tied embeddings; lm_head stays in the file */
    bool add_bos;                 /* the tokenizer puts <|bos|> before a text */
    bool without_tokenizer;
} chain_model;

/* Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json (and
   generation_config.json) into `folder`, which is made if it does not exist. Returns false after
   a message to stderr when a file cannot be written. */
bool chain_model_write(const char *folder, const chain_model *model);

#endif
