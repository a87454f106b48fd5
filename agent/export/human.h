// Numbers as a person says them. Unknown is "-".
#ifndef LOOPSCOPE_EXPORT_HUMAN_H
#define LOOPSCOPE_EXPORT_HUMAN_H

#include <stddef.h>
#include <stdint.h>

struct human { // a small value that can be used as an argument in place
    char text[32];
};
struct human human_ns(int64_t ns);       // "2.31 s", "640 ms", "4 min 30 s"
struct human human_count(int64_t n);     // "918 204"
struct human human_bytes(int64_t n);     // "21 MB"
struct human human_ratio(double ratio);  // "97.2 %"
struct human human_rate(double per_s);   // "+0.79/s"
const char *base_name(const char *path); // NULL gives NULL

#endif
