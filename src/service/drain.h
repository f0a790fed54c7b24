// src/service/drain.h: internal to the service. How a shard stops without cutting anybody off.
//
// Listeners are closed at once; Goaway goes to the sessions slot by slot, spread over the drain
// window so that they do not all come back elsewhere in one moment; each is ended a grace later
// (sooner when it leaves by itself), requests in flight first. hurry() ends what is left now.
// Thread rule: the shard's. Invariant: both cursors only rise, the ending one behind the other.
#pragma once

#include <cstdint>

namespace ringtalk::service {

class Shard;

class Drain {
 public:
  explicit Drain(Shard& shard) : shard_(shard) {}

  void begin();
  void hurry();
  void tick();
  bool active() const noexcept { return started_ns_ != 0; }
  uint64_t next_deadline() const noexcept;

 private:
  uint32_t slots_due(uint64_t elapsed_ns) const;
  void say_goaway(uint32_t slot);
  void end(uint32_t slot, bool now);

  Shard& shard_;
  uint64_t started_ns_ = 0;
  uint64_t window_ns_ = 0;
  uint64_t grace_ns_ = 0;
  uint64_t next_ns_ = 0;
  uint32_t told_ = 0;   // slots below have been told
  uint32_t ended_ = 0;  // slots below have been ended
};

}  // namespace ringtalk::service
