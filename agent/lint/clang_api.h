// libclang, opened at run time: an LLVM is 100 MB that only this command needs.
#ifndef LOOPSCOPE_LINT_CLANG_API_H
#define LOOPSCOPE_LINT_CLANG_API_H

#include <clang-c/CXCompilationDatabase.h>
#include <clang-c/Index.h>

#include "../error.h"

// Each is called as api->name(...) with the signature of clang-c/Index.h.
// clang-format off
#define CLANG_FUNCTIONS(X) \
    X(createIndex) X(disposeIndex) X(parseTranslationUnit2) X(disposeTranslationUnit) \
    X(getTranslationUnitCursor) X(visitChildren) X(getCursorKind) X(getCursorReferenced) \
    X(getCursorSpelling) X(getCursorLocation) X(getCursorExtent) X(getRangeEnd) \
    X(getExpansionLocation) X(Location_isFromMainFile) X(isCursorDefinition) X(getCursorType) \
    X(getTypeSpelling) X(getCString) X(disposeString) X(Cursor_getNumArguments) \
    X(Cursor_getArgument) X(Cursor_Evaluate) X(EvalResult_getKind) X(EvalResult_getAsLongLong) \
    X(EvalResult_dispose) X(getNumDiagnostics) X(getDiagnostic) X(getDiagnosticSeverity) \
    X(getDiagnosticSpelling) X(getDiagnosticLocation) X(disposeDiagnostic) \
    X(CompilationDatabase_fromDirectory) X(CompilationDatabase_dispose) \
    X(CompilationDatabase_getCompileCommands) X(CompileCommands_dispose) \
    X(CompileCommands_getSize) X(CompileCommands_getCommand) X(CompileCommand_getNumArgs) \
    X(CompileCommand_getArg) X(CompileCommand_getDirectory)
// clang-format on

struct clang_api {
#define CLANG_FIELD(name) __typeof__(clang_##name) *name;
    CLANG_FUNCTIONS(CLANG_FIELD)
#undef CLANG_FIELD
    void *library;
};

// -ENOENT with *err filled when no libclang is installed.
int clang_api_open(struct clang_api *api, struct error *err);
void clang_api_close(struct clang_api *api);

#endif
