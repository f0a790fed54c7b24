// tests/service/recording_proactor.h: for tests. A proactor that keeps what was sent, by slot.
//
// Nothing completes by itself: the test completes a send, good or not, when it likes, so that slow
// readers and full queues are a matter of a line.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "ring/proactor.h"

namespace ringtalk::service {

class RecordingProactor : public ring::Proactor {
 public:
  struct Send {
    uint32_t slot;
    size_t vectors;
    std::string bytes;
  };

  base::Result<ring::ListenerId, ring::Error> listen(const ring::Address&,
                                                     const ring::ListenOptions&) override {
    return ring::ListenerId{0};
  }
  ring::Address listener_address(ring::ListenerId) const override { return {}; }
  void accept_pause(ring::ListenerId) override {}
  void accept_resume(ring::ListenerId) override {}
  void close_listener(ring::ListenerId) override {}
  base::Result<ring::ConnectionId, ring::Error> connect(const ring::Address&,
                                                        const ring::Address*) override {
    return base::Failure{ring::Error::unsupported};
  }
  void receive(ring::ConnectionId) override {}
  void receive_pause(ring::ConnectionId) override {}
  void receive_resume(ring::ConnectionId) override {}
  void send(ring::ConnectionId connection, std::span<const iovec> vectors) override {
    EXPECT_FALSE(in_flight_.contains(connection.slot)) << "a second send of one connection";
    EXPECT_LE(vectors.size(), ring::kSendVectorsMax);
    EXPECT_FALSE(vectors.empty());
    Flight flight;
    for (const iovec& vector : vectors) {
      EXPECT_GT(vector.iov_len, 0u);
      flight.vectors.push_back(vector);
    }
    in_flight_[connection.slot] = std::move(flight);
    started_++;
  }
  void shutdown_write(ring::ConnectionId) override {}
  void close(ring::ConnectionId) override {}
  uint32_t run_once(uint32_t, uint64_t, ring::Handler&) override { return 0; }
  void wake() noexcept override {}
  uint32_t connections_open() const override { return 0; }
  const ring::ProactorStats& stats() const override { return stats_; }
  const char* backend() const override { return "recording"; }
  std::string rung() const override { return ""; }

  // ---- the test's side
  bool in_flight(uint32_t slot) const { return in_flight_.contains(slot); }
  std::vector<uint32_t> flying() const {
    std::vector<uint32_t> slots;
    for (const auto& [slot, flight] : in_flight_) slots.push_back(slot);
    return slots;
  }
  uint64_t started() const { return started_; }
  // The bytes are read now: they had to stay until here.
  Send finish(uint32_t slot) {
    const auto at = in_flight_.find(slot);
    EXPECT_NE(at, in_flight_.end());
    Send send{slot, at->second.vectors.size(), ""};
    for (const iovec& vector : at->second.vectors) {
      send.bytes.append(static_cast<const char*>(vector.iov_base), vector.iov_len);
    }
    in_flight_.erase(at);
    return send;
  }

 private:
  struct Flight {
    std::vector<iovec> vectors;
  };
  std::map<uint32_t, Flight> in_flight_;
  uint64_t started_ = 0;
  ring::ProactorStats stats_;
};

}  // namespace ringtalk::service
