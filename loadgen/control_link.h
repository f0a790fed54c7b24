// loadgen/control_link.h: internal to loadgen. The run's own connection to the server.
//
// Finds out whether the target answers and takes the token, and asks for Stats before and after.
// One client with an admin token on a small proactor of its own. Ownership: owns both; the keys
// outlive it. Thread rule: the conductor's. Invariant: never part of what is measured; it beats
// only while poll() is called.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "client/client.h"
#include "proto/token.h"
#include "ring/proactor.h"

namespace ringtalk::loadgen {

class ControlLink final : private client::ClientEvents, private ring::Handler {
 public:
  ControlLink(std::unique_ptr<ring::Proactor> proactor, const base::Clock& clock,
              const ring::Address& target, const proto::KeyRing& keys, uint64_t run_id);
  ~ControlLink() override;

  enum class Opened : uint8_t { ready, unreachable, refused, given_up };
  // Waits until the server has taken the token, or does not, or `give_up`.
  Opened open(uint64_t timeout_ns, const std::function<bool()>& give_up);
  const std::string& problem() const noexcept { return problem_; }
  // The server's statistics as JSON; nothing when it does not answer in time.
  std::optional<std::string> stats(uint64_t timeout_ns);
  // Heartbeats and what has arrived.
  void poll();

 private:
  template <class Until>
  void run(uint64_t timeout_ns, Until&& until);
  client::ClientRef ref() noexcept { return {context_, 0}; }
  void flush();

  void connect(uint32_t client) override;
  void transmit(uint32_t client, proto::Bytes frame) override;
  void close(uint32_t client) override;
  client::Credentials credentials(uint32_t client) override;
  void ready(uint32_t client, proto::UserId user, proto::Bytes token) override;
  void ended(uint32_t client, const client::Ending& ending) override;
  void turned_away(uint32_t client, wire::ErrorCode code) override;
  void sent(uint32_t, const client::SendResult&) override {}
  void message(uint32_t, const proto::MessageFields&) override {}
  void history_lost(uint32_t, const proto::ConversationId&, proto::Seq) override {}
  void caught_up(uint32_t) override {}
  void room_joined(uint32_t, proto::RoomId) override {}
  void room_message(uint32_t, const client::RoomMessageFields&) override {}
  void room_gap(uint32_t, const client::RoomGapFields&) override {}
  void replied(uint32_t client, uint32_t request, const wire::Frame& frame) override;
  void complete(const ring::Completion& completion) override;

  const std::unique_ptr<ring::Proactor> proactor_;
  const base::Clock& clock_;
  const ring::Address target_;
  const proto::KeyRing& keys_;
  const uint64_t run_id_;
  client::ClientContext context_;
  client::ClientSession session_;
  proto::TokenBytes token_{};
  ring::ConnectionId connection_;
  std::vector<std::byte> waiting_, sending_;
  bool sending_now_ = false;
  bool closing_ = false;
  bool connect_failed_ = false;
  bool refused_ = false;
  std::string problem_;
  uint32_t asked_ = 0;
  std::optional<std::string> answer_;
};

}  // namespace ringtalk::loadgen
