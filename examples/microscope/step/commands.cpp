// Looking up and running a command.
#include "examples/microscope/step/commands.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "examples/console/utf8.h"

namespace heed::microscope::stepper {
namespace {

Report help(Stepper& s, const Words& arguments) {
  return help_report(s, arguments.empty() ? "" : arguments[0]);
}

Report quit(Stepper& s, const Words&) {
  s.quit = true;
  return {};
}

bool named(const StepCommand& c, const std::string& name) {
  return std::find(c.names.begin(), c.names.end(), name) != c.names.end();
}

const StepCommand* find_command(const std::string& name) {
  const auto& all = step_commands();
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const StepCommand& c) { return named(c, name); });
  return it == all.end() ? nullptr : &*it;
}

std::string joined(const std::vector<std::string>& all, const std::string& between) {
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : between) + one;
  return text;
}

[[noreturn]] void fail_unknown(const std::string& name) {
  std::vector<std::string> names;
  for (const StepCommand& c : step_commands())
    names.insert(names.end(), c.names.begin(), c.names.end());
  const std::vector<std::string> close = near(name, names);
  require(false, "expected a command, got '{}'; {}", printable(name),
          close.empty() ? "? lists them" : "near it: " + joined(close, ", "));
  throw std::logic_error("unreachable");
}

// What a number typed alone means: the answer to a prediction.
bool looks_like_numbers(const Words& words) {
  return std::all_of(words.begin(), words.end(), [](const std::string& w) {
    const size_t first = w.find_first_not_of("+-.");
    return first != std::string::npos && first <= 2 && w[first] >= '0' && w[first] <= '9';
  });
}

}  // namespace

const std::vector<StepCommand>& step_commands() {
  static const std::vector<StepCommand> all = [] {
    std::vector<StepCommand> list = moving_commands();
    for (auto* more : {showing_commands, picture_commands, rerunning_commands, asking_commands})
      for (StepCommand& c : more()) list.push_back(std::move(c));
    list.push_back({{"?", "help", "h"}, "[command]", "this help", "帮助", 0, 1, help});
    list.push_back({{"q", "quit", "exit"}, "", "ends", "退出", 0, 0, quit});
    return list;
  }();
  return all;
}

std::vector<std::string> script_of(const std::string& text) {
  std::vector<std::string> all(1);
  char quote = 0;
  for (const char c : text) {
    if (quote == 0 && (c == ';' || c == '\n')) {
      all.emplace_back();
      continue;
    }
    if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == quote)
      quote = 0;
    all.back() += c;
  }
  std::erase_if(all, [](const std::string& one) {
    return one.find_first_not_of(" \t\r") == std::string::npos;
  });
  return all;
}

Words command_words(const std::string& command) {
  Words words;
  char quote = 0;
  bool inside = false;
  for (const char c : command) {
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\r')) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == quote)
      quote = 0;
    else
      words.back() += c;
  }
  require(quote == 0, "expected a closing {} in: {}", quote, printable(command));
  return words;
}

int number_argument(const std::string& what, const std::string& text, int least, int most) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, value);
  require(error == std::errc() && next == end && value >= least && value <= most,
          "{}: expected an integer from {} to {}, got '{}'", what, least, most, printable(text));
  return value;
}

Report run_command(Stepper& s, const std::string& command) {
  Words words = command_words(command);
  if (words.empty()) return {};
  if (s.predicting && looks_like_numbers(words)) words.insert(words.begin(), "predict");
  const std::string name = words[0];
  words.erase(words.begin());
  const StepCommand* c = find_command(name);
  if (!c) fail_unknown(name);
  const std::string usage = c->names[0] + (c->usage.empty() ? "" : " " + c->usage);
  require(words.size() >= c->least && words.size() <= c->most, "{}: expected {}, got {} argument{}",
          name, c->most == 0 ? "no argument" : usage, words.size(), words.size() == 1 ? "" : "s");
  try {
    return c->run(s, words);
  } catch (const std::invalid_argument& e) {
    const std::string text = e.what();
    require(false, "{}", text.starts_with(name + ":") ? text : name + ": " + text);
    throw;
  } catch (const std::logic_error& e) {  // a trace that is not what its ops' names promise
    require(false, "{}: this cannot be computed here ({})", name, e.what());
    throw;
  } catch (const Json::exception&) {
    require(false, "{}: this trace holds an op whose attributes do not fit its name", name);
    throw;
  }
}

Report help_report(const Stepper& s, const std::string& name) {
  Report r;
  const auto add = [&](const StepCommand& c) {
    const std::string left = " " + joined(c.names, " ") + (c.usage.empty() ? "" : " " + c.usage);
    const std::string gap(static_cast<size_t>(std::max(2, 30 - display_width(left))), ' ');
    r.items.emplace_back(Text{.text = left + gap + s.pick(c.en, c.zh), .indent = 30});
  };
  if (!name.empty()) {
    const StepCommand* c = find_command(name);
    if (!c) fail_unknown(name);
    add(*c);
    return r;
  }
  r.say(s.pick("commands; a tensor is e, #12, H[1] or dec.t2.e; ';' parts commands",
               "命令；张量写作 e、#12、H[1] 或 dec.t2.e；用 ';' 分隔命令"),
        Tone::head);
  for (const StepCommand& c : step_commands()) add(c);
  return r;
}

}  // namespace heed::microscope::stepper
