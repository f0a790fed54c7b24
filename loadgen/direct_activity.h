// loadgen/direct_activity.h: internal to loadgen. Clients in pairs send each other durable
// messages.
//
// Clients 2k and 2k + 1 are a pair and on one ring. A message is expected once it was acknowledged;
// one that is not acknowledged when the run has settled is unjudged. Thread rule and ownership: see
// activity.h. Invariant: the numbers that a client is shown are its peer's, rising by one.
#pragma once

#include "loadgen/activity.h"
#include "loadgen/lazy_array.h"

namespace ringtalk::loadgen {

class DirectActivity final : public Activity {
 public:
  explicit DirectActivity(const ActivityPlace& place);

  void ready(uint32_t client);
  void sent(uint32_t client, const client::SendResult& result);
  void message(uint32_t client, const proto::MessageFields& message);

  // Before the clients are sent away: who is not there cannot have been shown what it missed.
  void note_away();
  void judge() override;

 private:
  struct Client {
    check::SentStream sent;
    uint64_t acknowledged;
    uint64_t rejected;
    check::StreamTally tally;
    bool away;  // when the run ended
    uint64_t in_flight() const noexcept { return sent.count - acknowledged - rejected; }
  };
  struct Times {
    uint64_t intended_ns, sent_ns;
  };

  static uint32_t peer(uint32_t client) noexcept { return client ^ 1; }
  bool nothing_under_way() override;
  bool can_send(uint32_t actor) override;
  bool send(uint32_t actor, uint64_t intended_ns) override;
  void fill_windows() override;
  // An unacknowledged message is sent again by the session until it is answered.
  void write_off() override {}
  void fill(uint32_t client);
  Times& times(uint32_t client, uint64_t number) {
    return times_[uint64_t{client} * window_ + number % window_];
  }

  const uint32_t paired_;
  const uint32_t window_;
  LazyArray<Client> clients_;
  LazyArray<Times> times_;  // of what is in flight
};

}  // namespace ringtalk::loadgen
