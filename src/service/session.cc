#include "service/session.h"

namespace ringtalk::service {

Session& Sessions::open(ring::ConnectionId connection) noexcept {
  ASSERT(connection.generation != 0);
  Session& session = hot_[connection.slot];
  ASSERT(session.phase == Phase::free);
  session = Session{};
  session.generation = connection.generation;
  session.phase = Phase::connected;
  rest_[connection.slot] = SessionRest{};
  missed_[connection.slot] = kNotSwept;
  // Slots that were skipped below a first use are free: the sweep must not count for them.
  for (; used_ <= connection.slot; used_++) missed_[used_] = kNotSwept;
  open_++;
  return session;
}

void Sessions::release(uint32_t slot) noexcept {
  Session& session = hot_[slot];
  ASSERT(session.phase == Phase::closing);
  ASSERT(session.partial.bytes == nullptr);
  ASSERT(open_ > 0);
  session.phase = Phase::free;
  missed_[slot] = kNotSwept;
  open_--;
}

}  // namespace ringtalk::service
