#include <algorithm>

#include <CLI/CLI.hpp>

#include "service/config_load.h"
#include "service/config_text.h"

namespace ringtalk::service {
namespace {

// What CLI11 fills for one key; turned into assignments afterwards.
struct Given {
  const ConfigKey* key;
  CLI::Option* option;
  std::vector<std::string> texts;
};

std::string longest_name(const std::string& flag) {
  const size_t comma = flag.find(',');
  return comma == std::string::npos ? flag : flag.substr(comma + 1);
}

void add_key_flags(CLI::App& app, std::vector<Given>& given) {
  given.reserve(config_keys().size());  // options keep pointers into it
  for (const ConfigKey& key : config_keys()) {
    if (key.flag == nullptr) continue;
    Given& each = given.emplace_back(Given{&key, nullptr, {}});
    if (key.is_switch) {
      each.option = app.add_flag(key.flag, key.meaning);
    } else {
      each.option = app.add_option(key.flag, each.texts, key.meaning);
      each.option->type_name(key.shape)->expected(1)->multi_option_policy(
          key.is_list ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    }
  }
}

base::Status<ConfigError> add_settings(const std::vector<std::string>& settings,
                                       std::vector<Assignment>& assignments) {
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      return base::Failure{
          ConfigError{"flag --set " + setting + ": no `=`; write --set section.key=value"}};
    }
    const std::string name = setting.substr(0, equals);
    const std::string value = setting.substr(equals + 1);
    const ConfigKey* key = find_config_key(name);
    std::vector<std::string> texts =
        key != nullptr && key->is_list ? split_list(value) : std::vector<std::string>{value};
    assignments.push_back({name, std::move(texts), "flag --set"});
  }
  return base::Done{};
}

std::string unknown_argument(const std::string& argument) {
  std::string nearest = "--help";
  for (const ConfigKey& key : config_keys()) {
    if (key.flag == nullptr) continue;
    const std::string name = longest_name(key.flag);
    if (edit_distance(name, argument) < edit_distance(nearest, argument)) nearest = name;
  }
  return "unknown argument " + argument + "; did you mean " + nearest +
         "? `ringtalkd --help` names all";
}

}  // namespace

base::Result<CommandLine, ConfigError> parse_command_line(int argc, const char* const* argv,
                                                          const char* version) {
  CommandLine line;
  CLI::App app("ringtalkd: a server for instant messages\n\nWithout a command it serves.",
               "ringtalkd");
  std::vector<Given> given;
  std::vector<std::string> settings;
  const CLI::Option* file =
      app.add_option("--config", line.file, "TOML; flags and RINGTALK_... come before it")
          ->type_name("FILE");
  app.add_option("--set", settings, "any key of --print-config; repeatable")
      ->type_name("section.key=value")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--check-config", line.check_config, "say whether the configuration is good");
  app.add_flag("--print-config", line.print_config, "print every value with its origin");
  bool print_version = false;
  app.add_flag("--version", print_version, "print the version");
  add_key_flags(app, given);
  app.add_subcommand("run", "serve (the default)")->fallthrough();
  CLI::App* migrate = app.add_subcommand("migrate", "bring the store to this version");
  migrate->fallthrough();
  migrate->add_flag("--dry-run", line.dry_run, "name the steps and change nothing");
  app.require_subcommand(0, 1);
  app.allow_extras();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    line.print = app.help();
    return line;
  } catch (const CLI::Error& error) {
    return base::Failure{
        ConfigError{std::string(error.what()) + "; `ringtalkd --help` names all flags"}};
  }
  if (!app.remaining(true).empty()) {
    return base::Failure{ConfigError{unknown_argument(app.remaining(true).front())}};
  }
  if (file->count() > 0 && line.file.empty()) {
    return base::Failure{ConfigError{"flag --config: names no file; write --config FILE"}};
  }
  if (print_version) line.print = std::string("ringtalkd ") + version + "\n";
  if (migrate->parsed()) line.command = Command::migrate;
  for (const Given& each : given) {
    if (each.option->count() == 0) continue;
    std::vector<std::string> texts =
        each.key->is_switch ? std::vector<std::string>{"true"} : each.texts;
    line.assignments.push_back(
        {each.key->name, std::move(texts), "flag " + longest_name(each.key->flag)});
  }
  const auto done = add_settings(settings, line.assignments);
  if (!done) return base::Failure{done.error()};
  return line;
}

}  // namespace ringtalk::service
