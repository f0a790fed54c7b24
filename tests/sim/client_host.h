// tests/sim/client_host.h: internal to tests/sim. Many real clients on one simulated proactor.
//
// The transport of src/client and an application that remembers what it was shown: each client
// sends to its partner, sits in rooms, and everything it invokes, gets acknowledged and sees goes
// to the history. Ownership: clock, proactor, history outlive it. Thread rule: the simulation's one
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "check/history.h"
#include "client/client.h"
#include "proto/token.h"
#include "ring/sim_proactor.h"
#include "tests/sim/account.h"

namespace ringtalk::sim {

struct HostOptions {
  uint32_t clients = 200;
  std::vector<proto::UserId> accounts;  // behind the clients: they log in and out, and are silent
  uint32_t rooms = 8;
  uint32_t heartbeat_ms = 2'000;
};

// What rooms promise: numbers rise, and what was skipped is counted.
struct RoomTally {
  uint64_t published = 0;
  uint64_t received = 0;
  uint64_t missed = 0;  // by RoomGap or by a step in n
  uint64_t late = 0;
};

uint64_t body_hash(std::span<const std::byte> bytes);

class ClientHost final : public ring::Handler, public client::ClientEvents {
 public:
  ClientHost(const HostOptions& options, const base::Clock& clock, ring::SimProactor& proactor,
             const ring::Address& server, const proto::KeyRing& keys, check::History& history,
             uint64_t seed);
  ~ClientHost() override;

  void start();
  // Brings back who has stopped.
  void start_all();
  // Turns the proactor and the clients that are due. True when something happened.
  bool turn();
  // When a client has something to do next.
  uint64_t next_due_ns() const;
  // One random action of one random client.
  void act();

  // Nobody has anything left to send, to pull or to wait for.
  bool settled() const;
  bool all_online() const;
  // Tells the history what each client has shown, its own messages merged in at their seq, and that
  // each must have shown all of its conversation.
  void tell_what_was_shown();
  // What the history cannot see: a message shown again or behind a later one.
  const std::vector<std::string>& broken() const { return broken_; }
  std::string unsettled() const;  // for a failure's log

  const RoomTally& rooms() const { return rooms_; }
  uint64_t void_refused() const;
  const client::ClientStats& stats() const { return context_.stats; }
  proto::UserId user_of(uint32_t client) const;
  proto::ConversationId conversation_of(uint32_t client) const;

  // ring::Handler
  void complete(const ring::Completion& completion) override;

  // client::ClientEvents
  void connect(client::ClientIndex client) override;
  void transmit(client::ClientIndex client, client::Bytes frame) override;
  void close(client::ClientIndex client) override;
  client::Credentials credentials(client::ClientIndex client) override;
  void ready(client::ClientIndex client, proto::UserId user, client::Bytes token) override;
  void ended(client::ClientIndex client, const client::Ending& ending) override;
  void sent(client::ClientIndex client, const client::SendResult& result) override;
  void message(client::ClientIndex client, const proto::MessageFields& message) override;
  void history_lost(client::ClientIndex client, const proto::ConversationId& conversation,
                    proto::Seq first_available) override;
  void caught_up(client::ClientIndex client) override;
  void room_joined(client::ClientIndex client, proto::RoomId room) override;
  void room_message(client::ClientIndex client, const client::RoomMessageFields& message) override;
  void turned_away(client::ClientIndex, wire::ErrorCode) override {}
  void room_gap(client::ClientIndex client, const client::RoomGapFields& gap) override;
  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override;

 private:
  struct Shown {
    check::MessageKey id;
    uint64_t hash = 0;
  };
  struct Client {
    client::ClientSession session;
    ring::ConnectionId connection{};
    std::string queued;
    std::string in_flight;
    bool open = false;  // connected; bytes may leave
    bool closing = false;
    bool close_called = false;
    bool wanted = true;                            // false: stopped on purpose
    uint64_t numbers = 0;                          // messages that it has sent
    std::map<check::MessageKey, uint64_t> hashes;  // of those
    // By seq: the partner's as they were shown, its own as they were acknowledged.
    std::map<uint64_t, Shown> shown;
    uint64_t last_shown = 0;
  };

  bool is_account(uint32_t client) const { return client >= options_.clients; }
  Account& account(uint32_t client) { return accounts_[client - options_.clients]; }
  void act_account();
  void judge(uint32_t client, const std::string& broken);
  client::ClientRef at(uint32_t client) { return {context_, client}; }
  void flush(uint32_t client);
  void hang_up(uint32_t client);
  void show(uint32_t client, uint64_t seq, const check::MessageKey& id, uint64_t hash);
  check::DeviceKey device_of(uint32_t client) const;

  const HostOptions options_;
  const base::Clock& clock_;
  const uint64_t start_ns_;
  ring::SimProactor& proactor_;
  const ring::Address server_;
  const proto::KeyRing& keys_;
  check::History& history_;
  base::Random random_;
  client::ClientContext context_;
  proto::TokenBytes token_{};
  std::vector<Client> clients_;  // and the accounts
  std::vector<Account> accounts_;
  std::vector<uint32_t> client_of_slot_;
  RoomTally rooms_;
  uint64_t moment_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace ringtalk::sim
