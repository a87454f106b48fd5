#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../agent/opts.h"
#include "view.h"

static const char *base_dir(const char *variable, const char *under_home, char *buf, size_t size)
{
    const char *dir = getenv(variable), *home = getenv("HOME");
    if (dir && dir[0] == '/') // the specification: relative ones are to be ignored
        snprintf(buf, size, "%s/loopscope", dir);
    else if (home && home[0] == '/')
        snprintf(buf, size, "%s/%s/loopscope", home, under_home);
    else
        return NULL;
    return buf;
}

static int make_dirs(const char *path)
{
    char part[512];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

const char *settings_state_path(const char *name, char *buf, size_t size)
{
    char dir[400];
    if (!base_dir("XDG_STATE_HOME", ".local/state", dir, sizeof(dir)) || make_dirs(dir) < 0)
        return NULL;
    snprintf(buf, size, "%s/%s", dir, name);
    return buf;
}

static int table_named(const char *name)
{
    for (int t = 0; t < TABLE_COUNT; t++)
        if (strcmp(tables[t]->name, name) == 0)
            return t;
    return -1;
}

static int column_named(const struct table *t, const char *title)
{
    for (int c = 0; c < t->ncolumns; c++)
        if (strcmp(t->columns[c].title, title) == 0)
            return c;
    return -1;
}

// "-TITLE" is inverted.
static bool apply_sort(struct ui *ui, int table, const char *value)
{
    bool invert = *value == '-';
    int column = column_named(tables[table], value + invert);
    if (column < 0)
        return false;
    ui->tables[table].sort = column;
    ui->tables[table].invert = invert;
    return true;
}

static bool apply_hidden(struct ui *ui, int table, char *value)
{
    char *rest = NULL;
    for (char *title = strtok_r(value, ",", &rest); title; title = strtok_r(NULL, ",", &rest)) {
        int column = column_named(tables[table], title);
        if (column < 0)
            return false;
        ui->tables[table].hidden |= 1u << column;
    }
    return true;
}

static bool apply_delay(struct ui *ui, const char *value)
{
    int64_t ns;
    if (parse_duration(value, &ns) < 0 || ns < 100000000LL)
        return false;
    ui->delay_ns = ns;
    return true;
}

static bool apply(struct ui *ui, const char *key, char *value)
{
    const char *dot = strchr(key, '.');
    int table = dot ? table_named(dot + 1) : -1;
    if (table >= 0 && strncmp(key, "sort.", 5) == 0)
        return apply_sort(ui, table, value);
    if (table >= 0 && strncmp(key, "hidden.", 7) == 0)
        return apply_hidden(ui, table, value);
    if (strcmp(key, "ascii") == 0)
        ui->ascii = ui->ascii || strcmp(value, "yes") == 0;
    else if (strcmp(key, "charts") == 0)
        ui->braille = strcmp(value, "braille") == 0;
    else if (strcmp(key, "colors") == 0)
        ui->mono = strcmp(value, "no") == 0;
    else if (strcmp(key, "delay") == 0)
        return apply_delay(ui, value);
    else
        return false;
    return true;
}

bool settings_apply(struct ui *ui, const char *line)
{
    char copy[512];
    snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line, "\n"), line);
    char *equals = strchr(copy, '=');
    if (copy[0] == '#' || !equals)
        return false;
    *equals = '\0';
    return apply(ui, copy, equals + 1);
}

static void load_file(struct ui *ui, const char *path)
{
    FILE *in = fopen(path, "re");
    char line[512];
    while (in && fgets(line, sizeof(line), in))
        settings_apply(ui, line);
    if (in)
        fclose(in);
}

void settings_load(struct ui *ui)
{
    char dir[400], path[500];
    if (base_dir("XDG_STATE_HOME", ".local/state", dir, sizeof(dir))) {
        snprintf(path, sizeof(path), "%s/state", dir);
        load_file(ui, path);
    }
    if (base_dir("XDG_CONFIG_HOME", ".config", dir, sizeof(dir))) { // the user's word wins
        snprintf(path, sizeof(path), "%s/config", dir);
        load_file(ui, path);
    }
}

static void write_state(const struct ui *ui, FILE *out)
{
    fputs("# written by loopscope; settings of your own belong into its config file\n", out);
    if (ui->braille)
        fputs("charts=braille\n", out);
    if (ui->mono)
        fputs("colors=no\n", out);
    for (int t = 0; t < TABLE_COUNT; t++) {
        const struct table_state *s = &ui->tables[t];
        if (s->sort > 0)
            fprintf(out, "sort.%s=%s%s\n", tables[t]->name, s->invert ? "-" : "",
                    tables[t]->columns[s->sort].title);
        const char *before = "";
        for (int c = 0; c < tables[t]->ncolumns; c++) {
            if (!(s->hidden & 1u << c))
                continue;
            if (!*before)
                fprintf(out, "hidden.%s=", tables[t]->name);
            fprintf(out, "%s%s", before, tables[t]->columns[c].title);
            before = ",";
        }
        if (*before)
            fputc('\n', out);
    }
}

int settings_save(const struct ui *ui)
{
    char path[512], temporary[600];
    if (!settings_state_path("state", path, sizeof(path)))
        return -ENOENT;
    snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
    FILE *out = fopen(temporary, "we");
    if (!out)
        return -errno;
    write_state(ui, out);
    int rc = ferror(out) || fflush(out) != 0 ? -EIO : 0;
    if (fclose(out) != 0 && rc == 0)
        rc = -EIO;
    if (rc == 0 && rename(temporary, path) < 0)
        rc = -errno;
    if (rc < 0)
        unlink(temporary);
    return rc;
}
