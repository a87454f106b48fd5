#include "chart.h"

#include <math.h>

#include "../agent/snapshot/snapshot.h"

#define AXIS 7

int chart_level(int64_t ns, int64_t low, int64_t high, int levels)
{
    if (ns == SNAP_UNKNOWN)
        return 0;
    if (ns <= low)
        return 1;
    if (ns >= high)
        return levels;
    double share = log((double)ns / (double)low) / log((double)high / (double)low);
    int level = 1 + (int)(share * (levels - 1) + 0.5);
    return level > levels ? levels : level;
}

enum style chart_heat(int64_t ns, int64_t threshold_ns)
{
    if (ns >= threshold_ns * 10)
        return STYLE_HEAT4;
    if (ns >= threshold_ns)
        return STYLE_HEAT3;
    return ns >= threshold_ns / 4 ? STYLE_HEAT2 : STYLE_HEAT1;
}

// Dot columns of a chart: one a cell, or two in braille.
static int columns_of(struct pane p, int cells)
{
    return p.canvas->braille && !p.canvas->ascii ? 2 * cells : cells;
}

// What column x of w shows of n values: the worst of several, or one of them, as wide as a whole number of
// columns allows. The newest is at the right.
static int64_t value_at(const int64_t *ns, int n, int x, int w)
{
    int64_t worst = SNAP_UNKNOWN;
    int wide = w / n;
    if (wide > 0) {
        x -= w - n * wide;
        return x < 0 ? SNAP_UNKNOWN : ns[x / wide];
    }
    int from = (int)((int64_t)x * n / w), to = (int)((int64_t)(x + 1) * n / w);
    for (int i = from; i < to; i++)
        if (ns[i] != SNAP_UNKNOWN && (worst == SNAP_UNKNOWN || ns[i] > worst))
            worst = ns[i];
    return worst;
}

struct band { // the values that one row of a chart shows
    int64_t low, high;
    bool lowest; // known and tiny is not unknown: it shows in the lowest row
};

static int level_in(const struct band *b, int64_t ns, int levels)
{
    if (ns == SNAP_UNKNOWN)
        return 0;
    if (ns <= b->low)
        return b->lowest;
    return chart_level(ns, b->low, b->high, levels);
}

static void draw_band(struct pane p, int y, int x, int w, const struct band *b, const int64_t *ns,
                      int n, int64_t threshold_ns)
{
    int columns = columns_of(p, w);
    for (int i = 0; i < w; i++) {
        int per = columns / w;
        int64_t left = value_at(ns, n, i * per, columns);
        int64_t right = value_at(ns, n, i * per + per - 1, columns);
        enum style heat = chart_heat(left > right ? left : right, threshold_ns);
        int level = level_in(b, right, per == 2 ? 4 : 8);
        if (per == 2 && level + level_in(b, left, 4) > 0)
            pane_braille(p, y, x + i, heat, level_in(b, left, 4), level);
        else if (per == 1 && level > 0)
            pane_glyph(p, y, x + i, heat, GLYPH_LEVEL0 + level);
    }
}

void chart_spark(struct pane p, int y, int x, int w, const int64_t *ns, int n, int64_t threshold_ns)
{
    struct band all = {CHART_LOW_NS, CHART_HIGH_NS, true};
    if (w > n) { // in a table a column a second is enough
        x += w - n;
        w = n;
    }
    draw_band(p, y, x, w, &all, ns, n, threshold_ns);
}

void chart_columns(struct pane p, const int64_t *ns, int n, int64_t threshold_ns)
{
    static const char *const bounds[] = {"1ms", "10ms", "100ms", "1s", "10s", "100s"};
    int64_t high = 1000000; // the bottom row ends at 1 ms
    for (int i = 0; i < p.r.h && i < 6; i++, high *= 10) {
        int y = p.r.h - 1 - i;
        pane_field(p, y, 0, AXIS - 1, true, STYLE_DIM, bounds[i]);
        pane_glyph(p, y, AXIS, STYLE_DIM, GLYPH_AXIS);
        struct band decade = {high / 10, high, i == 0};
        draw_band(p, y, AXIS + 1, p.r.w - AXIS - 1, &decade, ns, n, threshold_ns);
    }
}

void chart_bar(struct pane p, int y, int x, int w, enum style style, double ratio)
{
    if (isnan(ratio))
        return;
    int n = (int)(ratio * w + 0.5);
    for (int i = 0; i < n && i < w; i++)
        pane_glyph(p, y, x + i, style, GLYPH_BAR);
}
