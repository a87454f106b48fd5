// Text from a target is hostile: task names, paths and thread names may hold escape sequences, broken
// UTF-8, direction overrides. Everything that reaches a screen, a file or a clipboard passes here.
#ifndef LOOPSCOPE_TUI_TEXT_H
#define LOOPSCOPE_TUI_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_REPLACEMENT 0xfffdu

// Decodes one character that is safe to show. Control characters and broken bytes come out as
// TEXT_REPLACEMENT, tab and newline as a space; invisible ones (zero width, direction) as 0 with width 0:
// skip them. Returns the bytes consumed, 0 at the end of the text. Widths need an UTF-8 LC_CTYPE.
int text_next(const char *s, uint32_t *ret_ch, int *ret_width);
int text_width(const char *s);
// Appends ch as UTF-8 (at most 4 bytes, no NUL); returns the bytes.
int text_encode(uint32_t ch, char *out);
// A safe copy, cut at a character's border; always terminated. NULL gives "".
char *text_clean(char *out, size_t size, const char *in);
// The last component of a path; never NULL ("-" for NULL).
const char *text_base(const char *path);

#endif
