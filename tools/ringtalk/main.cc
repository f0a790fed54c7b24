// The command-line client: reads the command line, the profile and the password, runs a command.

#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>

#include <cstdio>
#include <optional>

#include "base/assert.h"
#include "tools/ringtalk/command.h"
#include "tools/ringtalk/json_line.h"
#include "tools/ringtalk/secret.h"

namespace ringtalk::tool {
namespace {

constexpr char kDefaultServer[] = "127.0.0.1:7380";

int complain(int code, const std::string& text) {
  std::fprintf(stderr, "ringtalk: %s\n", text.c_str());
  return code;
}

// Small: one connection, whose requests are few.
base::Result<std::unique_ptr<ring::Proactor>, ring::BackendError> make_small_proactor(
    ring::Backend wanted) {
  const auto choice = ring::choose_backend(wanted, "");
  if (!choice.ok()) return base::Failure{choice.error()};
  ring::ProactorOptions options;
  options.connections = 4;
  options.listeners = 1;
  options.submission_entries = 64;
  options.buffers = 8;
  return ring::make_proactor(choice->backend, options);
}

proto::DeviceId fresh_device() {
  uint64_t device;
  ASSERT(::getrandom(&device, sizeof device, 0) == sizeof device);
  return (device & proto::kIdMax) | 1;
}

std::string default_token_key() {
  const char* data = ::getenv("XDG_DATA_HOME");
  if (data != nullptr && data[0] == '/') return std::string(data) + "/ringtalk/token.key";
  const char* home = ::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.local/share/ringtalk/token.key";
}

// Who may read the server's key may mint an administrator's token: of no user that there is.
std::optional<int> prepare_stats(Setup& setup) {
  constexpr uint8_t kKeyId = 1;  // under which a server holds the key that it was started with
  constexpr uint64_t kLifeMs = 600'000;
  Options& options = setup.options;
  const bool named = !options.token_key.empty();
  if (!named) options.token_key = default_token_key();
  const auto key = proto::read_token_key(options.token_key);
  if (!key.ok()) {
    const char* remedy = named ? "" : " (--token-key FILE names another)";
    return complain(kExitUsage, key.error().text + remedy);
  }
  const auto known = load_profile(options.profile);
  setup.profile.server = !options.server.empty() ? options.server
                         : known.ok()            ? known->server
                                                 : kDefaultServer;
  proto::KeyRing keys;
  keys.add(kKeyId, *key);
  proto::Token token;
  token.flags = proto::kTokenAdmin;
  token.user = proto::kLoadUserFirst - 1;
  token.device = fresh_device();
  token.expires_ms = base::SystemClock().wall_ms() + kLifeMs;
  DeviceLogin& login = setup.profile.login(setup.device);
  login.device = token.device;
  login.token = keys.mint(token);
  return std::nullopt;
}

// Fills in who the command acts for. Empty: ready; else the exit code, with the reason told.
std::optional<int> prepare(Setup& setup) {
  if (setup.options.verb == Verb::stats) return prepare_stats(setup);
  const Options& options = setup.options;
  const auto known = load_profile(options.profile);
  if (!known.ok() && known.error().refused) return complain(kExitUsage, known.error().text);
  const bool makes_login = options.verb == Verb::register_user || options.verb == Verb::login;
  if (!makes_login) {
    if (!known.ok()) return complain(1, known.error().text);
    setup.profile = *known;
    if (!options.server.empty()) setup.profile.server = options.server;
    const bool stays =
        options.verb == Verb::listen || (options.verb == Verb::room && options.words.empty());
    setup.device = stays ? Device::staying : Device::passing;
    if (!setup.profile.login(setup.device).in()) {
      return complain(
          1, setup.profile.name + " is not logged in; run: ringtalk login " + setup.profile.name);
    }
    return std::nullopt;
  }
  setup.profile.server = options.server.empty() ? kDefaultServer : options.server;
  setup.profile.name = options.name;
  // A device keeps its number, and what it was shown, as long as it is the same user's.
  const bool same =
      known.ok() && known->name == options.name && known->server == setup.profile.server;
  if (same) setup.profile = *known;
  if (!same) {
    for (DeviceLogin& login : setup.profile.logins) login.device = fresh_device();
  }
  const bool registers = options.verb == Verb::register_user;
  setup.login = registers ? client::Credentials::Kind::none : client::Credentials::Kind::password;
  const auto password = read_password(options.password_file, registers);
  if (!password.ok()) {
    return complain(password.error().interrupted ? kExitInterrupted : kExitUsage,
                    password.error().text);
  }
  setup.password = *password;
  return std::nullopt;
}

int run(const Setup& setup) {
  auto proactor = make_small_proactor(setup.options.backend);
  if (!proactor.ok()) return complain(kExitUsage, proactor.error().text);
  return make_command(setup, std::move(*proactor))->run();
}

// Both devices of the profile, and then what is kept of them here.
int log_out(Setup& setup) {
  for (const Device device : {Device::passing, Device::staying}) {
    setup.device = device;
    if (!setup.profile.login(device).in()) continue;
    const int code = run(setup);
    if (code != 0) return code;
    if (setup.options.all_devices) break;
  }
  for (DeviceLogin& login : setup.profile.logins) login.token = {};
  const auto saved = save_profile(setup.options.profile, setup.profile);
  if (!saved.ok()) return complain(1, saved.error().text);
  std::puts(JsonLine("logged_out")
                .number("user", setup.profile.user)
                .text("name", setup.profile.name)
                .flag("all_devices", setup.options.all_devices)
                .str()
                .c_str());
  return 0;
}

int main_of(int argc, const char* const* argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto options = parse_options(argc, argv);
  if (!options.ok()) {
    std::fputs(options.error().text.c_str(), options.error().exit == 0 ? stdout : stderr);
    return options.error().exit;
  }
  Setup setup;
  setup.options = *options;
  if (const auto code = prepare(setup)) return *code;
  auto addresses = resolve(setup.profile.server);
  if (!addresses.ok()) return complain(kExitUsage, addresses.error().text);
  setup.addresses = std::move(*addresses);
  if (options->verb == Verb::logout) return log_out(setup);
  const int code = run(setup);
  if (code != 0 || options->verb != Verb::login) return code;
  const auto half = load_profile(options->profile);
  if (!half.ok()) return complain(1, half.error().text);
  setup.profile = *half;
  setup.device = Device::staying;
  return run(setup);
}

}  // namespace
}  // namespace ringtalk::tool

int main(int argc, char** argv) {
  return ringtalk::tool::main_of(argc, argv);
}
