// The sub-commands of `translate`. Each adds its options to the command line and, once they are
// parsed, runs and returns the exit code: 0 done (and goals met), 1 goals missed or training
// failed, 2 wrong usage, 3 a file that cannot be read or written. Errors are thrown to main.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>

#include "examples/program.h"
#include "examples/translate/source.h"

namespace heed::translate {

Run add_train(CLI::App& app);
Run add_translate(CLI::App& app);
Run add_evaluate(CLI::App& app);
Run add_align(CLI::App& app);
Run add_corpus(CLI::App& app);
Run add_attention(CLI::App& app);
Run add_mechanisms(CLI::App& app);

/// The options that name data, shared by train, evaluate and align. The result is filled when the
/// command line is parsed.
std::shared_ptr<SourceOptions> add_source_options(CLI::App& app, bool training);

/// Checks that an option is a number in this range.
CLI::Validator between(double least, double most);

/// Checks that an option is one of these words.
CLI::Validator one_of(const std::vector<std::string>& words);

/// One line of JSON on standard output.
void print_json(const nlohmann::ordered_json& j);

}  // namespace heed::translate
