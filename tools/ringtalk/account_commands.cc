// register, login, logout and stats.

#include <cstring>

#include "proto/verifier.h"
#include "tools/ringtalk/command.h"
#include "tools/ringtalk/json_line.h"

namespace ringtalk::tool {
namespace {

class Register final : public Command {
 public:
  using Command::Command;

 private:
  void begin() override { session_.register_user(at_, setup_.options.name, setup_.password); }
  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override {
    const wire::Registered* registered = frame.body_as_Registered();
    if (registered == nullptr) return Command::replied(client, request, frame);
    print(JsonLine("registered")
              .number("user", registered->user())
              .text("name", setup_.options.name)
              .str());
    finish(0);
  }
};

class Login final : public Command {
 public:
  using Command::Command;

 private:
  void ready(client::ClientIndex client, proto::UserId user, client::Bytes token) override {
    DeviceLogin& login = setup_.profile.login(setup_.device);
    if (token.size() != login.token.size()) {
      return fail("the server gave no token that this version knows");
    }
    std::memcpy(login.token.data(), token.data(), token.size());
    setup_.profile.user = user;
    Command::ready(client, user, token);
  }
  void begin() override {
    const auto saved = save_profile(setup_.options.profile, setup_.profile);
    if (!saved.ok()) return fail(saved.error().text);
    // The second login completes it.
    if (setup_.device == Device::passing) return finish(0);
    print(JsonLine("logged_in")
              .number("user", setup_.profile.user)
              .text("name", setup_.profile.name)
              .text("server", setup_.profile.server)
              .text("saved", profile_path(setup_.options.profile))
              .str());
    finish(0);
  }
};

// Of one device, or of all; the caller forgets the tokens.
class Logout final : public Command {
 public:
  using Command::Command;

 private:
  void begin() override { session_.logout(at_, setup_.options.all_devices); }
  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override {
    if (frame.body_as_Ok() == nullptr) return Command::replied(client, request, frame);
    finish(0);
  }
  void ended(client::ClientIndex client, const client::Ending& ending) override {
    // What the token was to lose it has lost.
    if (ending.code == wire::ErrorCode::TokenInvalid) return finish(0);
    Command::ended(client, ending);
  }
};

class Stats final : public Command {
 public:
  using Command::Command;

 private:
  void begin() override { session_.stats(at_); }
  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override {
    const wire::StatsReply* reply = frame.body_as_StatsReply();
    if (reply == nullptr) return Command::replied(client, request, frame);
    print(JsonLine("stats")
              .text("server", setup_.profile.server)
              .object("stats", reply->json() == nullptr ? "" : reply->json()->string_view())
              .str());
    finish(0);
  }
  void ended(client::ClientIndex client, const client::Ending& ending) override {
    if (ending.code != wire::ErrorCode::TokenInvalid) return Command::ended(client, ending);
    fail(
        setup_.options.token_key + " is not the key of " + setup_.profile.server +
        "; name the one it was started with, or token.key of its data directory: --token-key FILE");
  }
};

}  // namespace

std::unique_ptr<Command> make_account_command(Setup setup,
                                              std::unique_ptr<ring::Proactor> proactor) {
  if (setup.options.verb == Verb::login) {
    return std::make_unique<Login>(std::move(setup), std::move(proactor), client::ClientOptions{});
  }
  if (setup.options.verb == Verb::logout) {
    return std::make_unique<Logout>(std::move(setup), std::move(proactor), client::ClientOptions{});
  }
  if (setup.options.verb == Verb::stats) {
    return std::make_unique<Stats>(std::move(setup), std::move(proactor), client::ClientOptions{});
  }
  return std::make_unique<Register>(std::move(setup), std::move(proactor), client::ClientOptions{});
}

}  // namespace ringtalk::tool
