// What the programs have in common: sub-commands with options, exit codes, and what is said when
// something goes wrong. Exit code 0 done, 1 what the command judges failed, 2 wrong usage, 3 a file
// that cannot be read or written. CLI11 does the parsing, in command_line.cpp and nowhere else: its
// headers cost ten seconds of compile time in every file that includes them.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace heed {

/// One option of a command; every method but the last two narrows it and returns it.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  /// Only numbers of this range.
  Option& between(double least, double most);
  /// Only these words.
  Option& one_of(const std::vector<std::string>& words);
  /// Only what `fault` returns "" for; else its sentence is the error.
  Option& check(std::function<std::string(const std::string&)> fault);
  /// --help tells the value that it has without being given.
  Option& show_default();
  Option& required();
  Option& needs(Option other);
  Option& excludes(Option other);
  /// Several values in one word, between these.
  Option& delimiter(char mark);
  /// A list of values; given again, it goes on.
  Option& go_on();
  /// A list of one value; given again, the last one counts.
  Option& last_of_list();
  /// How often it was given.
  [[nodiscard]] int64_t count() const;
  [[nodiscard]] std::string name() const;

 private:
  CLI::Option* option_;
};

/// The options of a command. What the values are bound to must live until the command has run.
class CommandLine {
 public:
  explicit CommandLine(CLI::App* app) : app_(app) {}
  CommandLine add_command(const std::string& name, const std::string& about);
  /// Whether this command was named, once all is parsed.
  [[nodiscard]] bool named() const;
  /// Words that are no option's are no error here but `others`.
  void allow_others();
  [[nodiscard]] std::vector<std::string> others() const;

  /// "-o,--out" is an option, "file" a positional argument.
  Option add_option(const std::string& names, std::string& value, const std::string& about);
  Option add_option(const std::string& names, int& value, const std::string& about);
  Option add_option(const std::string& names, int64_t& value, const std::string& about);
  Option add_option(const std::string& names, uint64_t& value, const std::string& about);
  Option add_option(const std::string& names, double& value, const std::string& about);
  Option add_option(const std::string& names, std::optional<std::string>& value,
                    const std::string& about);
  Option add_option(const std::string& names, std::optional<int64_t>& value,
                    const std::string& about);
  Option add_option(const std::string& names, std::optional<uint64_t>& value,
                    const std::string& about);
  Option add_option(const std::string& names, std::optional<double>& value,
                    const std::string& about);
  Option add_option(const std::string& names, std::vector<std::string>& values,
                    const std::string& about);
  Option add_option(const std::string& names, std::vector<int64_t>& values,
                    const std::string& about);
  /// `take` is called with the text.
  Option add_option(const std::string& names, std::function<void(const std::string&)> take,
                    const std::string& about);
  Option add_flag(const std::string& names, bool& value, const std::string& about);

 private:
  CLI::App* app_;
};

/// Runs a command whose options have been parsed and returns the exit code.
using Run = std::function<int()>;

struct Command {
  const char* name;
  Run (*add)(CommandLine& program);  // adds its options
};

struct Program {
  const char *name, *about;
  std::vector<Command> commands;
  const char* out_of_memory;  // what helps then
};

/// Parses the command line, runs the command that it names, and turns what is thrown into a line
/// on standard error and an exit code.
int run_program(const Program& program, int argc, char** argv);

}  // namespace heed
