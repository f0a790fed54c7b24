#include "shard_world.h"

#include <gtest/gtest.h>

#include <cstring>

namespace ringtalk::service {
namespace {

constexpr uint64_t kSeed = 1;
constexpr uint32_t kClientsMax = 4'096;

ring::SimFaults quick_network() {
  ring::SimFaults faults;
  faults.latency_min_ns = 1'000;
  faults.latency_max_ns = 2'000;
  return faults;
}

ring::ProactorOptions client_options() {
  ring::ProactorOptions options;
  options.connections = kClientsMax;
  options.completion_entries = 4'096;
  options.buffers = 64;
  options.buffer_bytes = 4'096;
  return options;
}

}  // namespace

ShardWorld::ShardWorld(const Options& options)
    : workers(options.password_jobs),
      network(kSeed, clock, quick_network()),
      clients_(network, client_options()) {
  keys.add(1, proto::TokenKey{1, 2, 3});
  NodeOptions node_options;
  node_options.limits = options.limits;
  node_options.connections_max = options.connections_max;
  node_options.load_users = options.load_users;
  node_options.seed = kSeed;
  node_options.mailbox_entries = options.mailbox_entries;
  node = std::make_unique<Node>(node_options, clock, workers, keys, NodeEvents{});
  port_ = switchboard_.join(1, *node);
  node->attach(NodeMemory{{1, 1}, {}}, store, *port_, *port_);
  std::vector<ring::Proactor*> proactors;
  for (uint32_t i = 0; i < options.shards; i++) {
    ring::ProactorOptions sizes;
    sizes.connections = options.slots;
    sizes.buffers = options.shard_buffers;
    sizes.buffer_bytes = options.shard_buffer_bytes;
    proactors_.push_back(std::make_unique<ring::SimProactor>(network, sizes));
    proactors.push_back(proactors_.back().get());
  }
  node->add_shards(proactors, options.slots);
  address_ = ring::Address::loopback(0);
  for (uint32_t i = 0; i < options.shards; i++) address_ = *node->shard(i).listen(address_);
}

ShardWorld::~ShardWorld() {
  workers.held = false;
  while (workers.run_one()) {
  }
  // The connections go with their proactors; what they had queued goes with the shards.
  port_.reset();
  node.reset();
}

// ---- time

bool ShardWorld::step() {
  bool busy = network.run_due();
  for (uint32_t i = 0; i < node->shard_count(); i++) {
    if (i == stalled) continue;
    // A turn that finds something to do may leave work for the next one.
    const uint64_t before = proactors_[i]->stats().completions;
    const bool work = proactors_[i]->has_work();
    node->shard(i).turn(0);
    busy |= work || proactors_[i]->stats().completions != before;
  }
  busy |= store.deliver(*node);
  busy |= workers.run_one();
  busy |= clients_.has_work();
  clients_.run_once(64, 0, *this);
  for (TestClient& client : all_) flush(client);
  return busy;
}

void ShardWorld::settle() {
  for (int idle = 0; idle < 8;) {
    idle = step() ? 0 : idle + 1;
    const uint64_t due = network.next_event_ns();
    if (due > clock.now_ns() && due < clock.now_ns() + 1'000'000) {
      clock.advance_ns(due - clock.now_ns());
      idle = 0;
    }
  }
}

void ShardWorld::pass_ms(uint64_t ms) {
  for (uint64_t passed = 0; passed < ms; passed += 10) {
    clock.advance_ms(std::min<uint64_t>(10, ms - passed));
    settle();
  }
}

// ---- clients

TestClient& ShardWorld::connect() {
  TestClient& client = all_.emplace_back();
  const auto connection = clients_.connect(address_, nullptr);
  EXPECT_TRUE(connection.ok());
  client.connection = *connection;
  settle();
  return client;
}

void ShardWorld::send(TestClient& client, std::span<const std::byte> bytes) {
  client.output.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  flush(client);
}

void ShardWorld::flush(TestClient& client) {
  if (!client.connected || client.closed || client.sending || client.output.empty()) return;
  iovec vector{client.output.front().data(), client.output.front().size()};
  client.sending = true;
  clients_.send(client.connection, {&vector, 1});
}

void ShardWorld::hang_up(TestClient& client) {
  client.closed = true;
  clients_.close(client.connection);
}

void ShardWorld::complete(const ring::Completion& completion) {
  TestClient* client = nullptr;
  for (TestClient& each : all_) {
    if (each.connection == completion.connection) client = &each;
  }
  if (client == nullptr) return;
  switch (completion.operation) {
    case ring::Operation::connect:
      client->connected = completion.error == ring::Error::none;
      client->error = completion.error;
      if (client->connected) clients_.receive(client->connection);
      break;
    case ring::Operation::receive:
      client->input.append(reinterpret_cast<const char*>(completion.bytes.data()),
                           completion.bytes.size());
      while (client->input.size() >= 4) {
        uint32_t length = 0;
        std::memcpy(&length, client->input.data(), 4);
        if (client->input.size() < length + 4) break;
        client->frames.push_back(client->input.substr(0, length + 4));
        client->input.erase(0, length + 4);
      }
      if (!completion.more) client->ended = true;
      break;
    case ring::Operation::send:
      client->sending = false;
      client->output.pop_front();
      if (completion.error != ring::Error::none) client->error = completion.error;
      break;
    default:
      break;
  }
}

const wire::Frame* ShardWorld::next(TestClient& client) {
  if (client.frames.empty()) return nullptr;
  frame_ = std::move(client.frames.front());
  client.frames.pop_front();
  return wire::GetSizePrefixedFrame(frame_.data());
}

wire::ErrorCode ShardWorld::next_error(TestClient& client) {
  const auto* error = next_as<wire::Error>(client);
  return error == nullptr ? wire::ErrorCode::None : error->code();
}

TestClient& ShardWorld::greeted() {
  TestClient& client = connect();
  send(client, write.hello(1, "test", 7, wire::DeviceClass::Desktop));
  settle();
  EXPECT_NE(next_as<wire::Welcome>(client), nullptr);
  return client;
}

proto::TokenBytes ShardWorld::token(proto::UserId user, proto::DeviceId device, uint16_t flags,
                                    uint32_t epoch) const {
  proto::Token token;
  token.user = user;
  token.device = device;
  token.epoch = epoch;
  token.flags = flags;
  token.expires_ms = clock.wall_ms() + 86'400'000;
  return keys.mint(token);
}

TestClient& ShardWorld::online(proto::UserId user, proto::DeviceId device, uint16_t flags) {
  TestClient& client = greeted();
  send(client, write.resume(2, token(user, device, flags)));
  settle();
  EXPECT_NE(next_as<wire::LoggedIn>(client), nullptr);
  return client;
}

ShardStats ShardWorld::stats() {
  round_ = node->snapshot();
  ShardStats sum;
  for (StatsPart& part : round_->parts) {
    for (size_t i = 0; i < kCloseReasons; i++) sum.closes[i] += part.shard.closes[i];
    sum.sessions += part.shard.sessions;
    sum.online += part.shard.online;
    sum.prelogin += part.shard.prelogin;
    sum.frames_bad += part.shard.frames_bad;
    sum.reads_paused += part.shard.reads_paused;
    sum.refused_busy += part.shard.refused_busy;
    sum.queued_bytes += part.shard.queued_bytes;
    sum.pinned_bytes += part.shard.pinned_bytes;
    sum.hashes_refused += part.shard.hashes_refused;
    sum.store_submitted += part.shard.store_submitted;
    sum.unsupported += part.shard.unsupported;
    sum.wrong_state += part.shard.wrong_state;
    sum.mail_paused += part.shard.mail_paused;
    sum.mail_refused += part.shard.mail_refused;
    sum.mail_kept += part.shard.mail_kept;
    sum.room_published += part.shard.room_published;
  }
  return sum;
}

uint64_t ShardWorld::closes(CloseReason reason) {
  return stats().closes[static_cast<size_t>(reason)];
}

}  // namespace ringtalk::service
