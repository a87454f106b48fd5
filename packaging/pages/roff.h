// man(7) source: text escaped, so that a byte of a table can never be a request.
#ifndef LOOPSCOPE_ROFF_H
#define LOOPSCOPE_ROFF_H

#include <stdio.h>

void roff_text(FILE *out, const char *text); // one line; `words` in back quotes come out bold
void roff_bold(FILE *out, const char *text);
void roff_italic(FILE *out, const char *text);
void roff_section(FILE *out, const char *title);
void roff_literal(FILE *out, const char *lines); // an indented block, set as it is

#endif
