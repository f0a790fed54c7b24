#include "tools/ringtalk/options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "proto/ids.h"

namespace ringtalk::tool {
namespace {

constexpr char kFooter[] =
    "Answers are JSON, one object a line. Passwords come from a prompt, from --password-file or\n"
    "from standard input. `login` keeps a token under $XDG_STATE_HOME/ringtalk; the commands "
    "below\n"
    "it use that.\n\n"
    "  ringtalk register ada\n"
    "  ringtalk login ada\n"
    "  ringtalk send grace hello there\n"
    "  ringtalk listen --count 1\n\n"
    "Exit: 0 done, 1 failed, 2 usage, 3 server not reached, 130 interrupted.";

// Only digits: a number with a sign would be taken for a very large one.
CLI::Validator a_number(uint64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    const bool digits = !text.empty() && text.size() <= 19 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    if (digits && std::stoull(text) >= least && std::stoull(text) <= proto::kIdMax) return {};
    return "'" + text + "' is no whole number from " + std::to_string(least) + " on";
  };
  return CLI::Validator(check, "");
}

void add_password(CLI::App& command, Options& options) {
  command.add_option("--password-file", options.password_file,
                     "first line of this file is the password; - is standard input");
}

void add_commands(CLI::App& app, Options& options) {
  const auto on = [&options](CLI::App* command, Verb verb) {
    command->callback([&options, verb] { options.verb = verb; });
    return command;
  };
  CLI::App* command = on(app.add_subcommand("register", "make a user"), Verb::register_user);
  command->add_option("NAME", options.name)->required();
  add_password(*command, options);

  command = on(app.add_subcommand("login", "log in and keep the token"), Verb::login);
  command->add_option("NAME", options.name)->required();
  add_password(*command, options);

  command = on(app.add_subcommand("logout", "end the login"), Verb::logout);
  command->add_flag("--all-devices", options.all_devices,
                    "also wherever else this user is logged in");

  command =
      on(app.add_subcommand("send", "send a message, or each line of standard input"), Verb::send);
  command->add_option("TO", options.to, "a name, or the number of a user")->required();
  command->add_option("TEXT", options.words, "the message");

  command = on(app.add_subcommand("listen", "show messages as they come"), Verb::listen);
  command->add_option("--count", options.count, "end after so many messages")->check(a_number(1));
  command->add_flag("--all", options.whole_history, "begin with the first message ever");

  command = on(app.add_subcommand("room", "join a live room, show it, publish to it"), Verb::room);
  command->add_option("ROOM", options.room, "its number")->required()->check(a_number(1));
  command->add_option("TEXT", options.words,
                      "publish this and leave; - publishes each line of standard input");
  command->add_option("--count", options.count, "end after so many messages")->check(a_number(1));

  command = on(app.add_subcommand("ping", "measure round trips of an echo"), Verb::ping);
  options.count = 0;
  command->add_option("--count", options.count, "how many (default 4)")->check(a_number(1));
  command->add_option("--interval-ms", options.interval_ms, "between two")
      ->capture_default_str()
      ->check(a_number(0));
  command->add_option("--bytes", options.bytes, "body of the echo")
      ->capture_default_str()
      ->check(CLI::Range(0, 16'384));

  command = on(app.add_subcommand("stats", "the server's statistics, for who has its token key"),
               Verb::stats);
  command->add_option("--token-key", options.token_key,
                      "the server's key file; default: $XDG_DATA_HOME/ringtalk/token.key or "
                      "~/.local/share/ringtalk/token.key");
}

std::string explain(const CLI::ParseError& error, int argc, const char* const* argv) {
  const std::string said = error.what();
  if (said.find("subcommand is required") == std::string::npos) return said;
  if (argc > 1 && argv[1][0] != '-') return "there is no command '" + std::string(argv[1]) + "'";
  return "a command is needed";
}

}  // namespace

base::Result<Options, NoCommand> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app("ringtalk: the command-line client", "ringtalk");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", RINGTALK_VERSION);
  app.add_option("--server", options.server,
                 "HOST:PORT (default: where the login was made, else 127.0.0.1:7380)");
  app.add_option("--profile", options.profile, "which login to use")->capture_default_str();
  const std::map<std::string, ring::Backend> backends = {{"auto", ring::Backend::automatic},
                                                         {"io_uring", ring::Backend::io_uring},
                                                         {"epoll", ring::Backend::epoll}};
  app.add_option("--backend", options.backend, "auto, io_uring or epoll")
      ->transform(CLI::CheckedTransformer(backends).description(""));
  app.add_option("--timeout-ms", options.timeout_ms, "for an answer of the server")
      ->capture_default_str()
      ->check(a_number(1));
  add_commands(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return base::Failure{NoCommand{0, chosen.empty() ? app.help() : chosen[0]->help()}};
  } catch (const CLI::CallForVersion&) {
    return base::Failure{NoCommand{0, "ringtalk " RINGTALK_VERSION "\n"}};
  } catch (const CLI::ParseError& error) {
    return base::Failure{NoCommand{
        kExitUsage, "ringtalk: " + explain(error, argc, argv) + "; see ringtalk --help\n"}};
  }
  if (options.profile.empty() || options.profile.find('/') != std::string::npos) {
    return base::Failure{
        NoCommand{kExitUsage, "ringtalk: --profile is a name of its own, without a slash\n"}};
  }
  if (options.verb == Verb::ping && options.count == 0) options.count = 4;
  return options;
}

}  // namespace ringtalk::tool
