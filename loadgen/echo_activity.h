// loadgen/echo_activity.h: internal to loadgen. Every client sends echoes and takes them back.
//
// Echoes are not durable: those under way when a connection is cut are unjudged. Thread rule and
// ownership: see activity.h. Invariant: issued - passed <= echo.window in a closed loop.
#pragma once

#include "loadgen/activity.h"
#include "loadgen/lazy_array.h"

namespace ringtalk::loadgen {

class EchoActivity final : public Activity {
 public:
  explicit EchoActivity(const ActivityPlace& place);

  void ready(uint32_t client);
  void gone(uint32_t client);
  void echo(uint32_t client, proto::Bytes body);

  void judge() override;

 private:
  struct Client {
    uint64_t written_off;
    uint64_t progress_ns;
    check::SentStream sent;
    check::StreamTally tally;
    bool cut;
    uint64_t passed() const noexcept { return tally.last > written_off ? tally.last : written_off; }
  };

  bool nothing_under_way() override;
  bool can_send(uint32_t actor) override;
  bool send(uint32_t actor, uint64_t intended_ns) override;
  void fill_windows() override;
  void write_off() override;
  void fill(uint32_t client);

  LazyArray<Client> clients_;
};

}  // namespace ringtalk::loadgen
