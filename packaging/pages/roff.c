#include "roff.h"

#include <stdbool.h>
#include <string.h>

static void put(FILE *out, char c)
{
    switch (c) {
    case '\\': fputs("\\e", out); break;
    case '-': fputs("\\-", out); break;
    case '\'': fputs("\\(aq", out); break;
    case '^': fputs("\\(ha", out); break;
    case '~': fputs("\\(ti", out); break;
    case '`': fputs("\\(ga", out); break;
    case '\n': fputc(' ', out); break;
    default: fputc(c, out);
    }
}

static void put_all(FILE *out, const char *text, size_t n)
{
    if (n > 0 && text[0] == '.')
        fputs("\\&", out);
    for (size_t i = 0; i < n; i++)
        put(out, text[i]);
}

void roff_text(FILE *out, const char *text)
{
    bool bold = false;
    while (*text) {
        size_t n = strcspn(text, "`");
        put_all(out, text, n);
        text += n;
        if (*text) {
            fputs(bold ? "\\fR" : "\\fB", out);
            bold = !bold;
            text++;
        }
    }
    fputs(bold ? "\\fR\n" : "\n", out);
}

static void put_in_font(FILE *out, char font, const char *text)
{
    fprintf(out, "\\f%c", font);
    put_all(out, text, strlen(text));
    fputs("\\fR", out);
}

void roff_bold(FILE *out, const char *text)
{
    put_in_font(out, 'B', text);
}

void roff_italic(FILE *out, const char *text)
{
    put_in_font(out, 'I', text);
}

void roff_section(FILE *out, const char *title)
{
    fprintf(out, ".SH %s\n", title);
}

void roff_literal(FILE *out, const char *lines)
{
    fputs(".RS 4\n.nf\n", out);
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        put_all(out, lines, n);
        fputc('\n', out);
        lines += n + (lines[n] == '\n');
    }
    fputs(".fi\n.RE\n", out);
}
