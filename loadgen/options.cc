// The command line; CLI11 stays in this file.
#include "loadgen/options.h"

#include <CLI/CLI.hpp>

#include <cstdio>

#include "loadgen/build_info.h"
#include "loadgen/nearest.h"

namespace ringtalk::loadgen {
namespace {

constexpr size_t kScenarioBytesMax = 1024 * 1024;

constexpr const char* kExitCodes =
    "Exit codes: 0 pass, 2 usage, 3 target unreachable, 98 invalid run, 99 a threshold failed\n"
    "(lost, duplicated or reordered messages are one), 104 bad scenario, 105 interrupted.";

// What the line says, before it is understood.
struct Line {
  std::string scenario;
  std::string targets = "127.0.0.1:7380";
  std::string connections, rate, duration, seed;
  std::string backend = "auto";
  std::vector<std::string> sets;
};

std::string run_footer() {
  std::string text = "Keys of a scenario, for TOML and --set (with the values of no preset):\n";
  for (const KeyInfo& key : keys(Scenario{})) {
    std::string line = "  " + std::string(key.name) + " = " + key.value;
    line.resize(std::max<size_t>(line.size() + 1, 32), ' ');
    text += line + std::string(key.meaning) + "\n";
  }
  return text + "\n" + kExitCodes;
}

base::Failure<NoRun> refuse(Exit exit, std::string text) {
  return base::Failure{NoRun{exit, "loadgen: " + std::move(text) + "\n"}};
}

// What CLI11 says of a line that it does not take, in words that help.
std::string explain(const CLI::ParseError& error, const CLI::App& run, int argc,
                    const char* const* argv) {
  const std::string said = error.what();
  const bool extra = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  const bool no_command = run.count() == 0 && !extra;
  if (no_command && argc > 1 && argv[1][0] != '-') {
    return "there is no command '" + std::string(argv[1]) + "', only run; see loadgen --help";
  }
  if (no_command && argc == 1) return "a command is needed: run; see loadgen --help";
  const size_t flag_at = said.find(" --");
  if (!extra || flag_at == std::string::npos) {
    return said + "; see loadgen run --help";
  }
  const std::string flag = said.substr(flag_at + 1, said.find(' ', flag_at + 1) - flag_at - 1);
  std::vector<std::string> names;
  for (const CLI::Option* option : run.get_options()) {
    if (option->nonpositional()) names.push_back(option->get_name());
  }
  const std::string_view close =
      nearest(flag, std::vector<std::string_view>(names.begin(), names.end()));
  return "there is no flag " + flag +
         (close.empty() ? "" : ", did you mean " + std::string(close) + "?") +
         "; see loadgen run --help";
}

// Nothing for what is no file of a scenario's size: a directory, a device without an end.
std::optional<std::string> read_scenario(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return std::nullopt;
  std::string text(kScenarioBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  const bool whole = std::ferror(file) == 0 && text.size() <= kScenarioBytesMax;
  std::fclose(file);
  return whole ? std::optional(std::move(text)) : std::nullopt;
}

base::Result<Scenario, NoRun> load_scenario(const std::string& name) {
  std::string text, place = name, title = name;
  if (const auto built_in = preset(name)) {
    text = *built_in;
    place = "preset " + name;
  } else {
    const auto read = read_scenario(name);
    if (!read) {
      const std::vector<std::string_view> known = preset_names();
      std::string list;
      for (const std::string_view one : known)
        list += (list.empty() ? "" : ", ") + std::string(one);
      const std::string_view close = nearest(name, known);
      return refuse(Exit::bad_scenario,
                    "no scenario '" + name + "': neither a file that can be read nor a preset (" +
                        list + ")" +
                        (close.empty() ? "" : "; did you mean '" + std::string(close) + "'?"));
    }
    text = *read;
    title = name.substr(name.find_last_of('/') + 1);
  }
  auto parsed = parse_scenario(title, text, place);
  if (!parsed) return refuse(Exit::bad_scenario, parsed.error().text);
  return std::move(parsed).value();
}

base::Status<NoRun> apply(Scenario& scenario, const Line& line) {
  const std::pair<const char*, const std::string*> flags[] = {
      {"connections", &line.connections},
      {"rate", &line.rate},
      {"duration", &line.duration},
      {"seed", &line.seed},
  };
  for (const auto& [key, value] : flags) {
    if (value->empty()) continue;
    const auto done = set_key(scenario, key, *value);
    if (!done) return refuse(Exit::usage, "--" + std::string(key) + ": " + done.error().text);
  }
  for (const std::string& set : line.sets) {
    const size_t equal = set.find('=');
    if (equal == std::string::npos) {
      return refuse(Exit::usage, "--set needs section.key=value, not '" + set + "'");
    }
    const auto done = set_key(scenario, set.substr(0, equal), set.substr(equal + 1));
    if (!done) return refuse(Exit::bad_scenario, "--set: " + done.error().text);
  }
  const auto sound = check(scenario);
  if (!sound) return refuse(Exit::bad_scenario, sound.error().text);
  return base::Done{};
}

base::Status<NoRun> read_targets(Options& options, const std::string& list) {
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string one = list.substr(at, comma - at);
    const auto address = ring::Address::parse(one);
    if (!address || address->port == 0) {
      return refuse(Exit::usage, "--target: '" + one +
                                     "' is not ADDRESS:PORT, for instance 127.0.0.1:7380 or "
                                     "[::1]:7380");
    }
    options.targets.push_back(*address);
    at = comma + 1;
  }
  return base::Done{};
}

void declare(CLI::App& run, Line& line, Options& options) {
  run.add_option("scenario", line.scenario,
                 "a TOML file, or a preset: idle, echo, direct, room, mixed")
      ->required();
  run.add_option("--target", line.targets, "ADDRESS:PORT of the server, several with commas")
      ->capture_default_str();
  run.add_option("--connections", line.connections, "clients in all");
  run.add_option("--rate", line.rate, "intended messages a second of the whole run (open loop)");
  run.add_option("--duration", line.duration, "seconds after the ramp");
  run.add_option("--threads", options.threads, "rings; default: as many as needed")
      ->check(CLI::Range(1, 1024));
  run.add_option("--backend", line.backend, "loadgen's own: auto, io_uring or epoll")
      ->check(CLI::IsMember({"auto", "io_uring", "epoll"}))
      ->capture_default_str();
  run.add_option("--seed", line.seed, "of every random choice");
  run.add_option("--token-key", options.token_key,
                 "the key file that the server was started with: the clients' tokens are minted "
                 "with it")
      ->required();
  run.add_option("--out", options.out_dir, "directory for run.json and the scenario");
  run.add_option("--json", options.json_file, "file for run.json alone");
  run.add_option("--set", line.sets, "section.key=value, for every key of a scenario");
  run.footer(run_footer);
}

}  // namespace

base::Result<Options, NoRun> parse_options(int argc, const char* const* argv) {
  Options options;
  Line line;
  CLI::App app("loadgen simulates clients of ringtalk, measures and proves what was delivered.",
               "loadgen");
  app.set_version_flag("--version", std::string("loadgen ") + kBuildInfo.version);
  app.require_subcommand(1);
  app.footer(kExitCodes);
  CLI::App& run = *app.add_subcommand("run", "one run of a scenario");
  declare(run, line, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, problem;
    const int status = app.exit(error, out, problem);
    if (status == 0) return base::Failure{NoRun{Exit::pass, out.str()}};
    return refuse(Exit::usage, explain(error, run, argc, argv));
  }
  options.argv.assign(argv, argv + argc);
  options.backend = line.backend == "epoll"      ? ring::Backend::epoll
                    : line.backend == "io_uring" ? ring::Backend::io_uring
                                                 : ring::Backend::automatic;
  auto scenario = load_scenario(line.scenario);
  if (!scenario) return base::Failure{scenario.error()};
  options.scenario = std::move(scenario).value();
  auto applied = apply(options.scenario, line);
  if (!applied) return base::Failure{applied.error()};
  auto targets = read_targets(options, line.targets);
  if (!targets) return base::Failure{targets.error()};
  return options;
}

}  // namespace ringtalk::loadgen
