// More connections than file descriptors: direct descriptors are limited for each ring.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "child_process.h"
#include "ring/backend.h"
#include "ring/proactor.h"
#include "uring_host.h"

namespace ringtalk::ring {
namespace {

constexpr uint32_t kConnections = 5'000;
constexpr rlim_t kDescriptors = 512;
constexpr char kMessage[] = "one message each";

// One end of some connections on a ring of its own.
struct End final : Handler {
  std::unique_ptr<Proactor> proactor;
  bool echoes = false;
  uint32_t connected = 0;
  uint32_t failed = 0;
  uint32_t ended = 0;
  uint64_t received_bytes = 0;
  std::vector<uint32_t> received_of;  // bytes, by slot

  void send(ConnectionId id) {
    const iovec vector{const_cast<char*>(kMessage), sizeof kMessage};
    proactor->send(id, {&vector, 1});
  }

  void complete(const Completion& completion) override {
    switch (completion.operation) {
      case Operation::accept:
      case Operation::connect:
        if (completion.error != Error::none) {
          failed++;
          return;
        }
        connected++;
        proactor->receive(completion.connection);
        return;
      case Operation::receive:
        received_bytes += completion.bytes.size();
        received_of[completion.connection.slot] += completion.bytes.size();
        if (!completion.more) {
          ended++;
        } else if (echoes && received_of[completion.connection.slot] == sizeof kMessage) {
          send(completion.connection);
        }
        return;
      default:
        return;
    }
  }
};

struct Fleet {
  std::vector<std::unique_ptr<End>> servers;
  std::vector<std::unique_ptr<End>> clients;
  base::SystemClock clock;

  bool add(std::vector<std::unique_ptr<End>>& side, uint32_t connections) {
    ProactorOptions options;
    options.connections = connections;
    auto made = make_proactor(Backend::io_uring, options);
    if (!made) return false;
    side.push_back(std::make_unique<End>());
    side.back()->proactor = std::move(*made);
    side.back()->received_of.resize(connections);
    return true;
  }

  template <class Until>
  bool pump(Until until) {
    const uint64_t give_up_ns = clock.now_ns() + 60'000'000'000;
    while (!until()) {
      if (clock.now_ns() > give_up_ns) return false;
      for (auto& each : servers) each->proactor->run_once(1'024, 0, *each);
      for (auto& each : clients) each->proactor->run_once(1'024, 0, *each);
    }
    return true;
  }

  template <class Value>
  static uint64_t sum(const std::vector<std::unique_ptr<End>>& side, Value value) {
    uint64_t total = 0;
    for (const auto& each : side) total += value(*each);
    return total;
  }
};

// Empty when all went well.
std::string hold_many() {
  const rlimit limit{kDescriptors, kDescriptors};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
  const uint32_t each = connections_max(Backend::io_uring, 1);
  if (each >= kDescriptors) return "the plan is above the limit: " + std::to_string(each);

  Fleet fleet;
  std::vector<Address> addresses;
  for (uint32_t left = kConnections; left > 0;) {
    const uint32_t here = std::min(left, each);
    if (!fleet.add(fleet.servers, each) || !fleet.add(fleet.clients, each)) return "no ring";
    Proactor& server = *fleet.servers.back()->proactor;
    fleet.servers.back()->echoes = true;
    const auto listener = server.listen(Address::loopback(0), {});
    if (!listener) return "listen";
    const Address address = server.listener_address(*listener);
    for (uint32_t i = 0; i < here; i++) {
      if (!fleet.clients.back()->proactor->connect(address, nullptr)) return "connect";
    }
    left -= here;
  }

  const auto connected = [](const End& end) { return end.connected; };
  const auto open = [](const End& end) { return end.proactor->connections_open(); };
  const auto received = [](const End& end) { return end.received_bytes; };
  const auto failed = [](const End& end) { return end.failed + end.ended; };
  if (!fleet.pump([&] {
        return Fleet::sum(fleet.servers, connected) == kConnections &&
               Fleet::sum(fleet.clients, connected) == kConnections;
      })) {
    return "connected " + std::to_string(Fleet::sum(fleet.clients, connected)) + " and accepted " +
           std::to_string(Fleet::sum(fleet.servers, connected));
  }
  // Slots of a proactor that only connects are taken from the first on, generation 1.
  for (auto& client : fleet.clients) {
    for (uint32_t slot = 0; slot < client->connected; slot++) client->send({slot, 1});
  }
  if (!fleet.pump(
          [&] { return Fleet::sum(fleet.clients, received) == kConnections * sizeof kMessage; })) {
    return "echoed " + std::to_string(Fleet::sum(fleet.clients, received)) + " bytes";
  }
  if (Fleet::sum(fleet.clients, open) != kConnections) return "clients were not held";
  if (Fleet::sum(fleet.servers, open) != kConnections) return "servers were not held";
  if (Fleet::sum(fleet.clients, failed) + Fleet::sum(fleet.servers, failed) > 0)
    return "some failed";

  // The end of a proactor is the end of its connections: every client sees it.
  fleet.servers.clear();
  const auto ended = [](const End& end) { return end.ended; };
  if (!fleet.pump([&] { return Fleet::sum(fleet.clients, ended) == kConnections; })) {
    return "ended " + std::to_string(Fleet::sum(fleet.clients, ended));
  }
  return "";
}

TEST(UringMany, FiveThousandConnectionsBothEndsUnder512Descriptors) {
  SKIP_WITHOUT_URING();
  EXPECT_EQ(in_child_process(&hold_many), "");
}

}  // namespace
}  // namespace ringtalk::ring
