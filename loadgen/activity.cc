#include "loadgen/activity.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

constexpr int kSendsPerTurn = 1'024;
constexpr uint32_t kActorsTried = 64;

}  // namespace

Activity::Activity(const ActivityPlace& place, double weight, uint64_t actors,
                   uint64_t actors_of_all)
    : place_(place),
      weight_(weight),
      actors_(static_cast<uint32_t>(actors)),
      actors_of_all_(actors_of_all),
      body_(place.state.scenario.message.bytes) {
  ASSERT(weight > 0 && actors <= actors_of_all);
}

void Activity::begin() {
  running_ = true;
  if (actors_ == 0) return;
  const Scenario& scenario = place_.state.scenario;
  const uint64_t now_ns = place_.fleet.now_ns();
  next_write_off_ns_ = now_ns + kWriteOffNs;
  if (!scenario.open_loop()) {
    fill_windows();
    return;
  }
  const double weights = scenario.mix.echo + scenario.mix.direct + scenario.mix.room;
  const double share = static_cast<double>(actors_) / static_cast<double>(actors_of_all_);
  const auto rings = static_cast<double>(place_.state.threads.rings.size());
  schedule_ =
      Schedule(scenario.arrival_in_force(), scenario.rate * weight_ / weights * share,
               place_.state.hold_start_ns, place_.state.hold_end_ns,
               static_cast<double>(place_.ring) / rings,
               scenario.seed * 1'000'003 + place_.ring * 8 + static_cast<uint64_t>(weight_));
  counters().planned += schedule_.planned();
}

void Activity::end() noexcept {
  running_ = false;
  counters().planned -= schedule_.cut(place_.state.hold_end_ns);
}

void Activity::turn() {
  if (actors_ == 0) return;
  if (open_loop()) {
    pace();
    return;
  }
  if (!running_) return;
  const uint64_t now_ns = place_.fleet.now_ns();
  if (now_ns >= next_write_off_ns_) {
    write_off();
    fill_windows();
    next_write_off_ns_ = now_ns + 1'000'000'000;
  }
}

uint64_t Activity::next_ns() const noexcept {
  if (actors_ == 0) return UINT64_MAX;
  if (!open_loop()) return running_ ? next_write_off_ns_ : UINT64_MAX;
  // Blocked: a completion (a login) unblocks.
  return blocked_ ? UINT64_MAX : schedule_.next_ns();
}

void Activity::pace() {
  const uint64_t now_ns = place_.fleet.now_ns();
  for (int sends = 0; sends < kSendsPerTurn && schedule_.due(now_ns); sends++) {
    uint32_t tried = 0;
    const uint32_t most = std::min(kActorsTried, actors_);
    while (tried < most && !can_send(next_actor_)) {
      next_actor_ = (next_actor_ + 1) % actors_;
      tried++;
    }
    if (tried == most) {
      blocked_ = true;
      return;
    }
    if (blocked_) unblocked_ns_ = now_ns;
    blocked_ = false;
    const uint64_t intended_ns = schedule_.take();
    const uint64_t could_ns = std::max(intended_ns, unblocked_ns_);
    place_.metrics.schedule_lag.record((now_ns - could_ns) / 1'000);
    if (!send(next_actor_, intended_ns)) counters().dropped_by_generator++;
    next_actor_ = (next_actor_ + 1) % actors_;
  }
}

proto::Bytes Activity::body(uint64_t sender, uint64_t number, uint64_t intended_ns,
                            uint64_t* hash) {
  MessageHead head;
  head.sender = sender;
  head.number = number;
  head.intended_ns = intended_ns;
  head.sent_ns = place_.fleet.now_ns();
  write_head(head, body_);
  *hash = head.hash();
  return body_;
}

void Activity::count(check::Arrived arrived) noexcept {
  if (arrived == check::Arrived::duplicated) {
    counters().duplicated++;
    return;
  }
  counters().delivered++;
  if (arrived == check::Arrived::late) counters().reordered++;
}

void Activity::count_missing(uint64_t missing, uint64_t skipped) noexcept {
  const uint64_t told = std::min(missing, skipped);
  counters().skipped += told;
  counters().lost_messages += missing - told;
}

void Activity::close_stream(check::StreamTally& tally, uint64_t number, uint64_t skipped) noexcept {
  counters().expected += tally.last - tally.base;
  count_missing(tally.missing(tally.last), skipped);
  counters().unjudged += number - tally.last;
  tally.skip_to(number);
}

}  // namespace ringtalk::loadgen
