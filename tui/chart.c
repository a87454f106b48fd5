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

// The worst of the values that fall into column x of w.
static int64_t worst_of(const int64_t *ns, int n, int x, int w)
{
    int64_t worst = SNAP_UNKNOWN;
    int from = (int)((int64_t)x * n / w), to = (int)((int64_t)(x + 1) * n / w);
    for (int i = from; i < to; i++)
        if (ns[i] != SNAP_UNKNOWN && (worst == SNAP_UNKNOWN || ns[i] > worst))
            worst = ns[i];
    return worst;
}

void chart_spark(struct pane p, int y, int x, int w, const int64_t *ns, int n, int64_t threshold_ns)
{
    for (int i = 0; i < w; i++) {
        int column = w > n ? i - (w - n) : i;
        if (column < 0)
            continue;
        int64_t worst = worst_of(ns, n, column, w > n ? n : w);
        int level = chart_level(worst, CHART_LOW_NS, CHART_HIGH_NS, 8);
        if (level > 0)
            pane_glyph(p, y, x + i, chart_heat(worst, threshold_ns), GLYPH_LEVEL0 + level);
    }
}

// Eighths of this row's decade that the value fills.
static int fill_of_row(int64_t ns, int64_t row_low, int64_t row_high)
{
    if (ns == SNAP_UNKNOWN || ns <= row_low)
        return 0;
    return chart_level(ns, row_low, row_high, 8);
}

static void chart_row(struct pane p, int y, int64_t high, const int64_t *ns, int n,
                      int64_t threshold_ns)
{
    int w = p.r.w - AXIS - 1;
    for (int x = 0; x < w; x++) {
        int column = w > n ? x - (w - n) : x;
        if (column < 0)
            continue;
        int64_t worst = worst_of(ns, n, column, w > n ? n : w);
        int level = fill_of_row(worst, high / 10, high);
        if (y == p.r.h - 1 && worst != SNAP_UNKNOWN && level == 0)
            level = 1; // known and tiny is not unknown
        if (level > 0)
            pane_glyph(p, y, AXIS + 1 + x, chart_heat(worst, threshold_ns), GLYPH_LEVEL0 + level);
    }
}

void chart_columns(struct pane p, const int64_t *ns, int n, int64_t threshold_ns)
{
    static const char *const bounds[] = {"1ms", "10ms", "100ms", "1s", "10s", "100s"};
    int64_t high = 1000000; // the bottom row ends at 1 ms
    for (int i = 0; i < p.r.h && i < 6; i++, high *= 10) {
        int y = p.r.h - 1 - i;
        pane_field(p, y, 0, AXIS - 1, true, STYLE_DIM, bounds[i]);
        pane_glyph(p, y, AXIS, STYLE_DIM, GLYPH_AXIS);
        chart_row(p, y, high, ns, n, threshold_ns);
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
