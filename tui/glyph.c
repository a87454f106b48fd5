#include "glyph.h"

static const struct {
    uint32_t utf8, ascii;
} glyphs[GLYPH_COUNT] = {
    [GLYPH_HLINE] = {0x2500, '-'},        [GLYPH_VLINE] = {0x2502, '|'},
    [GLYPH_AXIS] = {0x2502, '|'},         [GLYPH_TOP_LEFT] = {0x250c, '+'},
    [GLYPH_TOP_RIGHT] = {0x2510, '+'},    [GLYPH_BOTTOM_LEFT] = {0x2514, '+'},
    [GLYPH_BOTTOM_RIGHT] = {0x2518, '+'}, [GLYPH_TREE_BRANCH] = {0x251c, '|'},
    [GLYPH_TREE_LAST] = {0x2514, '`'},    [GLYPH_TREE_LINE] = {0x2500, '-'},
    [GLYPH_OPEN] = {0x25be, '-'},         [GLYPH_FOLDED] = {0x25b8, '+'},
    [GLYPH_ASCENDING] = {0x25b4, '^'},    [GLYPH_DESCENDING] = {0x25be, 'v'},
    [GLYPH_ELLIPSIS] = {0x2026, '~'},     [GLYPH_PATH] = {0x203a, '>'},
    [GLYPH_CALLS] = {0x2190, '<'},        [GLYPH_CULPRIT] = {0x25c0, '<'},
    [GLYPH_BAR] = {0x2588, '#'},          [GLYPH_LEVEL0] = {' ', ' '},
    [GLYPH_LEVEL1] = {0x2581, '.'},       [GLYPH_LEVEL2] = {0x2582, '.'},
    [GLYPH_LEVEL3] = {0x2583, ':'},       [GLYPH_LEVEL4] = {0x2584, '-'},
    [GLYPH_LEVEL5] = {0x2585, '='},       [GLYPH_LEVEL6] = {0x2586, '+'},
    [GLYPH_LEVEL7] = {0x2587, '*'},       [GLYPH_LEVEL8] = {0x2588, '#'},
};

uint32_t glyph_braille(int left, int right)
{
    static const uint8_t left_dots[] = {0, 0x40, 0x44, 0x46, 0x47};
    static const uint8_t right_dots[] = {0, 0x80, 0xa0, 0xb0, 0xb8};
    return 0x2800u + left_dots[left & 7] + right_dots[right & 7];
}

uint32_t glyph_char(enum glyph g, bool ascii)
{
    return ascii ? glyphs[g].ascii : glyphs[g].utf8;
}
