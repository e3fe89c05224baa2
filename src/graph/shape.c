/* shape.c: shapes: making, comparing and printing them. */
#include "graph/ir.h"
#include "tensor/qblock_dot.h"

#include <stdio.h>
#include <string.h>

heed_shape heed_shape_of(int rank, const int64_t *dims)
{
    heed_shape shape = {.rank = (int8_t)rank};
    for (int i = 0; i < rank && i < HEED_MAX_RANK; i++) shape.dim[i] = dims[i];
    return shape;
}

heed_shape heed_shape_scalar(void)
{
    return (heed_shape){0};
}

heed_shape heed_shape_1(int64_t a)
{
    return (heed_shape){.rank = 1, .dim = {a}};
}

heed_shape heed_shape_2(int64_t a, int64_t b)
{
    return (heed_shape){.rank = 2, .dim = {a, b}};
}

heed_shape heed_shape_live(heed_extent extent, int64_t maximum, int64_t columns)
{
    return (heed_shape){
        .rank = columns ? 2 : 1, .extent = (uint8_t)extent, .dim = {maximum, columns}};
}

bool heed_shape_equal(heed_shape a, heed_shape b)
{
    if (a.rank != b.rank || a.extent != b.extent) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

int64_t heed_shape_elements(heed_shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) count *= shape.dim[i];
    return count;
}

int64_t heed_shape_columns(heed_shape shape)
{
    int64_t count = 1;
    for (int i = 1; i < shape.rank; i++) count *= shape.dim[i];
    return count;
}

int64_t heed_shape_rows(heed_shape shape)
{
    return shape.rank ? shape.dim[0] : 1;
}

const char *heed_shape_text(const heed_graph *graph, heed_shape shape, char text[HEED_SHAPE_TEXT])
{
    static const char letters[HEED_EXTENT_COUNT] = {0, 'N', 'S', 'B', 'R'};
    char letter = '?';
    if (shape.extent < HEED_EXTENT_COUNT) letter = letters[shape.extent];
    else if (shape.extent < graph->n_extents) letter = graph->extents[shape.extent].letter;
    size_t used = (size_t)snprintf(text, HEED_SHAPE_TEXT, "(");
    if (letter) used += (size_t)snprintf(text + used, HEED_SHAPE_TEXT - used, "%c:", letter);
    for (int i = 0; i < shape.rank && used < HEED_SHAPE_TEXT; i++)
        used += (size_t)snprintf(text + used, HEED_SHAPE_TEXT - used, "%s%lld", i ? "," : "",
                                 (long long)shape.dim[i]);
    if (used < HEED_SHAPE_TEXT) snprintf(text + used, HEED_SHAPE_TEXT - used, ")");
    return text;
}

heed_number heed_matmul_number(heed_dtype b, bool bf16)
{
    if (heed_qblock_traits_of(b)) return HEED_NUMBER_INT8;
    return bf16 ? HEED_NUMBER_BF16 : HEED_NUMBER_F32;
}
