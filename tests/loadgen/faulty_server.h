// tests/loadgen/faulty_server.h: tests. A small server of the protocol that errs when it is told
// to.
//
// Takes every token, answers Hello, Resume, Heartbeat, Stats, Echo and live rooms, on a thread and
// a proactor of its own. Every `every`-th message to a client is dropped, repeated or swapped with
// the next one to the same client, in turn. Ownership: ends its thread. Thread rule: counts are
// read after stop(). Invariant: what it did wrong is counted exactly; a swap that found no next
// message counts as dropped.
#pragma once

#include <atomic>
#include <cstdint>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proto/frame_reader.h"
#include "proto/frame_writer.h"
#include "ring/proactor.h"

namespace ringtalk::tests {

struct FaultyOptions {
  uint64_t every = 0;             // 0: none
  uint64_t forget_publishes = 0;  // every so many publishes is numbered for nobody
  uint64_t heartbeat_ms = 15'000;
  uint64_t busy_logins = 0;  // so many are told ServerBusy first, and closed
  // Rooms: the second member of each is sent nothing of every `skip_every` messages; before the
  // next one it is told so by RoomGap, unless not `skip_told`.
  uint64_t skip_every = 0;
  bool skip_told = true;
};

class FaultyServer final : private ring::Handler {
 public:
  explicit FaultyServer(const FaultyOptions& options);
  ~FaultyServer() override;

  ring::Address address() const { return address_; }
  void stop();

  uint64_t messages = 0, dropped = 0, repeated = 0, swapped = 0, heartbeats = 0, busy = 0;
  uint64_t skipped = 0;

 private:
  struct Peer {
    ring::ConnectionId connection;
    proto::PartialFrame partial;
    std::vector<std::byte> waiting, sending, held;
    uint64_t user = 0;
    bool sending_now = false;
    bool closing = false;
  };
  struct Room {
    uint64_t n = 0;
    std::vector<uint32_t> members;
    uint64_t not_told = 0;  // skipped since the second member was last told
  };

  void run();
  void complete(const ring::Completion& completion) override;
  bool frame(Peer& peer, std::span<const std::byte> bytes);
  // Of the kind that the harness counts: errs when it is time to.
  void deliver(Peer& peer, proto::Bytes frame);
  void reply(Peer& peer, proto::Bytes frame);
  void flush(Peer& peer);

  const FaultyOptions options_;
  std::unique_ptr<ring::Proactor> proactor_;
  ring::Address address_;
  proto::FrameReader reader_{1 << 20};
  proto::FrameWriter writer_;
  std::map<uint32_t, Peer> peers_;  // by slot
  std::map<uint64_t, Room> rooms_;
  std::vector<uint32_t> dirty_;
  std::atomic<bool> stopping_{false};
  std::latch woken_{1};
  std::thread thread_;
};

}  // namespace ringtalk::tests
