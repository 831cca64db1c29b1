#include "examples/console/command_line.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string_view>

#include "core/error.h"
#include "core/version.h"

namespace heed {

// ---- options ----

Option& Option::between(double least, double most) {
  return check([=](const std::string& text) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const bool number = !text.empty() && *end == '\0';
    if (number && value >= least && value <= most) return "";
    return fmt::format("expected a number from {:.15g} to {:.15g}, got '{}'", least, most, text);
  });
}

Option& Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::Validator(CLI::IsMember(words)).description(""));
  return *this;
}

Option& Option::check(std::function<std::string(const std::string&)> fault) {
  option_->check(
      CLI::Validator([fault = std::move(fault)](std::string& text) { return fault(text); }, ""));
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}
Option& Option::required() {
  option_->required();
  return *this;
}
Option& Option::needs(Option other) {
  option_->needs(other.option_);
  return *this;
}
Option& Option::excludes(Option other) {
  option_->excludes(other.option_);
  return *this;
}
Option& Option::delimiter(char mark) {
  option_->delimiter(mark);
  return *this;
}
Option& Option::go_on() {
  option_->take_all();
  return *this;
}
Option& Option::last_of_list() {
  option_->expected(1)->take_last();
  return *this;
}
int64_t Option::count() const {
  return static_cast<int64_t>(option_->count());
}
std::string Option::name() const {
  return option_->get_name();
}

// ---- commands ----

CommandLine CommandLine::add_command(const std::string& name, const std::string& about) {
  return CommandLine(app_->add_subcommand(name, about));
}

bool CommandLine::named() const {
  return app_->parsed();
}
void CommandLine::allow_others() {
  app_->allow_extras();
}
std::vector<std::string> CommandLine::others() const {
  return app_->remaining();
}

Option CommandLine::add_option(const std::string& names, std::string& value,
                               const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, int& value, const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, int64_t& value, const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, uint64_t& value,
                               const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, double& value, const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, std::optional<std::string>& value,
                               const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, std::optional<int64_t>& value,
                               const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, std::optional<uint64_t>& value,
                               const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, std::optional<double>& value,
                               const std::string& about) {
  return Option(app_->add_option(names, value, about));
}
Option CommandLine::add_option(const std::string& names, std::vector<std::string>& values,
                               const std::string& about) {
  return Option(app_->add_option(names, values, about));
}
Option CommandLine::add_option(const std::string& names, std::vector<int64_t>& values,
                               const std::string& about) {
  return Option(app_->add_option(names, values, about));
}
Option CommandLine::add_option(const std::string& names,
                               std::function<void(const std::string&)> take,
                               const std::string& about) {
  return Option(app_->add_option_function<std::string>(names, std::move(take), about));
}
Option CommandLine::add_flag(const std::string& names, bool& value, const std::string& about) {
  return Option(app_->add_flag(names, value, about));
}

// ---- programs ----

namespace {

std::string commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands({})) names.push_back(c->get_name());
  return fmt::to_string(fmt::join(names, ", "));
}

// The command of a command ... that the user named, or the program.
const CLI::App& last_named(const CLI::App& app) {
  const std::vector<CLI::App*> named = app.get_subcommands();
  return named.empty() ? app : last_named(*named.front());
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  const auto fail = [&](std::string_view what, int code) {
    std::cerr << program.name << ": " << what << "\n";
    return code;
  };
  CLI::App app{program.about, program.name};
  try {
    app.set_version_flag("--version", [&] { return version_text(program.name); });
    app.require_subcommand(0, 1);
    app.option_defaults()->take_last();  // a script's options can be overridden
    app.get_formatter()->column_width(28);
    app.get_formatter()->label("Needs", "with");
    app.get_formatter()->label("Excludes", "not with");
    for (const char* type : {"INT", "UINT", "FLOAT"}) app.get_formatter()->label(type, "N");
    CommandLine line(&app);
    std::vector<Run> runs;
    for (const Command& c : program.commands) runs.push_back(c.add(line));
    app.parse(argc, argv);
    for (size_t i = 0; i < runs.size(); ++i)
      if (app.got_subcommand(program.commands[i].name)) {
        const int code = runs[i]();
        std::cout.flush();
        if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout))
          fail_file("standard output", "not all of it could be written; is the disk full?");
        return code;
      }
    require(false, "expected a command ({}), got none", commands_of(app));
  } catch (const CLI::ParseError& e) {
    if (dynamic_cast<const CLI::ExtrasError*>(&e)) {
      const std::vector<std::string> left_over = app.remaining(true);
      const CLI::App& last = last_named(app);
      const bool command = left_over[0][0] != '-' && !last.get_subcommands({}).empty();
      return fail(
          command
              ? fmt::format("expected a command ({}), got '{}'", commands_of(last), left_over[0])
              : fmt::format("not expected: {}; --help lists what is", fmt::join(left_over, " ")),
          2);
    }
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const FileError& e) {
    return fail(e.what(), 3);
  } catch (const std::invalid_argument& e) {
    return fail(e.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail(program.out_of_memory, 1);
  } catch (const std::exception& e) {  // a diverged training or a bug: not the usage
    return fail(e.what(), 1);
  }
  return 2;
}

}  // namespace heed
