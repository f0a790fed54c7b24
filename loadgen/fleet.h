// loadgen/fleet.h: internal to loadgen. The clients of one ring and their connections.
//
// Carries bytes between the proactor and the sessions of src/client, brings clients in at a bounded
// pace, calls them when they are due, and tells the workload what an application is shown.
// Ownership: the fleet owns sessions and what waits to be sent; proactor, state and workload
// outlive it. Thread rule: one owner. Invariants: a client costs 72 bytes beside its connection;
// nothing is allocated for a message once the pools have warmed up; exactly one disconnected()
// follows each connect that a session asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/client.h"
#include "loadgen/due_wheel.h"
#include "loadgen/lazy_array.h"
#include "loadgen/metrics.h"
#include "loadgen/run_state.h"
#include "loadgen/send_queue.h"
#include "ring/proactor.h"

namespace ringtalk::loadgen {

// What happens to the application of a client; numbers are of this ring, 0 .. clients - 1.
class Application {
 public:
  virtual ~Application() = default;
  virtual void ready(uint32_t client) = 0;
  // In service no more: cut, or never again.
  virtual void gone(uint32_t client) = 0;
  virtual void sent(uint32_t client, const client::SendResult& result) = 0;
  virtual void message(uint32_t client, const proto::MessageFields& message) = 0;
  virtual void room_joined(uint32_t client, proto::RoomId room) = 0;
  virtual void room_message(uint32_t client, const client::RoomMessageFields& message) = 0;
  virtual void room_gap(uint32_t client, const client::RoomGapFields& gap) = 0;
  virtual void echo(uint32_t client, proto::Bytes body) = 0;
};

class Fleet final : private client::ClientEvents, private ring::Handler {
 public:
  Fleet(ring::Proactor& proactor, const base::Clock& clock, RunState& state, size_t ring,
        Metrics& metrics);
  ~Fleet() override;

  void serve(Application& application) { application_ = &application; }

  // Begins to bring clients in; step() goes on with it.
  void bring_in(uint32_t concurrency) noexcept { concurrency_ = concurrency; }
  // One turn: due clients, waiting sends, completions until `deadline_ns` at the latest.
  void step(uint64_t deadline_ns);
  // Says goodbye to all; done when open() is 0.
  void stop_all();
  // Ends all sessions, whatever became of their connections; the proactor may go from then on.
  void leave();

  uint32_t clients() const noexcept { return clients_; }
  uint32_t started() const noexcept { return started_; }
  uint32_t ready_count() const noexcept { return ready_; }
  uint32_t open() const noexcept { return proactor_.connections_open(); }
  bool is_ready(uint32_t client) const { return client < started_ && session(client).ready(); }
  // Bytes that wait behind the send in flight, in blocks: a client that cannot keep up.
  bool backlogged(uint32_t client) const noexcept;

  client::ClientSession& session(uint32_t client) const {
    ASSERT(client < started_);
    return *sessions_at(client);
  }
  client::ClientRef ref(uint32_t client) noexcept { return {context_, client}; }
  // After calls of a session's methods from outside of its events.
  void watch(uint32_t client);
  uint64_t global(uint32_t client) const noexcept { return first_ + client; }
  const client::ClientStats& stats() const noexcept { return context_.stats; }
  uint64_t now_ns() const noexcept { return now_ns_; }
  uint64_t own_beats_late() const noexcept { return own_beats_late_; }
  ring::Proactor& proactor() noexcept { return proactor_; }

 private:
  enum Flag : uint8_t {
    kDirty = 1,     // in dirty_
    kSending = 2,   // a send is in flight
    kSealed = 4,    // its last block is the queue's last
    kClosing = 8,   // close() was called, its completion is awaited
    kReached = 16,  // was ready once
    kInService = 32,
    kComingIn = 64,     // between connect and login
    kTurnedAway = 128,  // told to come later, until that connection has ended
  };
  struct Slot {
    ring::ConnectionId connection;
    SendQueue queue;
    uint32_t due_next;
    uint16_t due_place;
    uint8_t flags;
    uint8_t sending_blocks;
  };
  static_assert(sizeof(Slot) == 20);
  struct ComingIn {
    uint32_t client;
    uint64_t connect_ns, connected_ns;
  };

  // ClientEvents
  void connect(uint32_t client) override;
  void transmit(uint32_t client, proto::Bytes frame) override;
  void close(uint32_t client) override;
  client::Credentials credentials(uint32_t client) override;
  void ready(uint32_t client, proto::UserId user, proto::Bytes token) override;
  void ended(uint32_t client, const client::Ending& ending) override;
  void turned_away(uint32_t client, wire::ErrorCode code) override;
  void sent(uint32_t client, const client::SendResult& result) override;
  void message(uint32_t client, const proto::MessageFields& message) override;
  void history_lost(uint32_t client, const proto::ConversationId& conversation,
                    proto::Seq first_available) override;
  void caught_up(uint32_t client) override;
  void room_joined(uint32_t client, proto::RoomId room) override;
  void room_message(uint32_t client, const client::RoomMessageFields& message) override;
  void room_gap(uint32_t client, const client::RoomGapFields& gap) override;
  void replied(uint32_t client, uint32_t request, const wire::Frame& frame) override;

  // Handler
  void complete(const ring::Completion& completion) override;
  void completed_connect(uint32_t client, const ring::Completion& completion);
  void completed_send(uint32_t client, const ring::Completion& completion);
  void completed_close(uint32_t client);

  void start_more();
  void tick_due();
  void flush();
  void hang_up(uint32_t client);
  void note_late_beat(uint32_t client, uint32_t now_ms);
  void disconnected(uint32_t client);
  void leave_service(uint32_t client);
  void count_failure(Failure failure) noexcept;
  ComingIn* coming_in(uint32_t client);
  void remove_coming_in(uint32_t client);
  DueLink due_link(uint32_t client) noexcept {
    return {slots_[client].due_next, slots_[client].due_place};
  }
  client::ClientSession* sessions_at(uint32_t client) const noexcept;

  ring::Proactor& proactor_;
  const base::Clock& clock_;
  RunState& state_;
  Metrics& metrics_;
  Application* application_ = nullptr;
  client::ClientContext context_;
  const uint64_t first_;
  const uint32_t clients_;
  uint32_t started_ = 0;
  uint32_t ready_ = 0;
  uint32_t concurrency_ = 0;
  bool stopping_ = false;
  uint64_t now_ns_;
  uint64_t own_beats_late_ = 0;
  struct SessionMemory {
    alignas(8) std::byte bytes[sizeof(client::ClientSession)];
  };
  mutable LazyArray<SessionMemory> sessions_;
  LazyArray<Slot> slots_;
  LazyArray<uint32_t> client_of_slot_;
  DueWheel wheel_;
  SendPool pool_;
  std::vector<uint32_t> dirty_;
  std::vector<uint32_t> refused_;  // connects that could not even begin
  std::vector<ComingIn> coming_in_;
  proto::TokenBytes token_{};
};

}  // namespace ringtalk::loadgen
