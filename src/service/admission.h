// src/service/admission.h: internal to the service. Connections that are not yet, or no longer,
// sessions of a user.
//
// Two lists by slot, each in the order of its deadlines because all its members wait equally long:
// before login, and ending (told why, discarding input). Admission only decides and remembers; the
// shard acts. Thread rule: the shard's. Invariants: a slot is in at most one list; it counts
// for its address, on the node, while it is in the first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "ring/address.h"
#include "service/address_counts.h"
#include "service/limits.h"
#include "service/session.h"

namespace ringtalk::service {

class Admission {
 public:
  Admission(Sessions& sessions, const Limits& limits, AddressCounts& addresses);

  // False: this address has too many connections before login.
  [[nodiscard]] bool enter(uint32_t slot, const ring::Address& peer, uint64_t now_ns);
  // The slot to close so that the newcomers fit, or base::kNoSlot: the oldest that has sent no
  // frame, else the oldest whose password is not being checked. Looks at all in the worst case.
  uint32_t to_evict() const;
  // Logged in, or gone.
  void leave(uint32_t slot);
  void begin_ending(uint32_t slot, uint64_t now_ns);

  // The earliest of the deadlines, 0 = none.
  uint64_t next_deadline(uint64_t now_ns) const;
  // A slot whose deadline has passed, or base::kNoSlot. The caller takes it out of its list.
  uint32_t expired(uint64_t now_ns) const;

  uint32_t before_login() const noexcept { return before_login_.count(); }
  uint32_t ending() const noexcept { return ending_.count(); }
  void configure(const Limits& limits);

 private:
  struct Links {
    Sessions* sessions;
    base::ListLinks& operator()(uint32_t slot) const { return sessions->rest(slot).waiting; }
  };
  using List = base::IntrusiveList<Links>;

  List& list(WaitList which);
  void move(uint32_t slot, WaitList to);
  bool trusted(const ring::Address& peer) const;

  Sessions& sessions_;
  const Limits* limits_;
  AddressCounts& addresses_;
  bool trust_loopback_ = false;
  std::vector<ring::Address> trusted_;
  List before_login_;
  List ending_;
};

// Whether the text can stand in limits.trusted_addresses: "loopback" or an address without a port.
bool parse_trusted(const std::string& text, ring::Address& address);

}  // namespace ringtalk::service
