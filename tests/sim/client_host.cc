#include "tests/sim/client_host.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace ringtalk::sim {
namespace {

constexpr uint64_t kTokenExpiresMs = UINT64_MAX;
constexpr uint32_t kBudget = 64;

client::ClientOptions client_options(const HostOptions& options) {
  client::ClientOptions result;
  result.name = "simulated";
  result.heartbeat_ms = options.heartbeat_ms;
  result.login_timeout_ms = 5'000;
  result.reconnect_max_ms = 4'000;
  return result;
}

check::ConversationKey key_of(const proto::ConversationId& id) {
  return {id.a, id.b};
}

}  // namespace

uint64_t body_hash(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (std::byte byte : bytes) hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return hash;
}

ClientHost::ClientHost(const HostOptions& options, const base::Clock& clock,
                       ring::SimProactor& proactor, const ring::Address& server,
                       const proto::KeyRing& keys, check::History& history, uint64_t seed)
    : options_(options),
      clock_(clock),
      start_ns_(clock.now_ns()),
      proactor_(proactor),
      server_(server),
      keys_(keys),
      history_(history),
      random_(seed),
      context_(client_options(options), clock, seed + 1, *this),
      clients_(options.clients + options.accounts.size()),
      client_of_slot_(clients_.size() * 2, UINT32_MAX) {
  ASSERT(options.clients % 2 == 0);
  for (const proto::UserId user : options.accounts) accounts_.emplace_back(user, 1);
}

ClientHost::~ClientHost() {
  // Sessions end without a connection; the proactor drops what is still open.
  for (uint32_t i = 0; i < clients_.size(); i++) {
    client::ClientSession& session = clients_[i].session;
    session.stop(at(i));
    if (session.phase() != client::ClientSession::Phase::stopped) session.disconnected(at(i));
  }
}

proto::UserId ClientHost::user_of(uint32_t client) const {
  return proto::kLoadUserFirst + 1 + client;
}

proto::ConversationId ClientHost::conversation_of(uint32_t client) const {
  return proto::ConversationId::between(user_of(client), user_of(client ^ 1));
}

check::DeviceKey ClientHost::device_of(uint32_t client) const {
  return {user_of(client), 1 + client};
}

void ClientHost::start() {
  for (uint32_t i = options_.clients; i < clients_.size(); i++) clients_[i].session.start(at(i));
  for (uint32_t i = 0; i < options_.clients; i++) {
    history_.shows_from(device_of(i), key_of(conversation_of(i)), 0);
    clients_[i].session.use_conversations(at(i));
    clients_[i].session.start_in(at(i), static_cast<uint32_t>(random_.below(1'000)));
    clients_[i].session.join(at(i), 1 + random_.below(options_.rooms));
  }
}

void ClientHost::start_all() {
  for (uint32_t i = 0; i < clients_.size(); i++) {
    if (clients_[i].session.phase() == client::ClientSession::Phase::stopped) {
      clients_[i].session.start(at(i));
    } else {
      clients_[i].wanted = true;
    }
  }
}

bool ClientHost::turn() {
  bool happened = proactor_.run_once(kBudget, 0, *this) > 0;
  const uint32_t now_ms = context_.now_ms();
  for (uint32_t i = 0; i < clients_.size(); i++) {
    if (clients_[i].session.due_ms() > now_ms) continue;
    clients_[i].session.tick(at(i));
    happened = true;
  }
  return happened;
}

uint64_t ClientHost::next_due_ns() const {
  uint32_t due_ms = client::kNever;
  for (const Client& each : clients_) due_ms = std::min(due_ms, each.session.due_ms());
  return due_ms == client::kNever ? UINT64_MAX : start_ns_ + uint64_t{due_ms} * 1'000'000;
}

void ClientHost::act() {
  if (!accounts_.empty() && random_.chance(0.05)) return act_account();
  const auto i = static_cast<uint32_t>(random_.below(options_.clients));
  Client& each = clients_[i];
  const uint64_t dice = random_.below(100);
  if (dice < 60) {
    std::string body = std::to_string(i) + ":" + std::to_string(++each.numbers);
    body.append(random_.below(random_.chance(0.05) ? 4'000 : 60), '.');
    const std::span<const std::byte> bytes = std::as_bytes(std::span(body.data(), body.size()));
    proto::ClientMessageId id;
    if (each.session.send(at(i), conversation_of(i), wire::MessageKind::Text, bytes, 0, 0, &id)) {
      const check::MessageKey key{user_of(i), id.high, id.low};
      each.hashes[key] = body_hash(bytes);
      history_.invoked(device_of(i), key_of(conversation_of(i)), key, body_hash(bytes), ++moment_);
    }
  } else if (dice < 85 && each.session.ready()) {
    const std::string body(1 + random_.below(200), 'r');
    each.session.publish(at(i), 1 + random_.below(options_.rooms),
                         std::as_bytes(std::span(body.data(), body.size())), random_.chance(0.5));
    rooms_.published++;
  } else if (dice < 92) {
    each.session.join(at(i), 1 + random_.below(options_.rooms));
  } else if (dice < 95) {
    each.session.leave(at(i), 1 + random_.below(options_.rooms));
  } else if (dice < 97 && each.session.ready()) {
    each.session.echo(at(i), {});
  } else if (each.session.phase() == client::ClientSession::Phase::stopped) {
    each.session.start(at(i));
  } else {
    each.wanted = false;
    each.session.stop(at(i));
  }
}

void ClientHost::act_account() {
  const auto i = options_.clients + static_cast<uint32_t>(random_.below(accounts_.size()));
  Client& each = clients_[i];
  const uint64_t dice = random_.below(3);
  if (dice == 0 && each.session.ready()) {
    account(i).logging_out();
    each.session.logout(at(i), random_.chance(0.3));
    return;
  }
  if (dice == 1) account(i).forget();
  if (each.connection.slot != ring::kSlotNone) hang_up(i);
}

void ClientHost::judge(uint32_t client, const std::string& broken) {
  if (broken.empty()) return;
  broken_.push_back("account " + std::to_string(client - options_.clients) + ": " + broken);
}

uint64_t ClientHost::void_refused() const {
  uint64_t sum = 0;
  for (const Account& each : accounts_) sum += each.void_refused();
  return sum;
}

bool ClientHost::settled() const {
  return std::all_of(clients_.begin(), clients_.end(),
                     [](const Client& each) { return each.session.settled(); });
}

bool ClientHost::all_online() const {
  return std::all_of(clients_.begin(), clients_.end(),
                     [](const Client& each) { return each.session.ready(); });
}

void ClientHost::tell_what_was_shown() {
  for (uint32_t i = 0; i < options_.clients; i++) {
    const check::ConversationKey conversation = key_of(conversation_of(i));
    for (const auto& [seq, shown] : clients_[i].shown) {
      history_.shown(device_of(i), conversation, seq, shown.id, shown.hash);
    }
    history_.complete(device_of(i), conversation);
  }
}

void ClientHost::show(uint32_t client, uint64_t seq, const check::MessageKey& id, uint64_t hash) {
  if (clients_[client].shown.emplace(seq, Shown{id, hash}).second) return;
  broken_.push_back("client " + std::to_string(client) + " was shown seq " + std::to_string(seq) +
                    " twice");
}

std::string ClientHost::unsettled() const {
  std::string text;
  for (uint32_t i = 0; i < clients_.size(); i++) {
    const client::ClientSession& session = clients_[i].session;
    if (session.settled() && session.ready()) continue;
    text += "client " + std::to_string(i) + " phase " +
            std::to_string(static_cast<int>(session.phase())) + " unacknowledged " +
            std::to_string(session.unacknowledged()) + " due " + std::to_string(session.due_ms()) +
            " now " + std::to_string(context_.now_ms()) + "\n";
  }
  return text;
}

void ClientHost::complete(const ring::Completion& completion) {
  if (completion.connection.slot == ring::kSlotNone) return;
  const uint32_t i = client_of_slot_[completion.connection.slot];
  ASSERT(i < clients_.size());
  Client& each = clients_[i];
  ASSERT(each.connection == completion.connection);
  switch (completion.operation) {
    case ring::Operation::connect:
      if (completion.error != ring::Error::none) return hang_up(i);
      each.open = true;
      proactor_.receive(each.connection);
      each.session.connected(at(i));
      return flush(i);
    case ring::Operation::receive:
      if (!completion.bytes.empty()) {
        each.session.received(at(i), completion.bytes);
        return flush(i);
      }
      return hang_up(i);
    case ring::Operation::send:
      each.in_flight.clear();
      if (completion.error != ring::Error::none) return hang_up(i);
      return flush(i);
    case ring::Operation::close:
      client_of_slot_[completion.connection.slot] = UINT32_MAX;
      each.connection = {};
      each.queued.clear();
      each.open = each.closing = each.close_called = false;
      each.session.disconnected(at(i));
      // Asked to come back while it was still on its way out.
      if (each.wanted && each.session.phase() == client::ClientSession::Phase::stopped) {
        each.session.start(at(i));
      }
      return;
    default:
      return;
  }
}

void ClientHost::flush(uint32_t client) {
  Client& each = clients_[client];
  if (!each.open || each.close_called || !each.in_flight.empty()) return;
  if (each.queued.empty()) {
    if (each.closing) hang_up(client);
    return;
  }
  each.in_flight.swap(each.queued);
  const iovec vector{each.in_flight.data(), each.in_flight.size()};
  proactor_.send(each.connection, {&vector, 1});
}

void ClientHost::hang_up(uint32_t client) {
  Client& each = clients_[client];
  if (each.close_called) return;
  each.close_called = true;
  proactor_.close(each.connection);
}

void ClientHost::connect(client::ClientIndex client) {
  Client& each = clients_[client];
  ASSERT(each.connection.slot == ring::kSlotNone);
  if (is_account(client)) account(client).choose(random_);
  const auto connection = proactor_.connect(server_, nullptr);
  ASSERT(connection.ok());
  each.connection = *connection;
  client_of_slot_[each.connection.slot] = client;
}

void ClientHost::transmit(client::ClientIndex client, client::Bytes frame) {
  clients_[client].queued.append(reinterpret_cast<const char*>(frame.data()), frame.size());
  flush(client);
}

void ClientHost::close(client::ClientIndex client) {
  Client& each = clients_[client];
  ASSERT(each.connection.slot != ring::kSlotNone);
  const bool again = std::exchange(each.closing, true);
  if (each.open && !again) return flush(client);
  hang_up(client);
}

client::Credentials ClientHost::credentials(client::ClientIndex client) {
  if (is_account(client)) return account(client).credentials();
  token_ = keys_.mint({.flags = proto::kTokenLoad,
                       .user = user_of(client),
                       .device = device_of(client).device,
                       .expires_ms = kTokenExpiresMs});
  return {.kind = client::Credentials::Kind::token,
          .device = device_of(client).device,
          .token = token_};
}

void ClientHost::sent(client::ClientIndex client, const client::SendResult& result) {
  const check::MessageKey id{user_of(client), result.id.high, result.id.low};
  if (result.error != wire::ErrorCode::None) return history_.rejected(id);
  history_.acknowledged(id, result.seq, ++moment_);
  show(client, result.seq, id, clients_[client].hashes.at(id));
}

void ClientHost::message(client::ClientIndex client, const proto::MessageFields& message) {
  Client& each = clients_[client];
  if (message.seq <= each.last_shown) {
    broken_.push_back("client " + std::to_string(client) + " was shown seq " +
                      std::to_string(message.seq) + " behind " + std::to_string(each.last_shown));
  }
  each.last_shown = message.seq;
  show(client, message.seq, {message.sender, message.client_msg_id.high, message.client_msg_id.low},
       body_hash(message.body));
}

void ClientHost::room_message(client::ClientIndex, const client::RoomMessageFields& message) {
  rooms_.received++;
  rooms_.late += message.late;
}

void ClientHost::room_gap(client::ClientIndex, const client::RoomGapFields& gap) {
  rooms_.missed += gap.missed;
}

// A simulated store keeps everything and nobody logs in elsewhere: neither may happen.
void ClientHost::history_lost(client::ClientIndex client, const proto::ConversationId&,
                              proto::Seq) {
  broken_.push_back("client " + std::to_string(client) + " was told of lost history");
}
void ClientHost::ended(client::ClientIndex client, const client::Ending& ending) {
  if (is_account(client)) {
    // It comes back as soon as this connection is closed.
    if (ending.why == client::Ending::Why::refused) {
      judge(client, account(client).refused(ending.code));
    }
    return;
  }
  broken_.push_back("client " + std::to_string(client) + " was ended: " +
                    (ending.why == client::Ending::Why::kicked
                         ? wire::EnumNameKickReason(ending.kick)
                         : wire::EnumNameErrorCode(ending.code)));
}

void ClientHost::ready(client::ClientIndex client, proto::UserId, client::Bytes token) {
  if (is_account(client)) judge(client, account(client).logged_in(token));
}
void ClientHost::caught_up(client::ClientIndex) {}
void ClientHost::room_joined(client::ClientIndex, proto::RoomId) {}
// An account asks for nothing but its logout.
void ClientHost::replied(client::ClientIndex client, uint32_t, const wire::Frame& frame) {
  if (is_account(client) && frame.body_as_Ok() != nullptr) account(client).logged_out();
}

}  // namespace ringtalk::sim
