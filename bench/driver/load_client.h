// bench/driver/load_client.h: private to bench. One load for every server: bytes out, bytes
// counted.
//
// On a bare io_uring, so that the client is never the slower side: connections are opened and
// greeted one by one with blocking calls, then start() arms a multishot receive on each and run()
// turns the ring. Ownership: the client owns its sockets; bytes given to send() live until they
// have been answered. Thread rule: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringtalk::bench {

class LoadClient {
 public:
  explicit LoadClient(uint16_t port);
  ~LoadClient();

  // Connects one more and runs its greeting: writes `greeting`, reads until `greeted(bytes so
  // far)`. Exits with a message after five seconds without success.
  using Greeted = std::function<bool(std::string_view received)>;
  uint32_t open(std::string_view greeting, const Greeted& greeted);
  uint32_t count() const;

  // From here on bytes are only counted; they are valid during on_bytes.
  void start();
  void send(uint32_t connection, std::span<const std::byte> bytes);
  using OnBytes = std::function<void(uint32_t connection, std::string_view bytes)>;
  // Submits, waits for something, hands out what has arrived. False when 5 s brought nothing.
  bool turn(const OnBytes& on_bytes);

 private:
  struct Ring;
  std::unique_ptr<Ring> ring_;
};

uint64_t now_ns();
void pin_to(int cpu);

}  // namespace ringtalk::bench
