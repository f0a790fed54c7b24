#include "tools/ringtalk/command.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>

#include "base/assert.h"
#include "proto/error_text.h"
#include "proto/verifier.h"

namespace ringtalk::tool {
namespace {

constexpr uint64_t kMs = 1'000'000;
// For the goodbye: a server that does not take it is left.
constexpr uint64_t kGoodbyeNs = 1'000 * kMs;

uint64_t seed() {
  uint64_t value;
  ASSERT(::getrandom(&value, sizeof value, 0) == sizeof value);
  return value;
}

std::string with_text(std::string what, const wire::Error& error) {
  what += wire::EnumNameErrorCode(error.code());
  const std::string text = error.text() == nullptr ? std::string() : error.text()->str();
  what += ": " + (text.empty() ? std::string(proto::sentence_of(error.code())) : text);
  return what;
}

}  // namespace

Command::Command(Setup setup, std::unique_ptr<ring::Proactor> proactor,
                 client::ClientOptions options)
    : setup_(std::move(setup)),
      proactor_(std::move(proactor)),
      context_(options, clock_, seed(), *this),
      at_{context_, 0},
      connection_(*proactor_, setup_.addresses) {
  connection_.attach(session_, at_);
}

int Command::run() {
  {
    Console console(*proactor_, wants_input());
    progress();
    session_.start(at_);
    while (!finished_) {
      loop();
      look_at_session();
      if (!finished_) look_at_console(console);
    }
  }
  before_end();
  session_.stop(at_);
  const uint64_t until = clock_.now_ns() + kGoodbyeNs;
  while (session_.phase() != client::ClientSession::Phase::stopped) {
    connection_.tell_failures();
    if (clock_.now_ns() >= until) connection_.abandon();
    proactor_->run_once(16, std::min(until, clock_.now_ns() + 50 * kMs), connection_);
  }
  return code_;
}

void Command::loop() {
  connection_.tell_failures();
  if (context_.now_ms() >= session_.due_ms()) session_.tick(at_);
  if (clock_.now_ns() >= timer_due_ns()) timer(clock_.now_ns());
  if (finished_) return;
  proactor_->run_once(64, deadline_ns(), connection_);
}

uint64_t Command::deadline_ns() const {
  const uint64_t now = clock_.now_ns();
  uint64_t deadline = std::min(now + 1'000 * kMs, timer_due_ns());
  if (patience_ns_ != 0) deadline = std::min(deadline, patience_ns_);
  const uint32_t due = session_.due_ms();
  const uint32_t now_ms = context_.now_ms();
  if (due != client::kNever) {
    deadline = std::min(deadline, now + (due > now_ms ? due - now_ms : 0) * kMs + kMs);
  }
  return deadline;
}

void Command::look_at_session() {
  using Phase = client::ClientSession::Phase;
  if (finished_) return;
  const bool lost = session_.phase() == Phase::waiting;
  if (lost && !connection_.ever_connected()) {
    std::fprintf(stderr, "ringtalk: cannot reach %s: %s; is ringtalkd running there?\n",
                 setup_.profile.server.c_str(), ring::to_string(connection_.last_error()));
    return finish(kExitUnreachable);
  }
  if (lost && began_ && !stays()) {
    return fail(session_.kicked() ? taken_over() : "the connection was lost");
  }
  if (lost && stays() && !std::exchange(told_lost_, true)) {
    std::fprintf(stderr, "ringtalk: the connection was lost, trying again\n");
  }
  if (session_.ready()) told_lost_ = false;
  if (patience_ns_ != 0 && clock_.now_ns() >= patience_ns_) {
    if (!connection_.ever_connected()) {
      std::fprintf(stderr, "ringtalk: cannot reach %s within %lu ms (--timeout-ms)\n",
                   setup_.profile.server.c_str(),
                   static_cast<unsigned long>(setup_.options.timeout_ms));
      return finish(kExitUnreachable);
    }
    fail("no answer from " + setup_.profile.server + " within " +
         std::to_string(setup_.options.timeout_ms) + " ms (--timeout-ms)");
  }
}

void Command::look_at_console(Console& console) {
  if (console.interrupts() > 0) return finish(stays() && began_ ? 0 : kExitInterrupted);
  if (!wants_input() || !session_.ready()) return;
  while (!finished_ && takes_input()) {
    const auto text = console.next_line();
    if (!text) break;
    line(*text);
  }
  if (!finished_ && takes_input() && console.input_ended()) input_ended();
}

void Command::progress() {
  patience_ns_ = stays() && began_ ? 0 : clock_.now_ns() + setup_.options.timeout_ms * kMs;
}

void Command::finish(int code) {
  if (finished_) return;
  finished_ = true;
  code_ = code;
}

void Command::fail(std::string_view text) {
  if (finished_) return;
  std::fprintf(stderr, "ringtalk: %.*s\n", static_cast<int>(text.size()), text.data());
  finish(1);
}

void Command::print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
      std::fputc('\n', stdout) == EOF || std::fflush(stdout) != 0) {
    finish(1);  // whoever read our output has gone
  }
}

client::Credentials Command::credentials(client::ClientIndex) {
  const DeviceLogin& login = setup_.profile.login(setup_.device);
  return {.kind = setup_.login,
          .device = login.device,
          .device_class = wire::DeviceClass::Desktop,
          .token = login.token,
          .name = setup_.profile.name,
          .password = setup_.password};
}

void Command::ready(client::ClientIndex, proto::UserId, client::Bytes) {
  if (began_) return;
  began_ = true;
  progress();
  begin();
}

std::string Command::taken_over() const {
  return "this session was taken over: by another command of this profile (a second one beside it "
         "needs a --profile of its own), or by a newer login (then run: ringtalk login " +
         setup_.profile.name + ")";
}

void Command::ended(client::ClientIndex, const client::Ending& ending) {
  if (ending.why == client::Ending::Why::kicked) {
    if (ending.kick == wire::KickReason::LoggedInElsewhere) return fail(taken_over());
    if (ending.kick == wire::KickReason::LoggedOut) {
      return fail(setup_.profile.name + " has logged out; run: ringtalk login " +
                  setup_.profile.name);
    }
    return fail(std::string("put out by the server: ") + wire::EnumNameKickReason(ending.kick));
  }
  switch (ending.code) {
    case wire::ErrorCode::WrongCredentials:
      return fail("wrong name or password");
    case wire::ErrorCode::TokenInvalid:
      return fail("the login of " + setup_.profile.name +
                  " is no longer valid; run: ringtalk login " + setup_.profile.name);
    default:
      return fail(std::string("the server refuses the login: ") +
                  wire::EnumNameErrorCode(ending.code) + (ending.text.empty() ? "" : ": ") +
                  std::string(ending.text));
  }
}

void Command::turned_away(client::ClientIndex, wire::ErrorCode code) {
  if (std::exchange(told_busy_, true)) return;
  const std::string_view text = proto::sentence_of(code);
  std::fprintf(stderr, "ringtalk: %s: %.*s; trying again\n", wire::EnumNameErrorCode(code),
               static_cast<int>(text.size()), text.data());
}

void Command::replied(client::ClientIndex, uint32_t, const wire::Frame& frame) {
  if (const wire::Error* error = frame.body_as_Error()) fail(with_text("refused: ", *error));
}

std::unique_ptr<Command> make_command(Setup setup, std::unique_ptr<ring::Proactor> proactor) {
  switch (setup.options.verb) {
    case Verb::register_user:
    case Verb::login:
    case Verb::logout:
    case Verb::stats:
      return make_account_command(std::move(setup), std::move(proactor));
    case Verb::send:
    case Verb::listen:
      return make_chat_command(std::move(setup), std::move(proactor));
    case Verb::room:
    case Verb::ping:
      return make_room_command(std::move(setup), std::move(proactor));
    case Verb::none:
      break;
  }
  UNREACHABLE();
}

}  // namespace ringtalk::tool
