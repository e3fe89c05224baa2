/* unicode.c: character properties from utf8proc, corrected by tables (unicode.h). */
#include "base/unicode.h"

#include "base/utf8.h"
#include <stdlib.h>
#include <utf8proc.h>

/* A range of code points, and a range with a value. The tables below are in ascending order. */
typedef heed_char_span span;
typedef struct {
    uint32_t first, last;
    int32_t value;
} span_value;

enum {
    LU = UTF8PROC_CATEGORY_LU,
    LL = UTF8PROC_CATEGORY_LL,
    LM = UTF8PROC_CATEGORY_LM,
    LO = UTF8PROC_CATEGORY_LO,
    MN = UTF8PROC_CATEGORY_MN,
    MC = UTF8PROC_CATEGORY_MC,
    ND = UTF8PROC_CATEGORY_ND,
    PD = UTF8PROC_CATEGORY_PD,
    PO = UTF8PROC_CATEGORY_PO,
    SM = UTF8PROC_CATEGORY_SM,
    SO = UTF8PROC_CATEGORY_SO
};

/* Categories of characters that Unicode 15.1 and 16 added or changed. */
static const span_value later_categories[] = {
    {0x897, 0x897, MN},     {0x1B4E, 0x1B4F, PO},   {0x1B7F, 0x1B7F, PO},   {0x1C89, 0x1C89, LU},
    {0x1C8A, 0x1C8A, LL},   {0x2427, 0x2429, SO},   {0x2FFC, 0x2FFF, SO},   {0x31E4, 0x31E5, SO},
    {0x31EF, 0x31EF, SO},   {0xA7CB, 0xA7CC, LU},   {0xA7CD, 0xA7CD, LL},   {0xA7DA, 0xA7DA, LU},
    {0xA7DB, 0xA7DB, LL},   {0xA7DC, 0xA7DC, LU},   {0x105C0, 0x105F3, LO}, {0x10D40, 0x10D49, ND},
    {0x10D4A, 0x10D4D, LO}, {0x10D4E, 0x10D4E, LM}, {0x10D4F, 0x10D4F, LO}, {0x10D50, 0x10D65, LU},
    {0x10D69, 0x10D6D, MN}, {0x10D6E, 0x10D6E, PD}, {0x10D6F, 0x10D6F, LM}, {0x10D70, 0x10D85, LL},
    {0x10D8E, 0x10D8F, SM}, {0x10EC2, 0x10EC4, LO}, {0x10EFC, 0x10EFC, MN}, {0x11380, 0x11389, LO},
    {0x1138B, 0x1138B, LO}, {0x1138E, 0x1138E, LO}, {0x11390, 0x113B5, LO}, {0x113B7, 0x113B7, LO},
    {0x113B8, 0x113BA, MC}, {0x113BB, 0x113C0, MN}, {0x113C2, 0x113C2, MC}, {0x113C5, 0x113C5, MC},
    {0x113C7, 0x113CA, MC}, {0x113CC, 0x113CD, MC}, {0x113CE, 0x113CE, MN}, {0x113CF, 0x113CF, MC},
    {0x113D0, 0x113D0, MN}, {0x113D1, 0x113D1, LO}, {0x113D2, 0x113D2, MN}, {0x113D3, 0x113D3, LO},
    {0x113D4, 0x113D5, PO}, {0x113D7, 0x113D8, PO}, {0x113E1, 0x113E2, MN}, {0x116D0, 0x116E3, ND},
    {0x1171E, 0x1171E, MC}, {0x11BC0, 0x11BE0, LO}, {0x11BE1, 0x11BE1, PO}, {0x11BF0, 0x11BF9, ND},
    {0x11F5A, 0x11F5A, MN}, {0x13460, 0x143FA, LO}, {0x16100, 0x1611D, LO}, {0x1611E, 0x16129, MN},
    {0x1612A, 0x1612C, MC}, {0x1612D, 0x1612F, MN}, {0x16130, 0x16139, ND}, {0x16D40, 0x16D42, LM},
    {0x16D43, 0x16D6A, LO}, {0x16D6B, 0x16D6C, LM}, {0x16D6D, 0x16D6F, PO}, {0x16D70, 0x16D79, ND},
    {0x18CFF, 0x18CFF, LO}, {0x1CC00, 0x1CCEF, SO}, {0x1CCF0, 0x1CCF9, ND}, {0x1CD00, 0x1CEB3, SO},
    {0x1E5D0, 0x1E5ED, LO}, {0x1E5EE, 0x1E5EF, MN}, {0x1E5F0, 0x1E5F0, LO}, {0x1E5F1, 0x1E5FA, ND},
    {0x1E5FF, 0x1E5FF, PO}, {0x1F8B2, 0x1F8BB, SO}, {0x1F8C0, 0x1F8C1, SO}, {0x1FA89, 0x1FA89, SO},
    {0x1FA8F, 0x1FA8F, SO}, {0x1FABE, 0x1FABE, SO}, {0x1FAC6, 0x1FAC6, SO}, {0x1FADC, 0x1FADC, SO},
    {0x1FADF, 0x1FADF, SO}, {0x1FAE9, 0x1FAE9, SO}, {0x1FBCB, 0x1FBEF, SO}, {0x2EBF0, 0x2EE5D, LO}};

/* Characters with a lower case since Unicode 16 or 17, and the distance to the lower-case
   letter. */
static const span_value later_lower[] = {
    {0x1C89, 0x1C89, 1},    {0xA7CB, 0xA7CB, -42343}, {0xA7CC, 0xA7CC, 1}, {0xA7CE, 0xA7CE, 1},
    {0xA7D2, 0xA7D2, 1},    {0xA7D4, 0xA7D4, 1},      {0xA7DA, 0xA7DA, 1}, {0xA7DC, 0xA7DC, -42561},
    {0x10D50, 0x10D65, 32}, {0x16EA0, 0x16EB8, 27}};

/* Marks added after Unicode 9: StripAccents keeps them, and their combining class is 0. */
static const span no_marks[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xAFA, 0xAFF},     {0xB55, 0xB55},     {0xC04, 0xC04},     {0xC3C, 0xC3C},
    {0xCF3, 0xCF3},     {0xD00, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},
    {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x1715, 0x1715},   {0x180F, 0x180F},
    {0x1ABF, 0x1ACE},   {0x1CF7, 0x1CF7},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
    {0xA8FF, 0xA8FF},   {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF},
    {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x11073, 0x11074},
    {0x110C2, 0x110C2}, {0x11145, 0x11146}, {0x111C9, 0x111C9}, {0x111CE, 0x111CF},
    {0x11241, 0x11241}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x1182C, 0x1183A},
    {0x11930, 0x11935}, {0x11937, 0x11938}, {0x1193B, 0x1193E}, {0x11940, 0x11940},
    {0x11942, 0x11943}, {0x119D1, 0x119D7}, {0x119DA, 0x119E0}, {0x119E4, 0x119E4},
    {0x11A01, 0x11A0A}, {0x11A33, 0x11A39}, {0x11A3B, 0x11A3E}, {0x11A47, 0x11A47},
    {0x11A51, 0x11A5B}, {0x11A8A, 0x11A99}, {0x11D31, 0x11D36}, {0x11D3A, 0x11D3A},
    {0x11D3C, 0x11D3D}, {0x11D3F, 0x11D45}, {0x11D47, 0x11D47}, {0x11D8A, 0x11D8E},
    {0x11D90, 0x11D91}, {0x11D93, 0x11D97}, {0x11EF3, 0x11EF6}, {0x11F00, 0x11F01},
    {0x11F03, 0x11F03}, {0x11F34, 0x11F3A}, {0x11F3E, 0x11F42}, {0x13440, 0x13440},
    {0x13447, 0x13455}, {0x16F4F, 0x16F4F}, {0x16F7F, 0x16F87}, {0x16FE4, 0x16FE4},
    {0x16FF0, 0x16FF1}, {0x1CF00, 0x1CF2D}, {0x1CF30, 0x1CF46}, {0x1E08F, 0x1E08F},
    {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}};

/* Characters added after Unicode 14, which Moses takes for unassigned, like the version of Python
   that wrote its fixtures. */
static const span after_unicode_14[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x1B4E, 0x1B4F},
    {0x1B7F, 0x1B7F},   {0x1C89, 0x1C8A},   {0x2427, 0x2429},   {0x2FFC, 0x2FFF},
    {0x31E4, 0x31E5},   {0x31EF, 0x31EF},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},
    {0x105C0, 0x105F3}, {0x10D40, 0x10D65}, {0x10D69, 0x10D85}, {0x10D8E, 0x10D8F},
    {0x10EC2, 0x10EC4}, {0x10EFC, 0x10EFF}, {0x1123F, 0x11241}, {0x11380, 0x11389},
    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113C0},
    {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D5},
    {0x113D7, 0x113D8}, {0x113E1, 0x113E2}, {0x116D0, 0x116E3}, {0x11B00, 0x11B09},
    {0x11BC0, 0x11BE1}, {0x11BF0, 0x11BF9}, {0x11F00, 0x11F10}, {0x11F12, 0x11F3A},
    {0x11F3E, 0x11F5A}, {0x1342F, 0x1342F}, {0x13439, 0x13455}, {0x13460, 0x143FA},
    {0x16100, 0x16139}, {0x16D40, 0x16D79}, {0x18CFF, 0x18CFF}, {0x1B132, 0x1B132},
    {0x1B155, 0x1B155}, {0x1CC00, 0x1CCF9}, {0x1CD00, 0x1CEB3}, {0x1D2C0, 0x1D2D3},
    {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E4D0, 0x1E4F9},
    {0x1E5D0, 0x1E5FA}, {0x1E5FF, 0x1E5FF}, {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F776},
    {0x1F77B, 0x1F77F}, {0x1F7D9, 0x1F7D9}, {0x1F8B2, 0x1F8BB}, {0x1F8C0, 0x1F8C1},
    {0x1FA75, 0x1FA77}, {0x1FA87, 0x1FA89}, {0x1FA8F, 0x1FA8F}, {0x1FAAD, 0x1FAAF},
    {0x1FABB, 0x1FABF}, {0x1FAC6, 0x1FAC6}, {0x1FACE, 0x1FACF}, {0x1FADA, 0x1FADC},
    {0x1FADF, 0x1FADF}, {0x1FAE8, 0x1FAE9}, {0x1FAF7, 0x1FAF8}, {0x1FBCB, 0x1FBEF},
    {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/* Nonspacing marks added after Unicode 8, which BertNormalizer keeps. */
static const span no_accents[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8E1},     {0x9FE, 0x9FE},
    {0xAFA, 0xAFF},     {0xB55, 0xB55},     {0xC04, 0xC04},     {0xC3C, 0xC3C},
    {0xD00, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},     {0xEBA, 0xEBA},
    {0xECE, 0xECE},     {0x180F, 0x180F},   {0x1885, 0x1886},   {0x1ABF, 0x1ACE},
    {0x1DF6, 0x1DFB},   {0xA82C, 0xA82C},   {0xA8C5, 0xA8C5},   {0xA8FF, 0xA8FF},
    {0xA9BD, 0xA9BD},   {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF},
    {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x11073, 0x11074},
    {0x110C2, 0x110C2}, {0x111C9, 0x111C9}, {0x111CF, 0x111CF}, {0x1123E, 0x1123E},
    {0x11241, 0x11241}, {0x1133B, 0x1133B}, {0x11438, 0x1143F}, {0x11442, 0x11444},
    {0x11446, 0x11446}, {0x1145E, 0x1145E}, {0x1182F, 0x11837}, {0x11839, 0x1183A},
    {0x1193B, 0x1193C}, {0x1193E, 0x1193E}, {0x11943, 0x11943}, {0x119D4, 0x119D7},
    {0x119DA, 0x119DB}, {0x119E0, 0x119E0}, {0x11A01, 0x11A0A}, {0x11A33, 0x11A38},
    {0x11A3B, 0x11A3E}, {0x11A47, 0x11A47}, {0x11A51, 0x11A56}, {0x11A59, 0x11A5B},
    {0x11A8A, 0x11A96}, {0x11A98, 0x11A99}, {0x11C30, 0x11C36}, {0x11C38, 0x11C3D},
    {0x11C3F, 0x11C3F}, {0x11C92, 0x11CA7}, {0x11CAA, 0x11CB0}, {0x11CB2, 0x11CB3},
    {0x11CB5, 0x11CB6}, {0x11D31, 0x11D36}, {0x11D3A, 0x11D3A}, {0x11D3C, 0x11D3D},
    {0x11D3F, 0x11D45}, {0x11D47, 0x11D47}, {0x11D90, 0x11D91}, {0x11D95, 0x11D95},
    {0x11D97, 0x11D97}, {0x11EF3, 0x11EF4}, {0x11F00, 0x11F01}, {0x11F36, 0x11F3A},
    {0x11F40, 0x11F40}, {0x11F42, 0x11F42}, {0x13440, 0x13440}, {0x13447, 0x13455},
    {0x16F4F, 0x16F4F}, {0x16FE4, 0x16FE4}, {0x1CF00, 0x1CF2D}, {0x1CF30, 0x1CF46},
    {0x1E000, 0x1E006}, {0x1E008, 0x1E018}, {0x1E01B, 0x1E021}, {0x1E023, 0x1E024},
    {0x1E026, 0x1E02A}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E944, 0x1E94A}};

/* Punctuation added after Unicode 8, at which BertPreTokenizer does not split. */
static const span no_punctuation[] = {
    {0x61D, 0x61D},     {0x9FD, 0x9FD},     {0xA76, 0xA76},     {0xC77, 0xC77},
    {0xC84, 0xC84},     {0x1B7D, 0x1B7E},   {0x2E43, 0x2E4F},   {0x2E52, 0x2E5D},
    {0x10EAD, 0x10EAD}, {0x10F55, 0x10F59}, {0x10F86, 0x10F89}, {0x1144B, 0x1144F},
    {0x1145A, 0x1145B}, {0x1145D, 0x1145D}, {0x11660, 0x1166C}, {0x116B9, 0x116B9},
    {0x1183B, 0x1183B}, {0x11944, 0x11946}, {0x119E2, 0x119E2}, {0x11A3F, 0x11A46},
    {0x11A9A, 0x11A9C}, {0x11A9E, 0x11AA2}, {0x11B00, 0x11B09}, {0x11C41, 0x11C45},
    {0x11C70, 0x11C71}, {0x11EF7, 0x11EF8}, {0x11F43, 0x11F4F}, {0x11FFF, 0x11FFF},
    {0x12FF1, 0x12FF2}, {0x16E97, 0x16E9A}, {0x16FE2, 0x16FE2}, {0x1E95E, 0x1E95F}};

/* Decompositions added after Unicode 9, which normalization ignores. */
static const span no_decomposition[] = {
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x10785},
    {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x11938, 0x11938}, {0x1E030, 0x1E06D},
    {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
};

/* Comparison of bsearch: whether a code point lies below, in or above a range. */
static int compare_span(const void *key, const void *element)
{
    const uint32_t *c = key, *bounds = element;
    return *c < bounds[0] ? -1 : *c > bounds[1];
}

const void *heed_char_find(const void *table, size_t count, size_t size, uint32_t c)
{
    return bsearch(&c, table, count, size, compare_span);
}

/* Returns the general category in Unicode 16. */
static int category(uint32_t c)
{
    int found = utf8proc_category((utf8proc_int32_t)c);
    if (found != UTF8PROC_CATEGORY_CN && c != 0x1171E) return found;
    const span_value *later = HEED_CHAR_FIND(later_categories, c);
    return later ? later->value : found;
}

static bool is_punctuation_category(int found)
{
    return found >= UTF8PROC_CATEGORY_PC && found <= UTF8PROC_CATEGORY_PO;
}

bool heed_char_is_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool heed_char_is_python_space(uint32_t c)
{
    return heed_char_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

void heed_strip_left(const char **text, size_t *length)
{
    while (*length) {
        uint32_t c;
        size_t size = heed_utf8_next(*text, *length, &c, NULL);
        if (!heed_char_is_python_space(c)) return;
        *text += size;
        *length -= size;
    }
}

void heed_strip_right(const char *text, size_t *length)
{
    while (*length) {
        uint32_t c;
        size_t at = heed_utf8_before(text, *length);
        heed_utf8_next(text + at, *length - at, &c, NULL);
        if (!heed_char_is_python_space(c)) return;
        *length = at;
    }
}

/* Returns whether c is a circled or squared letter. Alphabetic consists of L, Nl and
   Other_Alphabetic, and these are the only characters of Other_Alphabetic that are not marks. */
static bool is_circled_letter(uint32_t c)
{
    return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

unsigned heed_char_class(uint32_t c)
{
    enum { L = HEED_CHAR_LETTER | HEED_CHAR_WORD };
    static const uint8_t by_category[] = {
        [UTF8PROC_CATEGORY_LU] = L | HEED_CHAR_UPPER,
        [UTF8PROC_CATEGORY_LT] = L | HEED_CHAR_UPPER,
        [UTF8PROC_CATEGORY_LL] = L | HEED_CHAR_LOWER,
        [UTF8PROC_CATEGORY_LM] = L | HEED_CHAR_CASELESS,
        [UTF8PROC_CATEGORY_LO] = L | HEED_CHAR_CASELESS,
        [UTF8PROC_CATEGORY_MN] = HEED_CHAR_MARK | HEED_CHAR_WORD,
        [UTF8PROC_CATEGORY_MC] = HEED_CHAR_MARK | HEED_CHAR_WORD,
        [UTF8PROC_CATEGORY_ME] = HEED_CHAR_MARK | HEED_CHAR_WORD,
        [UTF8PROC_CATEGORY_ND] = HEED_CHAR_NUMBER | HEED_CHAR_WORD,
        [UTF8PROC_CATEGORY_NL] = HEED_CHAR_NUMBER | HEED_CHAR_WORD,
        [UTF8PROC_CATEGORY_NO] = HEED_CHAR_NUMBER,
        [UTF8PROC_CATEGORY_PC] = HEED_CHAR_WORD,
        [UTF8PROC_CATEGORY_CO] = 0};
    if (c < 0x80) {
        if (c >= 'a' && c <= 'z') return L | HEED_CHAR_LOWER;
        if (c >= 'A' && c <= 'Z') return L | HEED_CHAR_UPPER;
        if (c >= '0' && c <= '9') return HEED_CHAR_NUMBER | HEED_CHAR_WORD;
        if (c == '_') return HEED_CHAR_WORD;
        return heed_char_is_space(c) ? HEED_CHAR_SPACE : 0;
    }
    unsigned found = by_category[category(c)];
    if (heed_char_is_space(c)) found |= HEED_CHAR_SPACE;
    if (is_circled_letter(c) || c == 0x200C || c == 0x200D) found |= HEED_CHAR_WORD;
    return found;
}

bool heed_char_is_numeric(uint32_t c)
{
    return (heed_char_class(c) & HEED_CHAR_NUMBER) || (c >= 0x11DE0 && c <= 0x11DE9) ||
           (c >= 0x16FF4 && c <= 0x16FF6);
}

bool heed_char_is_mark(uint32_t c)
{
    if (c < 0x300) return false;
    int found = utf8proc_category((utf8proc_int32_t)c);
    bool mark = found == UTF8PROC_CATEGORY_MN || found == UTF8PROC_CATEGORY_MC ||
                found == UTF8PROC_CATEGORY_ME;
    return c == 0x1CF2 || c == 0x1CF3 || (mark && !HEED_CHAR_FIND(no_marks, c));
}

bool heed_char_is_accent(uint32_t c)
{
    if (c < 0x300) return false;
    bool accent = utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_MN;
    return c == 0x1734 || (accent && !HEED_CHAR_FIND(no_accents, c));
}

bool heed_char_is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return c > 32 && c < 127 && !(heed_char_class(c) & (HEED_CHAR_LETTER | HEED_CHAR_NUMBER));
    bool punctuation = is_punctuation_category(utf8proc_category((utf8proc_int32_t)c));
    return c == 0x166D || c == 0x111C9 || (punctuation && !HEED_CHAR_FIND(no_punctuation, c));
}

bool heed_char_is_control(uint32_t c)
{
    if (c < 0x80) return (c < 32 && c != '\t' && c != '\n' && c != '\r') || c == 127;
    /* added after Unicode 8 */
    if (c == 0x890 || c == 0x891 || c == 0x8E2 || c == 0x110CD || (c >= 0x13430 && c <= 0x1343F))
        return false;
    int found = utf8proc_category((utf8proc_int32_t)c);
    return found == UTF8PROC_CATEGORY_CC || found == UTF8PROC_CATEGORY_CF ||
           found == UTF8PROC_CATEGORY_CO;
}

bool heed_char_is_other(uint32_t c)
{
    int found = HEED_CHAR_FIND(after_unicode_14, c) ? UTF8PROC_CATEGORY_CN
                                                    : utf8proc_category((utf8proc_int32_t)c);
    return found == UTF8PROC_CATEGORY_CC || found == UTF8PROC_CATEGORY_CF ||
           found == UTF8PROC_CATEGORY_CS || found == UTF8PROC_CATEGORY_CO ||
           found == UTF8PROC_CATEGORY_CN;
}

bool heed_char_is_chinese(uint32_t c)
{
    static const span blocks[] = {
        {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
        {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F},
    };
    return c >= 0x3400 && HEED_CHAR_FIND(blocks, c);
}

bool heed_grapheme_ends(uint32_t before, uint32_t after, int32_t *state)
{
    return utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)after,
                                            state);
}

size_t heed_char_lower(uint32_t c, uint32_t lower[3])
{
    if (c < 0x80) {
        lower[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
        return 1;
    }
    if (c == 0x130) { /* U+0130 is the only letter whose lower case has two code points. */
        lower[0] = 'i';
        lower[1] = 0x307;
        return 2;
    }
    const span_value *later = HEED_CHAR_FIND(later_lower, c);
    lower[0] = later ? (uint32_t)((int32_t)c + later->value)
                     : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return 1;
}

unsigned heed_char_combining_class(uint32_t c)
{
    if (c < 0x300) return 0;
    unsigned class = (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
    return class && HEED_CHAR_FIND(no_marks, c) ? 0 : class;
}

size_t heed_char_decompose(uint32_t c, bool compatible, uint32_t parts[HEED_DECOMPOSITION_MAX])
{
    parts[0] = c;
    if (c < (compatible ? 0xA0 : 0xC0) || HEED_CHAR_FIND(no_decomposition, c)) return 1;
    utf8proc_int32_t found[HEED_DECOMPOSITION_MAX];
    int boundary = 0;
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                (compatible ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)c, found,
                                                     HEED_DECOMPOSITION_MAX, options, &boundary);
    if (count < 1 || count > HEED_DECOMPOSITION_MAX) return 1;
    for (utf8proc_ssize_t i = 0; i < count; i++) parts[i] = (uint32_t)found[i];
    return (size_t)count;
}

uint32_t heed_char_compose(uint32_t first, uint32_t second)
{
    /* In no composite is the second part below U+0300, an ideograph or a Hangul syllable. */
    if (second < 0x300 || (second >= 0x3400 && second < 0x11000)) return 0;
    if (first == 0x11935 && second == 0x11930) return 0; /* added after Unicode 9 */
    utf8proc_int32_t pair[2] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second};
    utf8proc_ssize_t count = utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return count == 1 ? (uint32_t)pair[0] : 0;
}
