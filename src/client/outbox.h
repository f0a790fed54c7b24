// src/client/outbox.h: private to src/client. What a client has accepted for delivery and has not
// yet seen acknowledged or rejected.
//
//   first_                          queued_from_                  end
//   [ in flight | done | in flight | queued (held back) | queued ... ]
//
// A ring in the order of acceptance; bodies keep their memory for the next tenant. Ownership: of
// the bodies. Thread rule: one owner. Invariant: nothing before queued_from_ is queued.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "proto/frame_writer.h"
#include "proto/ids.h"

namespace ringtalk::client {

struct Conversation;

struct Outgoing {
  enum class State : uint8_t { queued, in_flight, done };
  Conversation* conversation = nullptr;
  proto::ClientMessageId id;
  uint64_t tag = 0;
  proto::Seq reply_to = 0;
  uint32_t request = 0;  // of the present try
  wire::MessageKind kind{};
  State state = State::done;
  bool tried = false;
  std::vector<std::byte> body;
};

class Outbox {
 public:
  // Null when `max` are waiting. The new one is queued.
  Outgoing* push(uint32_t max);
  Outgoing* find(uint32_t request) noexcept;
  bool contains(const proto::ClientMessageId& id) const noexcept;

  void transmitted(Outgoing& message, uint32_t request) noexcept;
  void queue_again(Outgoing& message) noexcept;
  void finish(Outgoing& message) noexcept;
  // The connection is gone: everything that was in flight is queued again.
  void queue_all_again() noexcept;

  // Calls `use(Outgoing&) -> bool` for the queued ones, in order, until it says false. `use` either
  // transmits or passes over.
  template <class Use>
  void for_each_queued(Use&& use) {
    bool passed_over = false;
    for (uint32_t at = queued_from_; at != end_; at++) {
      Outgoing& message = slot(at);
      if (message.state == Outgoing::State::queued && !use(message)) return;
      passed_over |= message.state == Outgoing::State::queued;
      if (!passed_over) queued_from_ = at + 1;
    }
  }

  uint32_t unfinished() const noexcept { return unfinished_; }
  uint32_t in_flight() const noexcept { return in_flight_; }
  uint64_t in_flight_bytes() const noexcept { return in_flight_bytes_; }
  bool any_queued() const noexcept { return unfinished_ > in_flight_; }

 private:
  Outgoing& slot(uint32_t at) noexcept { return slots_[at & (slots_.size() - 1)]; }
  const Outgoing& slot(uint32_t at) const noexcept { return slots_[at & (slots_.size() - 1)]; }
  void grow();

  std::vector<Outgoing> slots_;  // a power of two
  uint32_t first_ = 0;           // positions only grow; slot = position modulo size
  uint32_t end_ = 0;
  uint32_t queued_from_ = 0;
  uint32_t unfinished_ = 0;
  uint32_t in_flight_ = 0;
  uint64_t in_flight_bytes_ = 0;
};

}  // namespace ringtalk::client
