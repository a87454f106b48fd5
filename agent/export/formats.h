// The writers behind the table of formats in export.c.
#ifndef LOOPSCOPE_EXPORT_FORMATS_H
#define LOOPSCOPE_EXPORT_FORMATS_H

#include "clean.h"
#include "export.h"

int export_markdown(const struct snap *s, const struct export_opts *o, FILE *out);
int export_html(const struct snap *s, const struct export_opts *o, FILE *out);
int export_folded(const struct snap *s, const struct export_opts *o, FILE *out);
int export_speedscope(const struct snap *s, const struct export_opts *o, FILE *out);
int export_trace(const struct snap *s, const struct export_opts *o, FILE *out);
int export_pprof(const struct snap *s, const struct export_opts *o, FILE *out);
int export_pprof_fds(const struct snap *s, const struct export_opts *o, FILE *out);
int export_pprof_tasks(const struct snap *s, const struct export_opts *o, FILE *out);
int export_openmetrics(const struct snap *s, const struct export_opts *o, FILE *out);
int export_prometheus(const struct snap *s, const struct export_opts *o, FILE *out);
int export_junit(const struct snap *s, const struct export_opts *o, FILE *out);

#endif
