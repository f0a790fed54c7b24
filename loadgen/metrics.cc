#include "loadgen/metrics.h"

#include "base/assert.h"

namespace ringtalk::loadgen {

const char* to_string(Failure failure) noexcept {
  switch (failure) {
    case Failure::refused:
      return "refused";
    case Failure::reset:
      return "reset";
    case Failure::timed_out:
      return "timed out";
    case Failure::no_address:
      return "without a free address";
    case Failure::no_slot:
      return "without a free slot";
    case Failure::busy:
      return "server busy";
    case Failure::token_refused:
      return "with a refused token";
    case Failure::closed_by_server:
      return "closed by the server";
    case Failure::bad_frame:
      return "sent a bad frame";
    case Failure::other:
      return "failed otherwise";
    case Failure::count_:
      break;
  }
  UNREACHABLE();
}

void Counters::add(const Counters& other) noexcept {
  attempted += other.attempted;
  reached += other.reached;
  lost += other.lost;
  reconnects += other.reconnects;
  for (size_t i = 0; i < failed.size(); i++) failed[i] += other.failed[i];
  planned += other.planned;
  issued += other.issued;
  dropped_by_generator += other.dropped_by_generator;
  acknowledged += other.acknowledged;
  rejected += other.rejected;
  unresolved += other.unresolved;
  expected += other.expected;
  delivered += other.delivered;
  lost_messages += other.lost_messages;
  skipped += other.skipped;
  probes += other.probes;
  duplicated += other.duplicated;
  reordered += other.reordered;
  unjudged += other.unjudged;
  wire_duplicates += other.wire_duplicates;
  wire_reordered += other.wire_reordered;
  beats_sent += other.beats_sent;
  beats_answered += other.beats_answered;
  beats_missed += other.beats_missed;
  sessions_lost += other.sessions_lost;
}

void Metrics::merge(const Metrics& other) noexcept {
  counters.add(other.counters);
  schedule_lag.merge(other.schedule_lag);
  echo.merge(other.echo);
  ack.merge(other.ack);
  direct.merge(other.direct);
  room.merge(other.room);
}

}  // namespace ringtalk::loadgen
