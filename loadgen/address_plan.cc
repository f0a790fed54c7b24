#include "loadgen/address_plan.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/assert.h"
#include "loadgen/report.h"

namespace ringtalk::loadgen {
namespace {

// 127.0.0.1, 127.0.0.2 ... in steps: `index` counts from 0.
ring::Address loopback_number(uint32_t index, uint16_t port) {
  ring::Address address = ring::Address::loopback(port);
  const uint32_t host = index + 1;
  address.bytes[1] = static_cast<uint8_t>(host >> 16);
  address.bytes[2] = static_cast<uint8_t>(host >> 8);
  address.bytes[3] = static_cast<uint8_t>(host);
  return address;
}

bool is_loopback_v4(const ring::Address& address) {
  return address.family == ring::Family::v4 && address.is_loopback();
}

// More pairs than targets: other destinations, or other sources.
void spread(AddressPlan& plan, const std::vector<ring::Address>& targets, uint64_t needed,
            const AddressFacts& facts) {
  const ring::Address& first = targets.front();
  const bool all_loopback = std::ranges::all_of(targets, is_loopback_v4);
  if (all_loopback && targets.size() == 1 &&
      facts.answers(loopback_number(static_cast<uint32_t>(needed) - 1, first.port))) {
    for (uint32_t i = 0; plan.pairs.size() < needed; i++) {
      const ring::Address to = loopback_number(i, first.port);
      if (!(to == first)) plan.pairs.push_back({to, {}});
    }
    plan.text += " to destinations 127.0.0.1 and on";
  } else if (all_loopback) {
    plan.pairs.clear();
    for (uint32_t i = 0; plan.pairs.size() < needed; i++) {
      for (const ring::Address& to : targets) plan.pairs.push_back({to, loopback_number(i, 0)});
    }
    plan.text += " from sources 127.0.0.1 and on";
  } else if (facts.local.size() > 1) {
    plan.pairs.clear();
    for (const ring::Address& source : facts.local) {
      for (const ring::Address& to : targets) {
        if (source.family == to.family) plan.pairs.push_back({to, source});
      }
    }
    plan.text += " from every address of this host";
  }
}

bool connects(const ring::Address& to) {
  if (to.family != ring::Family::v4) return false;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  std::memcpy(&address.sin_addr, to.bytes.data(), 4);
  bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd waiting{fd, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    connected = ::poll(&waiting, 1, 200) == 1 &&
                ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  ::close(fd);
  return connected;
}

std::vector<ring::Address> host_addresses() {
  std::vector<ring::Address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    ring::Address address;
    address.family = ring::Family::v4;
    std::memcpy(address.bytes.data(),
                &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, 4);
    if (!address.is_loopback()) found.push_back(address);
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

AddressPlan plan_addresses(const std::vector<ring::Address>& targets, uint64_t connections,
                           const AddressFacts& facts) {
  ASSERT(!targets.empty() && connections > 0);
  const uint32_t per_pair = std::max<uint32_t>(1, facts.ports.half());
  const uint64_t needed = (connections + per_pair - 1) / per_pair;
  AddressPlan plan;
  for (const ring::Address& to : targets) plan.pairs.push_back({to, {}});
  plan.text = "addresses: ";
  std::string how;
  if (needed > plan.pairs.size()) {
    AddressPlan spread_plan = plan;
    spread_plan.text.clear();
    spread(spread_plan, targets, needed, facts);
    plan.pairs = std::move(spread_plan.pairs);
    how = std::move(spread_plan.text);
  }
  plan.capacity = uint64_t{per_pair} * plan.pairs.size();
  plan.enough = plan.capacity >= connections;
  plan.text += grouped(connections) + " connections over " + std::to_string(plan.pairs.size()) +
               (plan.pairs.size() == 1 ? " pair" : " pairs") + how + ", room for " +
               grouped(plan.capacity) + " (half of ports " + std::to_string(facts.ports.first) +
               "-" + std::to_string(facts.ports.last) + " for each pair)";
  if (!plan.enough) {
    plan.text +=
        "; too few: add targets or addresses, or widen net.ipv4.ip_local_port_range with "
        "sysctl -w net.ipv4.ip_local_port_range='1024 65535'";
  }
  return plan;
}

AddressFacts host_facts() {
  AddressFacts facts;
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  PortRange ports;
  if (range >> ports.first >> ports.last && ports.first < ports.last) facts.ports = ports;
  facts.local = host_addresses();
  facts.answers = connects;
  return facts;
}

}  // namespace ringtalk::loadgen
