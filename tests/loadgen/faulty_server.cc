#include "tests/loadgen/faulty_server.h"

#include <unistd.h>

#include <cstring>

#include "base/assert.h"
#include "base/clock.h"
#include "proto/token.h"
#include "proto/verifier.h"
#include "ring/backend.h"

namespace ringtalk::tests {

namespace {

// The harness's own, which asks for statistics.
bool of_admin(const wire::Resume& resume) {
  uint16_t flags;
  std::memcpy(&flags, resume.token()->data() + 2, sizeof flags);
  return (flags & proto::kTokenAdmin) != 0;
}

}  // namespace

FaultyServer::FaultyServer(const FaultyOptions& options) : options_(options) {
  const auto choice = ring::choose_backend(ring::Backend::automatic, "");
  ASSERT(choice.ok());
  ring::ProactorOptions sizes;
  sizes.connections = 256;
  auto proactor = ring::make_proactor(choice->backend, sizes);
  ASSERT(proactor.ok());
  proactor_ = std::move(proactor).value();
  const auto listener = proactor_->listen(ring::Address::loopback(0), {});
  ASSERT(listener.ok());
  address_ = proactor_->listener_address(*listener);
  thread_ = std::thread([this] { run(); });
}

FaultyServer::~FaultyServer() {
  stop();
}

void FaultyServer::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  proactor_->wake();
  woken_.count_down();
  thread_.join();
}

void FaultyServer::run() {
  const base::SystemClock clock;
  while (!stopping_) {
    proactor_->run_once(256, clock.now_ns() + 50'000'000, *this);
    for (const uint32_t slot : dirty_) {
      if (const auto peer = peers_.find(slot); peer != peers_.end()) flush(peer->second);
    }
    dirty_.clear();
  }
  for (auto& [slot, peer] : peers_) {
    if (!peer.held.empty()) dropped++;
    reader_.release(peer.partial);
  }
  // stop() may still be about to wake it.
  woken_.wait();
  proactor_.reset();
}

void FaultyServer::complete(const ring::Completion& completion) {
  if (completion.operation == ring::Operation::accept) {
    if (completion.error != ring::Error::none) return;
    Peer& peer = peers_[completion.connection.slot];
    peer.connection = completion.connection;
    proactor_->receive(peer.connection);
    return;
  }
  if (completion.operation == ring::Operation::wake) return;
  Peer& peer = peers_[completion.connection.slot];
  switch (completion.operation) {
    case ring::Operation::receive:
      if (peer.closing) return;
      reader_.read(
          peer.partial, completion.bytes, [] { return proto::kFrameBytesMax; },
          [&](std::span<const std::byte> bytes) { return frame(peer, bytes); });
      if (completion.more) return;
      peer.closing = true;
      proactor_->close(peer.connection);
      return;
    case ring::Operation::send:
      peer.sending_now = false;
      flush(peer);
      return;
    case ring::Operation::close:
      if (!peer.held.empty()) dropped++;
      reader_.release(peer.partial);
      peers_.erase(completion.connection.slot);
      return;
    default:
      return;
  }
}

void FaultyServer::reply(Peer& peer, proto::Bytes frame) {
  peer.waiting.insert(peer.waiting.end(), frame.begin(), frame.end());
  dirty_.push_back(peer.connection.slot);
}

void FaultyServer::deliver(Peer& peer, proto::Bytes frame) {
  messages++;
  const uint64_t turn = options_.every == 0 ? 1 : messages % (3 * options_.every);
  if (turn == options_.every) {
    dropped++;
    return;
  }
  if (turn == 0 && peer.held.empty()) {
    peer.held.assign(frame.begin(), frame.end());
    return;
  }
  reply(peer, frame);
  if (turn == 2 * options_.every) {
    repeated++;
    reply(peer, frame);
  }
  if (!peer.held.empty()) {
    swapped++;
    peer.waiting.insert(peer.waiting.end(), peer.held.begin(), peer.held.end());
    peer.held.clear();
  }
}

void FaultyServer::flush(Peer& peer) {
  if (peer.sending_now || peer.closing || peer.waiting.empty()) return;
  peer.sending.swap(peer.waiting);
  peer.waiting.clear();
  peer.sending_now = true;
  const iovec vector{peer.sending.data(), peer.sending.size()};
  proactor_->send(peer.connection, {&vector, 1});
}

bool FaultyServer::frame(Peer& peer, std::span<const std::byte> bytes) {
  const auto verified = proto::verify(bytes, proto::Role::server);
  ASSERT(verified.ok());
  const wire::Frame& frame = **verified;
  const uint64_t id = frame.head()->id();
  if (frame.body_as_Hello() != nullptr) {
    proto::WelcomeFields fields;
    fields.node = 1;
    fields.heartbeat_ms = static_cast<uint32_t>(options_.heartbeat_ms);
    reply(peer, writer_.welcome(id, fields));
  } else if (const auto* resume = frame.body_as_Resume()) {
    if (busy < options_.busy_logins && !of_admin(*resume)) {
      busy++;
      reply(peer, writer_.error(id, wire::ErrorCode::ServerBusy, "too many users", 10));
      return true;
    }
    std::memcpy(&peer.user, resume->token()->data() + 8, sizeof peer.user);
    reply(peer, writer_.logged_in(id, peer.user, {}, 1));
  } else if (frame.body_as_Heartbeat() != nullptr) {
    heartbeats++;
    reply(peer, writer_.heartbeat_ack(id, 1, 0));
  } else if (frame.body_as_Stats() != nullptr) {
    const std::string json =
        "{\"pid\":" + std::to_string(::getpid()) +
        ",\"backend\":\"test\",\"shards\":1,\"messages\":" + std::to_string(messages) + "}";
    reply(peer, writer_.stats_reply(id, json));
  } else if (const auto* echo = frame.body_as_Echo()) {
    deliver(peer, writer_.echo(id, proto::bytes_of(echo->body())));
  } else if (const auto* join = frame.body_as_RoomJoin()) {
    rooms_[join->room()].members.push_back(peer.connection.slot);
    reply(peer, writer_.room_joined(id, join->room(), {}));
  } else if (const auto* publish = frame.body_as_RoomPublish()) {
    Room& room = rooms_[publish->room()];
    room.n++;
    if (options_.forget_publishes != 0 && room.n % options_.forget_publishes == 0) return true;
    const bool skips = options_.skip_every != 0 && room.n % options_.skip_every == 0;
    for (size_t i = 0; i < room.members.size(); i++) {
      const auto member = peers_.find(room.members[i]);
      if (member == peers_.end()) continue;
      if (i == 1 && skips) {
        messages++;
        skipped++;
        room.not_told++;
        continue;
      }
      if (i == 1 && room.not_told > 0 && options_.skip_told) {
        reply(member->second, writer_.room_gap(publish->room(), 7, room.n - 1, room.not_told));
        room.not_told = 0;
      }
      deliver(member->second, writer_.room_message(publish->room(), 7, room.n, peer.user,
                                                   proto::bytes_of(publish->body())));
    }
  }
  return true;
}

}  // namespace ringtalk::tests
