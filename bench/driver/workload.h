// bench/driver/workload.h: private to bench. The two works that every server is given.
//
// A Dialect says how to speak of a room (or of an echo) to one kind of server, in bytes of known
// length, so that one client loop loads them all and only counts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/driver/load_client.h"

namespace ringtalk::tests {
class Process;
}

namespace ringtalk::bench {

struct Dialect {
  std::string name;
  // Of a subscriber or an echoing client, by its number; null: there is nothing to say.
  std::function<std::string(uint32_t client)> greeting;
  LoadClient::Greeted greeted;     // null: there is nothing to wait for
  std::string publisher_greeting;  // empty: greeted as one more subscriber
  LoadClient::Greeted publisher_greeted;
  std::string message;          // what the publisher, or each echoing client, sends
  uint32_t delivery_bytes = 0;  // of one message as a subscriber, or the echoing client, gets it
  // What the server may say to each client beside deliveries (keep-alives of its protocol).
  uint32_t surplus_bytes_max = 0;
  // Where a frame may carry several messages: how many, by its length in eighths (0: it carries
  // none, or is not known). Frames start with their length, 4 bytes. Empty: delivery_bytes counts.
  std::vector<uint16_t> messages_by_eighths{};
  std::vector<uint32_t> frame_bytes{};  // the same the other way: with one message, with two ...
};

struct Measured {
  uint64_t deliveries = 0;
  double seconds = 0;
  double cpu_ns_per_delivery = 0;  // of the server, by its process clock
  double per_second = 0;
  bool complete = false;          // everything that was sent has arrived
  double bytes_per_delivery = 0;  // as the members of a room received them, over the whole run
};

struct RoomWork {
  uint32_t members = 1'000;
  uint32_t window = 1;
  double warm_up_s = 0.3;
  double run_s = 2;
};

// One publisher with `window` messages in flight, sliding: a message is done when all members have
// it.
Measured measure_room(tests::Process& server, uint16_t port, const Dialect& dialect,
                      const RoomWork& work);

struct EchoWork {
  uint32_t connections = 64;
  double warm_up_s = 0.3;
  double run_s = 2;
};

// Every connection has one message in flight.
Measured measure_echo(tests::Process& server, uint16_t port, const Dialect& dialect,
                      const EchoWork& work);

}  // namespace ringtalk::bench
