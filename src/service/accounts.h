// src/service/accounts.h: internal to the service. Who a connection is.
//
// Register, Login, Resume and Logout of one shard. A request waits in `waiting_`, by slot, through
// its steps (store, workers, store) and holds generation and id, never a pointer to a session.
//   Register  hash on workers -> CreateUser                 -> Registered
//   Login     FindCredential -> verify on workers -> RaiseEpoch -> online, LoggedIn{new token}
//   Resume    the token alone: no store, no hash            -> online, LoggedIn{same token}
//   Logout    RaiseEpoch (this device) or RevokeSessions (all) -> Ok, end
// An unknown name costs a verification too. Thread rule: the shard's. Invariants: one step of one
// request a connection; a connection in `waiting_` is in phase logging_in or waits to be routed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/unordered/unordered_flat_map.hpp>

#include "proto/token.h"
#include "ringtalk_generated.h"
#include "service/password.h"
#include "service/session.h"
#include "store/store.h"

namespace ringtalk::service {

class Shard;

class Accounts {
 public:
  explicit Accounts(Shard& shard) : shard_(shard) {}

  void register_user(uint32_t slot, uint64_t id, const wire::Register& request);
  void login(uint32_t slot, uint64_t id, const wire::Login& request);
  void resume(uint32_t slot, uint64_t id, const wire::Resume& request);
  void logout(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Logout& request);

  // The session stands in its home shard's list: LoggedIn may leave.
  void routed(uint32_t slot);
  void session_closing(uint32_t slot) { waiting_.erase(slot); }

  void take(std::unique_ptr<PasswordJob> job);
  // `session` is null when it has gone meanwhile.
  void take(Session* session, const store::Ticket& ticket, store::UserCreated& answer);
  void take(Session* session, const store::Ticket& ticket, store::Credential& answer);
  void take(Session* session, const store::Ticket& ticket, store::EpochRaised& answer);
  void take(Session* session, const store::Ticket& ticket, store::Revoked& answer);
  void take(Session* session, const store::Ticket& ticket, store::Failed& answer);

 private:
  struct Waiting {
    uint64_t id = 0;
    bool registering = false;
    proto::UserId user = 0;  // of a login, once it is known
    std::string name;
    std::string password;
    proto::TokenBytes token{};
    ~Waiting();
  };

  bool take_password(uint32_t slot, uint64_t id, const flatbuffers::String& from,
                     std::string& password);
  bool start_job(uint32_t slot, PasswordJob::Work work, std::string password, std::string hash);
  void hashed(uint32_t slot, Waiting& waiting, PasswordJob& job);
  void verified(uint32_t slot, Waiting& waiting, bool good);
  void refuse(uint32_t slot, wire::ErrorCode code, uint32_t retry_after_ms = 0);
  void go_online(uint32_t slot, uint64_t id, const proto::Token& token,
                 const proto::TokenBytes& bytes);
  void revoke_all(uint32_t slot, uint64_t id, uint32_t bytes);

  Shard& shard_;
  boost::unordered_flat_map<uint32_t, std::unique_ptr<Waiting>> waiting_;  // by slot
  // Users whose sessions are being revoked, by request: the answer counts also when the session
  // that asked has gone.
  boost::unordered_flat_map<uint64_t, proto::UserId> revoking_;
};

}  // namespace ringtalk::service
