// tests/service/fake_store.h: for tests. The accounts of a store, in a few maps.
//
// Replies wait until the test delivers them, so that "while the store is busy" is a state that a
// test can hold. Thread rule: one thread.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "base/assert.h"
#include "store/name_key.h"
#include "store/store.h"

namespace ringtalk::service {

class FakeStore final : public store::Store {
 public:
  bool submit(store::Request&& request, const store::Ticket& ticket) noexcept override {
    if (full) return false;
    submitted++;
    waiting_.emplace_back(ticket, std::visit([this](auto& r) { return answer(r); }, request));
    if (away) waiting_.back().second = failed(store::StoreError::unavailable, request.index(), 50);
    return true;
  }
  void stop() noexcept override {}
  std::string describe() const override { return "fake:"; }

  // True when something was delivered.
  bool deliver(store::ReplySink& sink) {
    if (held || waiting_.empty()) return false;
    while (!waiting_.empty()) {
      auto batch = std::make_unique<store::ReplyBatch>();
      const uint32_t shard = waiting_.front().first.shard;
      batch->replies.push_back({waiting_.front().first, std::move(waiting_.front().second)});
      waiting_.pop_front();
      sink.deliver(shard, std::move(batch));
    }
    return true;
  }

  bool full = false;  // submit answers false
  bool away = false;  // every request fails, retryable
  bool held = false;  // nothing is delivered
  uint64_t submitted = 0;
  std::map<proto::UserId, uint32_t> epochs;

 private:
  struct Account {
    proto::UserId user;
    std::string name;
    std::string hash;
  };

  static store::Answer failed(store::StoreError error, size_t kind, uint32_t retry_ms = 0) {
    return store::Failed{error, retry_ms, static_cast<uint8_t>(kind), {}};
  }

  store::Answer answer(store::CreateUser& request) {
    const std::string key = *store::name_key(request.name);
    if (accounts_.contains(key)) return failed(store::StoreError::name_taken, 0);
    const proto::UserId user = accounts_.size() + 1;
    accounts_[key] = {user, request.name, request.password_hash};
    return store::UserCreated{user};
  }
  store::Answer answer(store::FindCredential& request) {
    for (const auto& [key, account] : accounts_) {
      if (account.name == request.name || (request.name.empty() && account.user == request.user)) {
        return store::Credential{account.user, account.name, account.hash};
      }
    }
    return failed(store::StoreError::not_found, 1);
  }
  store::Answer answer(store::RaiseEpoch& request) {
    const uint32_t epoch = ++epochs[request.user];
    // Tokens of the tests were made by nobody's login: they may live for ever.
    return store::EpochRaised{
        epoch, request.expires_ms, {{request.user, request.device}, epoch, proto::kIdMax}};
  }
  store::Answer answer(store::RevokeSessions& request) {
    return store::Revoked{++epochs[request.user]};
  }
  template <class Other>
  store::Answer answer(Other&) {
    return failed(store::StoreError::bad_request, store::Request(Other{}).index());
  }

  std::map<std::string, Account> accounts_;
  std::deque<std::pair<store::Ticket, store::Answer>> waiting_;
};

}  // namespace ringtalk::service
