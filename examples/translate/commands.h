// The sub-commands of `translate`. Each adds its options to the command line and, once they are
// parsed, runs and returns the exit code: 0 done (and goals met), 1 goals missed or training
// failed, 2 wrong usage, 3 a file that cannot be read or written. Errors are thrown to main.
#pragma once
#include <memory>

#include "examples/console/command_line.h"
#include "examples/translate/source.h"

namespace heed::translate {

Run add_train(CommandLine& program);
Run add_translate(CommandLine& program);
Run add_evaluate(CommandLine& program);
Run add_align(CommandLine& program);
Run add_corpus(CommandLine& program);
Run add_attention(CommandLine& program);
Run add_mechanisms(CommandLine& program);

/// The options that name data, shared by train, evaluate and align. The result is filled when the
/// command line is parsed.
std::shared_ptr<SourceOptions> add_source_options(CommandLine& app, bool training);

/// One line of JSON on standard output.
void print_json(const nlohmann::ordered_json& j);

}  // namespace heed::translate
