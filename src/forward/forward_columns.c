/* forward_columns.c: the columns of integers that have one number a token, and their ranges. */
#include "forward/forward_internal.h"

/* ---- token ids ---- */

static bool has_ids(const heed_forward_stack *stack)
{
    return stack->given[HEED_GIVEN_IDS] || stack->shifted;
}

int64_t heed_forward_token(const heed_forward_stack *stack, int64_t place)
{
    const heed_named_tensor *ids = stack->given[HEED_GIVEN_IDS];
    return ids ? heed_tensor_integer(ids, place) : stack->shifted[place];
}

static heed_value_range token_range(const heed_forward_call *call, heed_stack_id stack_id)
{
    const heed_config *config = call->config;
    int64_t vocabulary = config->vocabulary;
    if (stack_id == HEED_STACK_ENCODER) vocabulary = heed_config_source_vocabulary(config);
    return (heed_value_range){0, vocabulary - 1, "the vocabulary"};
}

/* ---- token types ---- */

static bool has_types(const heed_forward_stack *stack)
{
    return stack->given[HEED_GIVEN_TYPES] != NULL;
}

static int64_t type(const heed_forward_stack *stack, int64_t place)
{
    return heed_tensor_integer(stack->given[HEED_GIVEN_TYPES], place);
}

static heed_value_range type_range(const heed_forward_call *call, heed_stack_id stack_id)
{
    (void)stack_id;
    return (heed_value_range){0, call->config->token_types - 1, "the table of token types"};
}

/* ---- positions ---- */

static bool has_positions(const heed_forward_stack *stack)
{
    (void)stack;
    return true;
}

/* Returns the position of a place if positions count tokens. Tokens that are not counted have the
   one before the first. */
static int64_t counted_position(const heed_forward_stack *stack, int64_t place)
{
    int32_t before = place % stack->padded.length > 0 ? stack->counted[place - 1] : 0;
    bool counts = stack->counted[place] > before;
    return stack->first_position - 1 + (counts ? stack->counted[place] : 0);
}

int64_t heed_forward_position(const heed_forward_stack *stack, int64_t place)
{
    const heed_named_tensor *positions = stack->given[HEED_GIVEN_POSITIONS];
    int64_t t = place % stack->padded.length;
    if (!positions) return stack->counted ? counted_position(stack, place) : t;
    bool broadcast = heed_tensor_elements(positions) == stack->padded.length;
    return heed_tensor_integer(positions, broadcast ? t : place);
}

static heed_value_range position_range(const heed_forward_call *call, heed_stack_id stack_id)
{
    const heed_config *config = call->config;
    (void)stack_id;
    int64_t rows = config->context + (config->counts_tokens ? config->position_offset : 0);
    if (config->position == HEED_POSITION_LEARNED || config->position == HEED_POSITION_SINUSOIDAL)
        return (heed_value_range){0, rows - 1, "the table of positions"};
    return (heed_value_range){-(1 << 30), 1 << 30, "the table of positions"};
}

/* ---- all ---- */

const heed_forward_column heed_forward_columns[HEED_FORWARD_COLUMNS] = {
    {HEED_INPUT_IDS, has_ids, heed_forward_token, token_range, HEED_GIVEN_IDS, "in.labels"},
    {HEED_INPUT_TYPES, has_types, type, type_range, HEED_GIVEN_TYPES, ""},
    {HEED_INPUT_POSITIONS, has_positions, heed_forward_position, position_range,
     HEED_GIVEN_POSITIONS, "position"},
};

heed_status heed_forward_check_columns(const heed_forward_call *call,
                                       const heed_forward_stack *stack, heed_stack_id stack_id,
                                       heed_error *error)
{
    for (int64_t row = 0; row < stack->rows.count; row++)
        for (int c = 0; c < HEED_FORWARD_COLUMNS; c++) {
            const heed_forward_column *column = &heed_forward_columns[c];
            const heed_named_tensor *given = stack->given[column->given];
            int64_t place = stack->rows.place[row];
            if (!column->is_there(stack)) continue;
            HEED_TRY(heed_forward_check_range(
                given ? given->name : column->otherwise, column->value(stack, place),
                column->range(call, stack_id), place, stack->padded.length, error));
        }
    return HEED_OK;
}
