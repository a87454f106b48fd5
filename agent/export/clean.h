// A target's bytes made safe to show: one place decides what a terminal or a text file may get.
#ifndef LOOPSCOPE_EXPORT_CLEAN_H
#define LOOPSCOPE_EXPORT_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Decodes one character of text[0..n). Returns its length in bytes; *ret is 0xFFFD and the length 1
// where the bytes are no valid UTF-8.
size_t utf8_next(const char *text, size_t n, uint32_t *ret);
size_t utf8_put(uint32_t c, char out[4]);

// Control characters (C0, C1, DEL), line separators and bidirectional overrides: never shown as such.
bool is_unsafe(uint32_t c);

// Prints text (NULL: nothing) in one line: unsafe characters as '?', or U+FFFD where ascii is false.
void clean_print(FILE *out, const char *text, bool ascii);
// The same into buf of at least 8 bytes, cut with "..." at max characters (0: as size allows).
const char *clean(const char *text, int max, char *buf, size_t size);
size_t clean_width(const char *text); // columns, wide characters count 2

#endif
