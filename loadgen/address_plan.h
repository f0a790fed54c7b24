// loadgen/address_plan.h: internal to loadgen. Which source and destination each client uses.
//
// A pair of addresses carries as many connections as there are ephemeral ports. connect() searches
// ports of one parity first, so beyond half of the range each call scans: the plan stays below half
// and adds pairs instead. Against loopback a second pair costs nothing: other destinations in 127/8
// where the server answers there, else other sources; elsewhere the addresses of this host.
// Thread rule: made by main, read by all. Invariant: client i uses pair i % pairs().size().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ring/address.h"

namespace ringtalk::loadgen {

struct AddressPair {
  ring::Address to;
  ring::Address source;  // family none: the kernel chooses
};

struct PortRange {
  uint32_t first = 32'768;
  uint32_t last = 60'999;
  uint32_t half() const noexcept { return (last - first + 1) / 2; }
};

// What the planner asks the host; a test answers itself.
struct AddressFacts {
  PortRange ports;
  std::vector<ring::Address> local;  // usable sources towards the targets, without loopback
  std::function<bool(const ring::Address&)> answers;
};

struct AddressPlan {
  std::vector<AddressPair> pairs;
  uint64_t capacity = 0;
  bool enough = false;
  std::string text;  // one line for the user

  const AddressPair& of(uint64_t client) const noexcept { return pairs[client % pairs.size()]; }
};

AddressPlan plan_addresses(const std::vector<ring::Address>& targets, uint64_t connections,
                           const AddressFacts& facts);

// From /proc/sys and the host's interfaces; `answers` connects once, for at most 200 ms.
AddressFacts host_facts();

}  // namespace ringtalk::loadgen
