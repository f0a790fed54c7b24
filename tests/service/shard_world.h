// tests/service/shard_world.h: for tests. A node of real shards on a simulated network, and clients
// that speak raw frames.
//
// The test holds the clock, the store, the workers and the network; nothing runs unless it calls
// settle() or pass_ms(). Thread rule: one thread. Invariant: one seed gives one history.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/workers.h"
#include "cluster/in_process.h"
#include "fake_store.h"
#include "proto/frame_reader.h"
#include "proto/frame_writer.h"
#include "proto/token.h"
#include "proto/verifier.h"
#include "ring/sim_network.h"
#include "ring/sim_proactor.h"
#include "service/door.h"
#include "service/node.h"
#include "service/password.h"
#include "service/shard.h"

namespace ringtalk::service {

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string as_text(std::span<const std::byte> frame) {
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

// Runs a job when the test says so; bounded like the real ones.
class HeldWorkers final : public base::Workers {
 public:
  explicit HeldWorkers(size_t waiting_max) : waiting_max_(waiting_max) {}
  bool submit(base::Job* job) noexcept override {
    if (jobs_.size() >= waiting_max_) return false;
    jobs_.push_back(job);
    return true;
  }
  bool run_one() {
    if (held || jobs_.empty()) return false;
    base::Job* job = jobs_.front();
    jobs_.pop_front();
    jobs_run++;
    job->run();
    job->finished();
    return true;
  }
  bool held = false;
  uint64_t jobs_run = 0;

 private:
  const size_t waiting_max_;
  std::deque<base::Job*> jobs_;
};

struct TestClient {
  ring::ConnectionId connection{};
  bool connected = false;
  bool ended = false;  // the server has shut down its side, or the connection broke
  bool closed = false;
  ring::Error error = ring::Error::none;
  std::string input;
  std::deque<std::string> frames;
  std::deque<std::string> output;  // not yet sent
  bool sending = false;
};

class ShardWorld : private ring::Handler {
 public:
  struct Options {
    uint32_t shards = 1;
    Limits limits;
    uint64_t connections_max = 100;
    uint32_t slots = 128;
    bool load_users = true;
    uint32_t shard_buffers = 16;
    uint32_t shard_buffer_bytes = 4'096;
    size_t password_jobs = 2;
    uint32_t mailbox_entries = kMailboxEntries;
  };

  explicit ShardWorld(const Options& options);
  ~ShardWorld() override;

  // ---- time
  // Until nobody has anything to do at the present time (and the network's own delays).
  void settle();
  void pass_ms(uint64_t ms);

  // ---- clients
  TestClient& connect();
  void send(TestClient& client, std::span<const std::byte> bytes);
  void finish(TestClient& client) { clients_.shutdown_write(client.connection); }
  void hang_up(TestClient& client);
  void stop_reading(TestClient& client) { clients_.receive_pause(client.connection); }
  void start_reading(TestClient& client) { clients_.receive_resume(client.connection); }
  // Takes the oldest frame not yet taken; it stays valid until the next call.
  const wire::Frame* next(TestClient& client);
  template <class T>
  const T* next_as(TestClient& client) {
    const wire::Frame* frame = next(client);
    return frame == nullptr ? nullptr : frame->body_as<T>();
  }
  // The code of the next frame, None when it is no Error.
  wire::ErrorCode next_error(TestClient& client);
  TestClient& greeted();
  TestClient& online(proto::UserId user, proto::DeviceId device = 7, uint16_t flags = 0);
  proto::TokenBytes token(proto::UserId user, proto::DeviceId device = 7, uint16_t flags = 0,
                          uint32_t epoch = 1) const;

  ShardStats stats();  // summed
  uint64_t closes(CloseReason reason);

  base::ManualClock clock;
  proto::FrameWriter write;
  FakeStore store;
  HeldWorkers workers;
  proto::KeyRing keys;
  std::unique_ptr<Node> node;
  ring::SimNetwork network;
  uint32_t stalled = UINT32_MAX;  // a shard that takes no turns

 private:
  void complete(const ring::Completion& completion) override;
  void flush(TestClient& client);
  bool step();

  std::vector<std::unique_ptr<ring::SimProactor>> proactors_;
  ring::SimProactor clients_;
  cluster::Switchboard switchboard_;
  std::unique_ptr<cluster::Switchboard::Port> port_;
  ring::Address address_;
  std::deque<TestClient> all_;
  std::string frame_;
  std::unique_ptr<StatsRound> round_;
};

}  // namespace ringtalk::service
