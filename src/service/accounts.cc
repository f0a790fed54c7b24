#include "service/accounts.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "proto/verifier.h"
#include "service/chat.h"
#include "service/node.h"
#include "service/shard.h"
#include "service/store_answers.h"
#include "store/name_key.h"

namespace ringtalk::service {
namespace {

uint64_t session_key(const store::Ticket& ticket) noexcept {
  return uint64_t{ticket.generation} << 32 | ticket.slot;
}

}  // namespace

Accounts::Waiting::~Waiting() {
  wipe(password);
}

// ---- requests

bool Accounts::take_password(uint32_t slot, uint64_t id, const flatbuffers::String& from,
                             std::string& password) {
  if (from.size() == 0 || from.size() > proto::kPasswordBytesMax) {
    shard_.reply_error(slot, id, wire::ErrorCode::BadRequest, 0, "a password has 1 to 1024 bytes");
    return false;
  }
  password.assign(from.c_str(), from.size());
  return true;
}

void Accounts::register_user(uint32_t slot, uint64_t id, const wire::Register& request) {
  auto waiting = std::make_unique<Waiting>();
  waiting->id = id;
  waiting->registering = true;
  waiting->name = request.name()->str();
  const auto key = store::name_key(waiting->name);
  if (!key) {
    return shard_.reply_error(slot, id, wire::ErrorCode::BadRequest, 0,
                              store::to_string(key.error()));
  }
  std::string password;
  if (!take_password(slot, id, *request.password(), password)) return;
  if (!start_job(slot, PasswordJob::Work::hash, std::move(password), {})) {
    shard_.stats().hashes_refused++;
    return shard_.reply_busy(slot, id);
  }
  shard_.sessions()[slot].phase = Phase::logging_in;
  waiting_[slot] = std::move(waiting);
}

void Accounts::login(uint32_t slot, uint64_t id, const wire::Login& request) {
  auto waiting = std::make_unique<Waiting>();
  waiting->id = id;
  if (!take_password(slot, id, *request.password(), waiting->password)) return;
  store::FindCredential find;
  if (request.name() != nullptr) find.name = request.name()->str();
  find.user = request.user();
  if (find.name.size() > proto::kNameBytesMax || (find.name.empty() && !proto::is_id(find.user))) {
    return shard_.reply_error(slot, id, wire::ErrorCode::BadRequest, 0, "a name or a user");
  }
  shard_.sessions()[slot].phase = Phase::logging_in;
  waiting_[slot] = std::move(waiting);
  if (!shard_.submit(slot, id, 0, shard_.index(), std::move(find))) {
    refuse(slot, wire::ErrorCode::ServerBusy);
  }
}

void Accounts::resume(uint32_t slot, uint64_t id, const wire::Resume& request) {
  const std::span<const std::byte> bytes = proto::bytes_of(request.token());
  Node& node = shard_.node();
  const auto token = node.keys().check(bytes, shard_.wall_ms());
  const bool good = token.ok() && proto::is_id(token->user) &&
                    token->load() == proto::is_load_user(token->user) &&
                    (!token->load() || node.load_users()) &&
                    token->epoch >= node.revocations().epoch_min({token->user, token->device});
  if (!good) {
    shard_.stats().login_failures++;
    return shard_.reply_error(slot, id, wire::ErrorCode::TokenInvalid);
  }
  shard_.stats().resumes++;
  proto::TokenBytes copy;
  std::memcpy(copy.data(), bytes.data(), copy.size());
  go_online(slot, id, *token, copy);
}

void Accounts::logout(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Logout& request) {
  const Session& session = shard_.sessions()[slot];
  // A load user's tokens come from its provisioner: there is nothing to make void.
  if (session.has(session_flags::kLoad)) {
    shard_.reply_ok(slot, id);
    return shard_.end(slot, CloseReason::logged_out);
  }
  if (request.all_devices()) return revoke_all(slot, id, bytes);
  // The next epoch belongs to nobody: no token of this device is good any more.
  store::RaiseEpoch raise{session.user, shard_.sessions().rest(slot).device, session.device_class};
  if (shard_.submit(slot, id, bytes, shard_.index(), std::move(raise))) return;
  shard_.reply_busy(slot, id);
}

void Accounts::revoke_all(uint32_t slot, uint64_t id, uint32_t bytes) {
  const Session& session = shard_.sessions()[slot];
  const uint64_t key = uint64_t{session.generation} << 32 | slot;
  if (revoking_.contains(key)) {
    return shard_.reply_error(slot, id, wire::ErrorCode::TooManyRequests);
  }
  if (!shard_.submit(slot, id, bytes, shard_.index(),
                     store::RevokeSessions{session.user, session.epoch})) {
    return shard_.reply_busy(slot, id);
  }
  revoking_[key] = session.user;
}

// ---- passwords

bool Accounts::start_job(uint32_t slot, PasswordJob::Work work, std::string password,
                         std::string hash) {
  auto job = std::make_unique<PasswordJob>(shard_.door());
  job->work = work;
  job->slot = slot;
  job->generation = shard_.sessions()[slot].generation;
  job->password = std::move(password);
  job->hash = std::move(hash);
  if (!shard_.node().passwords().submit(job.get())) return false;
  job.release();  // comes back through the door
  return true;
}

void Accounts::take(std::unique_ptr<PasswordJob> job) {
  const Session* session = shard_.sessions().find(job->slot, job->generation);
  if (session == nullptr || session->phase != Phase::logging_in) return;
  const auto found = waiting_.find(job->slot);
  ASSERT(found != waiting_.end());
  if (found->second->registering) {
    hashed(job->slot, *found->second, *job);
  } else {
    verified(job->slot, *found->second, job->good);
  }
}

void Accounts::hashed(uint32_t slot, Waiting& waiting, PasswordJob& job) {
  if (!job.good) return refuse(slot, wire::ErrorCode::ServerBusy);
  store::CreateUser create{std::move(waiting.name), std::move(job.hash)};
  if (!shard_.submit(slot, waiting.id, 0, shard_.index(), std::move(create))) {
    refuse(slot, wire::ErrorCode::ServerBusy);
  }
}

void Accounts::verified(uint32_t slot, Waiting& waiting, bool good) {
  if (!good || waiting.user == 0) {
    shard_.stats().login_failures++;
    return refuse(slot, wire::ErrorCode::WrongCredentials);
  }
  const uint64_t lifetime_ms = std::min(shard_.limits().token_lifetime_ms, proto::kIdMax / 2);
  store::RaiseEpoch raise{waiting.user, shard_.sessions().rest(slot).device,
                          shard_.sessions()[slot].device_class, shard_.wall_ms() + lifetime_ms};
  if (!shard_.submit(slot, waiting.id, 0, shard_.index(), std::move(raise))) {
    refuse(slot, wire::ErrorCode::ServerBusy);
  }
}

void Accounts::refuse(uint32_t slot, wire::ErrorCode code, uint32_t retry_after_ms) {
  const auto found = waiting_.find(slot);
  ASSERT(found != waiting_.end());
  const uint64_t id = found->second->id;
  waiting_.erase(found);
  ASSERT(shard_.sessions()[slot].phase == Phase::logging_in);
  shard_.sessions()[slot].phase = Phase::greeted;
  if (code == wire::ErrorCode::ServerBusy) return shard_.reply_busy(slot, id);
  shard_.reply_error(slot, id, code, retry_after_ms);
}

// ---- answers of the store

void Accounts::take(Session* session, const store::Ticket& ticket, store::UserCreated& answer) {
  if (session == nullptr || session->phase != Phase::logging_in) return;
  shard_.stats().registered++;
  session->phase = Phase::greeted;
  waiting_.erase(ticket.slot);
  shard_.reply(ticket.slot, shard_.frames().registered(ticket.request, answer.user));
}

void Accounts::take(Session* session, const store::Ticket& ticket, store::Credential& answer) {
  if (session == nullptr || session->phase != Phase::logging_in) return;
  Waiting& waiting = *waiting_.at(ticket.slot);
  waiting.user = answer.user;
  if (start_job(ticket.slot, PasswordJob::Work::verify, std::move(waiting.password),
                std::move(answer.password_hash))) {
    return;
  }
  shard_.stats().hashes_refused++;
  refuse(ticket.slot, wire::ErrorCode::ServerBusy);
}

void Accounts::take(Session* session, const store::Ticket& ticket, store::EpochRaised& answer) {
  shard_.node().revocations().revoke_device(answer.older, shard_.wall_ms());
  const bool by_login = answer.expires_ms != 0;
  const bool waits = session != nullptr && session->phase == Phase::logging_in;
  if (session != nullptr && session->phase == Phase::online) {
    ASSERT(!by_login);
    shard_.reply_ok(ticket.slot, ticket.request);
    shard_.end(ticket.slot, CloseReason::logged_out);
  }
  // A session that gets the new epoch ends the older ones by itself.
  if (!waits) {
    return shard_.chat().kick_device(
        answer.older.device, answer.epoch,
        by_login ? wire::KickReason::LoggedInElsewhere : wire::KickReason::LoggedOut);
  }
  const Waiting& waiting = *waiting_.at(ticket.slot);
  proto::Token token;
  token.epoch = answer.epoch;
  token.user = waiting.user;
  token.device = shard_.sessions().rest(ticket.slot).device;
  token.expires_ms = answer.expires_ms;
  shard_.stats().logins++;
  const uint64_t id = waiting.id;
  waiting_.erase(ticket.slot);
  go_online(ticket.slot, id, token, shard_.node().keys().mint(token));
}

void Accounts::take(Session* session, const store::Ticket& ticket, store::Revoked& answer) {
  const auto found = revoking_.find(session_key(ticket));
  ASSERT(found != revoking_.end());
  const proto::UserId user = found->second;
  revoking_.erase(found);
  shard_.node().revocations().revoke_user(user, answer.epoch_min);
  if (session != nullptr && session->phase == Phase::online) {
    shard_.reply_ok(ticket.slot, ticket.request);
    shard_.end(ticket.slot, CloseReason::logged_out);
  }
  shard_.chat().kick_user(user, answer.epoch_min, wire::KickReason::LoggedOut);
}

void Accounts::take(Session* session, const store::Ticket& ticket, store::Failed& answer) {
  if (answer.request_kind == kRequestKind<store::RevokeSessions>) {
    revoking_.erase(session_key(ticket));
  }
  if (session == nullptr) return;
  const bool unknown_name = answer.request_kind == kRequestKind<store::FindCredential> &&
                            answer.error == store::StoreError::not_found;
  if (session->phase == Phase::online) {
    return shard_.reply_error(ticket.slot, ticket.request, error_code_of(answer.error),
                              answer.retry_after_ms);
  }
  if (session->phase != Phase::logging_in) return;
  if (!unknown_name) return refuse(ticket.slot, error_code_of(answer.error), answer.retry_after_ms);
  // Nobody can tell an unknown name from a wrong password by the time it takes.
  Waiting& waiting = *waiting_.at(ticket.slot);
  if (start_job(ticket.slot, PasswordJob::Work::verify, std::move(waiting.password),
                dummy_password_hash())) {
    return;
  }
  shard_.stats().hashes_refused++;
  refuse(ticket.slot, wire::ErrorCode::ServerBusy);
}

// ---- online

void Accounts::go_online(uint32_t slot, uint64_t id, const proto::Token& token,
                         const proto::TokenBytes& bytes) {
  Session& session = shard_.sessions()[slot];
  session.user = token.user;
  session.epoch = token.epoch;
  if (token.load()) session.set(session_flags::kLoad);
  if (token.admin()) session.set(session_flags::kAdmin);
  shard_.sessions().rest(slot).device = token.device;
  auto waiting = std::make_unique<Waiting>();
  waiting->id = id;
  waiting->token = bytes;
  waiting_[slot] = std::move(waiting);
  shard_.session_online(slot);
}

void Accounts::routed(uint32_t slot) {
  const auto found = waiting_.find(slot);
  ASSERT(found != waiting_.end());
  const std::unique_ptr<Waiting> waiting = std::move(found->second);
  waiting_.erase(found);
  const Session& session = shard_.sessions()[slot];
  // A logout that came between the look at the token and the route found nobody to kick.
  const proto::UserDevice device{session.user, shard_.sessions().rest(slot).device};
  if (session.epoch < shard_.node().revocations().epoch_min(device)) {
    return shard_.kick(slot, wire::KickReason::LoggedOut);
  }
  shard_.reply(
      slot, shard_.frames().logged_in(waiting->id, session.user, waiting->token, session.number));
}

}  // namespace ringtalk::service
