// usage: loopscope-pages FOLDER COMPLETION-TEMPLATES   writes man1/*.1, loopscope.bash and _loopscope
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pages.h"

int fill_template(FILE *in, FILE *out, int (*fill_in)(FILE *out, const char *name))
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    for (ssize_t n; rc == 0 && (n = getline(&line, &size, in)) > 0;) {
        char name[32];
        int end = 0;
        if (sscanf(line, "@%31[a-z]@%n", name, &end) == 1 && end > 0)
            rc = fill_in(out, name);
        else
            fputs(line, out);
    }
    free(line);
    return rc;
}

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    if (!f)
        fprintf(stderr, "loopscope-pages: %s: %s\n", path, strerror(errno));
    return f;
}

static int written(FILE *f)
{
    bool bad = ferror(f) != 0;
    return fclose(f) != 0 || bad ? -EIO : 0;
}

static int write_manual(const char *folder)
{
    char name[64];
    FILE *f = create(folder, "man1/loopscope.1");
    if (!f)
        return -EIO;
    man_program(f);
    int rc = written(f);
    for (const struct command *c = commands; rc == 0 && c->name; c++) {
        snprintf(name, sizeof(name), "man1/loopscope-%s.1", c->name);
        f = create(folder, name);
        if (!f)
            return -EIO;
        man_command(f, c);
        rc = written(f);
    }
    return rc;
}

static int write_completion(const char *folder, const char *templates, const char *name,
                            int (*fill_in)(FILE *out, const char *name))
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.in", templates, name);
    FILE *in = fopen(path, "re"), *out = in ? create(folder, name) : NULL;
    int rc = in && out ? fill_template(in, out, fill_in) : -EIO;
    if (in)
        fclose(in);
    if (out && written(out) < 0)
        rc = -EIO;
    if (rc < 0)
        fprintf(stderr, "loopscope-pages: %s: %s\n", path, strerror(-rc));
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: loopscope-pages FOLDER TEMPLATES\n");
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof(path), "%s/man1", argv[1]);
    mkdir(path, 0755); // there already, or the first page tells
    int rc = write_manual(argv[1]);
    if (rc == 0)
        rc = write_completion(argv[1], argv[2], "loopscope.bash", bash_fill_in);
    if (rc == 0)
        rc = write_completion(argv[1], argv[2], "_loopscope", zsh_fill_in);
    return rc < 0;
}
