#include "tests/sim/account.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::sim {
namespace {

constexpr double kShowVoid = 0.3;
constexpr size_t kVoidMax = 8;

}  // namespace

void Account::choose(base::Random& random) {
  if (!void_.empty() && random.chance(kShowVoid)) {
    shown_ = Shown::void_token;
    shown_token_ = void_[random.below(void_.size())];
  } else if (has_token_ && !forgotten_) {
    shown_ = Shown::token;
    shown_token_ = token_;
  } else {
    shown_ = Shown::password;
    asked_++;
  }
}

client::Credentials Account::credentials() const {
  client::Credentials result{.kind = client::Credentials::Kind::token, .device = device_};
  if (shown_ != Shown::password) {
    result.token = shown_token_;
    return result;
  }
  result.kind = client::Credentials::Kind::password;
  result.user = user_;
  result.password = kPassword;
  return result;
}

std::string Account::logged_in(client::Bytes token) {
  if (shown_ == Shown::void_token) return "a void token came in";
  if (shown_ == Shown::token) return {};
  told_++;
  if (has_token_) end_token();
  ASSERT(token.size() == token_.size());
  std::copy(token.begin(), token.end(), token_.begin());
  has_token_ = true;
  forgotten_ = false;
  return {};
}

std::string Account::refused(wire::ErrorCode code) {
  if (code != wire::ErrorCode::TokenInvalid || shown_ == Shown::password) {
    return std::string("a login was refused: ") + wire::EnumNameErrorCode(code);
  }
  if (shown_ == Shown::void_token) {
    void_refused_++;
    return {};
  }
  if (has_token_) end_token();
  // One without an answer may be carried out late, and end a token that was made after it.
  return asked_ == told_ ? "a good token was refused" : std::string();
}

void Account::logged_out() {
  told_++;
  if (has_token_) end_token();
}

void Account::end_token() {
  ASSERT(has_token_);
  has_token_ = false;
  if (void_.size() == kVoidMax) void_.erase(void_.begin());
  void_.push_back(token_);
}

}  // namespace ringtalk::sim
