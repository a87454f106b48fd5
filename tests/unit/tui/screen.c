#include "screen.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void screen_locale(void)
{
    if (!setlocale(LC_ALL, "C.UTF-8"))
        fail_msg("the locale C.UTF-8 is missing");
}

void screen_open(struct ui *ui, struct snap *s, int rows, int cols)
{
    ui_init(ui);
    ui_resize(ui, rows, cols);
    ui_snapshot(ui, s);
    snap_unref(s);
    ui_prepare(ui);
}

void screen_keys(struct ui *ui, const char *keys)
{
    for (; *keys; keys++) {
        ui_prepare(ui);
        ui_key(ui, (unsigned char)*keys);
    }
    ui_prepare(ui);
}

static char *draw(struct ui *ui, bool ascii, void (*print)(const struct canvas *, FILE *))
{
    char *text = NULL;
    size_t size;
    struct canvas *c = canvas_new(ui->rows, ui->cols, ascii);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    ui_prepare(ui);
    c->braille = ui->braille;
    frame_draw(ui, c);
    print(c, out);
    fclose(out);
    canvas_free(c);
    return text;
}

char *screen_text(struct ui *ui, bool ascii)
{
    return draw(ui, ascii, canvas_print);
}

char *screen_styles(struct ui *ui)
{
    return draw(ui, false, canvas_print_styles);
}

char *screen_mono(struct ui *ui)
{
    return draw(ui, false, canvas_print_mono);
}

static char *read_file(const char *path)
{
    FILE *in = fopen(path, "r");
    if (!in)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', in) < 0)
        text = strdup("");
    fclose(in);
    return text;
}

static void first_difference(const char *name, const char *want, const char *got)
{
    int line = 1;
    const char *line_want = want, *line_got = got;
    for (; *want && *want == *got; want++, got++) {
        if (*want == '\n') {
            line++;
            line_want = want + 1;
            line_got = got + 1;
        }
    }
    fail_msg("%s differs in line %d (UPDATE_GOLDEN=1 rewrites)\n want: %.*s\n got:  %.*s", name,
             line, (int)strcspn(line_want, "\n"), line_want, (int)strcspn(line_got, "\n"),
             line_got);
}

void screen_golden(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), GOLDEN_DIR "/%s", name);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(text, out);
        fclose(out);
        return;
    }
    char *want = read_file(path);
    if (!want)
        fail_msg("%s: %s (UPDATE_GOLDEN=1 writes it)", path, strerror(errno));
    if (strcmp(want, text) != 0)
        first_difference(name, want, text);
    free(want);
}
