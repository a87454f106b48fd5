// When a limit is reached by what comes in one by one: with a range, because a count is certain only to
// about its root.
#ifndef LOOPSCOPE_FORECAST_H
#define LOOPSCOPE_FORECAST_H

#include "engine.h"

struct forecast {                     // seconds to the limit
    double rate;                      // a second; NAN not known
    double soonest, expected, latest; // latest: INFINITY when the rate may as well be none
    bool known;                       // the three of them
};

// left: until the limit (NAN: it is not known); came: in so many seconds.
struct forecast forecast_of(double left, double came, double seconds);
void forecast_put(struct draft *d, const struct forecast *f); // as evidence, where it is known

#endif
