/* chain_model.h: writes a model whose next token depends on the last token alone.

   The model is a llama of one layer. Its attention and its feed-forward block add zero, its norms
   scale by one, and row a of its embedding is the unit vector a. For each pair (a, b) of
   neighbors in a script, lm_head[b][a] is 5 and everything else is 0, so the most likely token
   after a is b. After a token that no script mentions, all logits are 0.

   There are 260 ids: the bytes 0 to 255, 256 `<|bos|>`, 257 `<|end|>`, 258 `<|eot|>` and
   259 `<|pad|>`. In a script each byte stands for itself, except that `^`, `$`, `!` and `~` stand
   for 256 to 259. With the default script "ABC!XYZ$", the model writes B, C and 258 after A, and if
   258 does not end the text, X, Y, Z and 257. */
#ifndef HEED_TESTS_CHAIN_MODEL_H
#define HEED_TESTS_CHAIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

enum { CHAIN_BOS = 256, CHAIN_END, CHAIN_EOT, CHAIN_PAD, CHAIN_IDS };

/* What is written. A member that is NULL or 0 takes the default that its comment names. */
typedef struct chain_model {
    const char *const *scripts; /* (script_count) default: {"ABC!XYZ$"} */
    size_t script_count;        /* 0 if `scripts` is NULL */
    const char *eos;            /* ids separated by commas; "none": null; default: "257" */
    /* more members of config.json, such as "\"top_k\": 3". They come last and so replace members of
       the same names. Default: none. */
    const char *config;
    const char *generation;       /* text of generation_config.json; default: no such file */
    const char *tokenizer_config; /* more members of tokenizer_config.json; default: none */
    const char *template;         /* chat template in tokenizer_config.json; default: none */
    int width;                    /* d_model, at least 260, the default; 512 fits all qblocks */
    int context;                  /* max_position_embeddings; default: 256 */
    bool bf16;                    /* weights in bf16 instead of f32; both hold them exactly */
    bool tied;                    /* config.json ties the embeddings; lm_head is in the file too */
    bool add_bos;                 /* the tokenizer puts <|bos|> before a text */
    bool without_tokenizer;
} chain_model;

/* Writes config.json, model.safetensors, tokenizer.json, tokenizer_config.json and, if its text is
   given, generation_config.json into `folder`, which is made if it does not exist. Returns false
   after a message to stderr if a file cannot be written. */
bool chain_model_write(const char *folder, const chain_model *model);

#endif
