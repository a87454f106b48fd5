#include "forecast.h"

#include <math.h>
#include <stdio.h>

#define TOO_FAR_S 9e9

// What came one by one, n of them, may as well have been n - 2 root n or n + 2 root n.
struct forecast forecast_of(double left, double came, double seconds)
{
    struct forecast f = {.rate = seconds > 0 ? came / seconds : NAN};
    if (!(f.rate > 0) || !(left > 0))
        return f;
    double off = 2 * sqrt(came) / seconds;
    f.known = true;
    f.expected = left / f.rate;
    f.soonest = left / (f.rate + off);
    f.latest = f.rate > off ? left / (f.rate - off) : INFINITY;
    return f;
}

void forecast_put(struct draft *d, const struct forecast *f)
{
    char a[32], b[32], range[96] = "";
    if (!f->known || f->expected > TOO_FAR_S)
        return;
    text_ns((int64_t)(f->soonest * 1e9), a, sizeof(a));
    if (f->latest < TOO_FAR_S)
        snprintf(range, sizeof(range), "between %s and %s", a,
                 text_ns((int64_t)(f->latest * 1e9), b, sizeof(b)));
    else
        snprintf(range, sizeof(range), "not before %s", a);
    draft_evidence(d, "forecast", "ns", f->expected * 1e9, "the limit is reached in %s", range);
    draft_evidence(d, "forecast_soonest", "ns", f->soonest * 1e9, "at the soonest in %s", a);
}
