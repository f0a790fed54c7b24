// tests/sim/account.h: internal to tests/sim. The tokens of one user with a password, as its client
// knows them.
//
// What to log in with next, and whether what came of it may be. A token is void once a logout under
// it was answered, once a login by password came back with a newer one, or once it was refused; it
// is shown again now and then. Thread rule: the simulation's one thread. Invariants judged: a void
// token never comes in again, over any kill; a good one is refused only when a logout or login that
// was never answered may have ended it.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "client/events.h"
#include "proto/token.h"

namespace ringtalk::sim {

class Account {
 public:
  // The password of all, at the least that libsodium takes: a run checks it hundreds of times.
  static constexpr const char* kPassword = "secret";
  static constexpr const char* kPasswordHash =
      "$argon2id$v=19$m=8,t=1,p=1$NeV4SC6yqQAv0E4NVsf9+Q$"
      "mXc7SHI6DCPot9OQqz1S6vY26NrN1WYKZD4nL7bQ0So";

  Account(proto::UserId user, proto::DeviceId device) : user_(user), device_(device) {}

  // For the connection that is being made now.
  void choose(base::Random& random);
  client::Credentials credentials() const;
  // The password, next time.
  void forget() noexcept { forgotten_ = true; }
  void logging_out() noexcept { asked_++; }

  // What happened. Not empty: the promise that it breaks.
  std::string logged_in(client::Bytes token);
  std::string refused(wire::ErrorCode code);
  void logged_out();

  uint64_t void_refused() const noexcept { return void_refused_; }

 private:
  enum class Shown : uint8_t { password, token, void_token };
  void end_token();

  const proto::UserId user_;
  const proto::DeviceId device_;
  bool has_token_ = false;
  proto::TokenBytes token_{};
  std::vector<proto::TokenBytes> void_;
  proto::TokenBytes shown_token_{};
  Shown shown_ = Shown::password;
  bool forgotten_ = false;
  uint64_t asked_ = 0;  // logins by password and logouts
  uint64_t told_ = 0;   // how many of them were answered
  uint64_t void_refused_ = 0;
};

}  // namespace ringtalk::sim
