#include "bench/driver/workload.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/support/process.h"

namespace ringtalk::bench {
namespace {

// Takes the figures of the middle of a run: from the end of the warm-up to the last full turn.
class Stopwatch {
 public:
  Stopwatch(tests::Process& server, double warm_up_s, double run_s)
      : server_(server),
        start_ns_(now_ns() + static_cast<uint64_t>(warm_up_s * 1e9)),
        end_ns_(start_ns_ + static_cast<uint64_t>(run_s * 1e9)) {}

  // False when the time is over.
  bool tick(uint64_t deliveries) {
    const uint64_t now = now_ns();
    if (!started_ && now >= start_ns_) {
      started_ = true;
      from_ns_ = now;
      from_cpu_ns_ = server_.cpu_ns();
      from_deliveries_ = deliveries;
    }
    return now < end_ns_;
  }

  Measured stop(uint64_t deliveries, bool complete) const {
    Measured measured;
    measured.deliveries = deliveries - from_deliveries_;
    measured.seconds = static_cast<double>(now_ns() - from_ns_) / 1e9;
    const auto cpu = static_cast<double>(server_.cpu_ns() - from_cpu_ns_);
    const auto count = static_cast<double>(measured.deliveries);
    measured.cpu_ns_per_delivery = count > 0 ? cpu / count : 0;
    measured.per_second = count / measured.seconds;
    measured.complete = complete;
    return measured;
  }

 private:
  tests::Process& server_;
  const uint64_t start_ns_;
  const uint64_t end_ns_;
  bool started_ = false;
  uint64_t from_ns_ = 0;
  uint64_t from_cpu_ns_ = 0;
  uint64_t from_deliveries_ = 0;
};

// The messages in what one member receives.
class Arrivals {
 public:
  // How many end within these bytes.
  uint64_t count(const Dialect& dialect, std::string_view bytes) {
    if (dialect.messages_by_eighths.empty()) {
      missing_ += bytes.size();
      const uint64_t whole = missing_ / dialect.delivery_bytes;
      missing_ %= dialect.delivery_bytes;
      return whole;
    }
    uint64_t whole = 0;
    while (!bytes.empty()) {
      if (missing_ == 0) {
        const size_t more = std::min(bytes.size(), sizeof prefix_ - prefix_bytes_);
        std::memcpy(prefix_ + prefix_bytes_, bytes.data(), more);
        prefix_bytes_ += static_cast<uint32_t>(more);
        bytes.remove_prefix(more);
        if (prefix_bytes_ < sizeof prefix_) break;
        uint32_t length = 0;
        std::memcpy(&length, prefix_, sizeof length);
        missing_ = length;
        const size_t eighths = (length + sizeof prefix_) / 8;
        const auto& counts = dialect.messages_by_eighths;
        messages_ = eighths < counts.size() ? counts[eighths] : 0;
        prefix_bytes_ = 0;
      }
      const uint64_t used = std::min<uint64_t>(bytes.size(), missing_);
      bytes.remove_prefix(used);
      missing_ -= used;
      if (missing_ == 0) whole += messages_;
    }
    return whole;
  }
  // Behind the last delivery: nothing, or what this server says beside deliveries.
  bool ends_well(const Dialect& dialect) const {
    return missing_ <= dialect.surplus_bytes_max && prefix_bytes_ == 0;
  }

 private:
  uint64_t missing_ = 0;  // of the frame; where lengths are fixed: what is here of the next message
  uint32_t messages_ = 0;
  uint32_t prefix_bytes_ = 0;
  char prefix_[4] = {};
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

uint32_t greet(LoadClient& client, const Dialect& dialect, uint32_t number) {
  return client.open(dialect.greeting ? dialect.greeting(number) : std::string(), dialect.greeted);
}

}  // namespace

Measured measure_room(tests::Process& server, uint16_t port, const Dialect& dialect,
                      const RoomWork& work) {
  LoadClient client(port);
  for (uint32_t i = 0; i < work.members; i++) greet(client, dialect, i);
  const bool other = !dialect.publisher_greeting.empty();
  const uint32_t publisher =
      other ? client.open(dialect.publisher_greeting, dialect.publisher_greeted)
            : greet(client, dialect, work.members);
  client.start();

  // A burst of messages leaves the publisher as one send, as any client library would do it.
  std::string burst;
  for (uint32_t i = 0; i < work.window; i++) burst += dialect.message;
  std::vector<Arrivals> arrivals(work.members);
  std::vector<uint64_t> received(work.members, 0);
  std::vector<uint32_t> arrived(size_t{work.window} + 1, 0);  // members that have message k
  uint64_t published = 0;
  uint64_t done = 0;
  uint64_t deliveries = 0;
  uint64_t delivered_bytes = 0;
  const auto on_bytes = [&](uint32_t connection, std::string_view bytes) {
    if (connection == publisher) return;
    delivered_bytes += bytes.size();
    const uint64_t count = arrivals[connection].count(dialect, bytes);
    for (uint64_t k = 0; k < count; k++) arrived[(received[connection] + k) % arrived.size()]++;
    received[connection] += count;
    deliveries += count;
  };
  const auto publish = [&](uint64_t messages) {
    client.send(publisher, bytes_of(burst).first(messages * dialect.message.size()));
    published += messages;
  };
  Stopwatch watch(server, work.warm_up_s, work.run_s);
  publish(work.window);
  bool alive = true;
  while (alive && watch.tick(deliveries)) {
    alive = client.turn(on_bytes);
    uint64_t freed = 0;
    while (done < published && arrived[done % arrived.size()] >= work.members) {
      arrived[done % arrived.size()] = 0;
      done++;
      freed++;
    }
    if (freed > 0) publish(freed);
  }
  const uint64_t expected = published * work.members;
  while (alive && deliveries < expected) alive = client.turn(on_bytes);
  const bool whole =
      std::ranges::all_of(arrivals, [&](const Arrivals& each) { return each.ends_well(dialect); });
  Measured measured = watch.stop(deliveries, alive && deliveries == expected && whole);
  measured.bytes_per_delivery =
      static_cast<double>(delivered_bytes) / static_cast<double>(std::max<uint64_t>(1, deliveries));
  return measured;
}

Measured measure_echo(tests::Process& server, uint16_t port, const Dialect& dialect,
                      const EchoWork& work) {
  LoadClient client(port);
  for (uint32_t i = 0; i < work.connections; i++) greet(client, dialect, i);
  client.start();
  std::vector<uint32_t> missing(work.connections, dialect.delivery_bytes);
  uint64_t echoes = 0;
  uint64_t wrong = 0;
  bool sending = true;
  const auto on_bytes = [&](uint32_t connection, std::string_view bytes) {
    const auto count = static_cast<uint32_t>(bytes.size());
    if (count > missing[connection]) wrong++;
    missing[connection] -= std::min(count, missing[connection]);
    if (missing[connection] > 0) return;
    echoes++;
    if (!sending) return;
    missing[connection] = dialect.delivery_bytes;
    client.send(connection, bytes_of(dialect.message));
  };
  for (uint32_t i = 0; i < work.connections; i++) client.send(i, bytes_of(dialect.message));
  Stopwatch watch(server, work.warm_up_s, work.run_s);
  bool alive = true;
  while (alive && watch.tick(echoes)) alive = client.turn(on_bytes);
  return watch.stop(echoes, alive && wrong == 0);
}

}  // namespace ringtalk::bench
