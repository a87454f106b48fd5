// A growing list is three fields of its owner: the items, how many there are, and for how many there is room. All zero
// is an empty one; free(items) ends it. Here is what all of them share, and how an ordered one is searched.
#ifndef LOOPSCOPE_LIST_H
#define LOOPSCOPE_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define LIST_FIRST 16 // items that the first memory of a list has room for

// Room for one more item than n; false: out of memory, and the list is as it was.
#define list_room(items, n, capacity)                                                              \
    ((size_t)(n) < (size_t)(capacity) || ({                                                        \
         size_t more_ = (capacity) > 0 ? 2 * (size_t)(capacity) : LIST_FIRST;                      \
         void *items_ = reallocarray((items), more_, sizeof *(items));                             \
         if (items_) {                                                                             \
             (items) = items_;                                                                     \
             (capacity) = (__typeof__(capacity))more_;                                             \
         }                                                                                         \
         items_ != NULL;                                                                           \
     }))

// The same, where nothing sensible can be done without memory.
#define list_must_have_room(items, n, capacity)                                                    \
    do {                                                                                           \
        if (!list_room(items, n, capacity))                                                        \
            abort();                                                                               \
    } while (0)

// Where an ordered list divides: how many of its items come before the first for which `before` is false. `before` is
// an expression about `item`, a pointer that it names; after its first false item it holds for none.
#define list_divide(items, n, item, before)                                                        \
    ({                                                                                             \
        size_t low_ = 0, high_ = (size_t)(n);                                                      \
        while (low_ < high_) {                                                                     \
            size_t middle_ = low_ + (high_ - low_) / 2;                                            \
            const __typeof__(*(items)) *item = &(items)[middle_];                                  \
            if (before)                                                                            \
                low_ = middle_ + 1;                                                                \
            else                                                                                   \
                high_ = middle_;                                                                   \
        }                                                                                          \
        low_;                                                                                      \
    })

// For qsort and bsearch: the order of items that begin with a uint64_t.
static inline int list_by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

#endif
