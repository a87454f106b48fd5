// The JSON schema is kept as the file that users read.
#include "embed.h"
#include "export.h"

EMBED(loopscope_schema, EMBED_SCHEMA);

void export_schema(FILE *out)
{
    fwrite(loopscope_schema, 1, (size_t)(loopscope_schema_end - loopscope_schema), out);
}
