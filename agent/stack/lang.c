// The languages there are. Order matters only for speed: the first that attaches is asked first.
#include "lang.h"

extern const struct lang v8_lang, cpython_lang, lua51_lang;

const struct lang *const all_langs[] = {&v8_lang, &cpython_lang, &lua51_lang, NULL};
