// loadgen/room_activity.h: internal to loadgen. Members of live rooms publish and receive.
//
// Client c is a member of room c / room.members; the first room.publishers of a room publish. The
// server numbers a room's messages 1, 2, 3 ...; each member must see them all, and their hashes
// must add up to what was published. A closed window counts messages that some member has not
// received. Members of a room on several rings tell each other through RunState::passed how far
// they are. Thread rule and ownership: see activity.h. Invariants: a member that was cut is judged
// again from the first message after its return; what it missed is unjudged.
#pragma once

#include <vector>

#include "loadgen/activity.h"
#include "loadgen/lazy_array.h"

namespace ringtalk::loadgen {

class RoomActivity final : public Activity {
 public:
  explicit RoomActivity(const ActivityPlace& place);

  void ready(uint32_t client);
  void gone(uint32_t client);
  void joined(uint32_t client, proto::RoomId room);
  void message(uint32_t client, const client::RoomMessageFields& message);
  void gap(uint32_t client, const client::RoomGapFields& gap);
  // Windows of rooms in which something has moved.
  void pump();
  // While it settles: a server tells what it has skipped before the next message that fits, so
  // where a member has not heard of all publishes for a while, there has to be one more message.
  void probe();
  uint32_t joined_count() const noexcept { return joined_; }

  void collect();
  void judge() override;

 private:
  struct Member {
    check::StreamTally tally;
    uint64_t skipped;  // of what is missing in `tally`: announced by the server
    uint64_t origin;
    bool asked;   // to join
    bool joined;  // confirmed
    bool fresh;   // back again: the next message says from where it is judged
    bool cut;     // ever
  };
  // What this ring has of a room.
  struct Part {
    uint64_t room = 0;
    uint32_t first = 0, end = 0;  // clients of this ring
    uint32_t joined = 0;
    uint64_t passed = 0;           // all joined members have all numbers up to here
    std::vector<uint32_t> counts;  // by number, beyond `passed`; closed loop only
    bool moved = false;
    bool spread = false;  // over several rings
  };
  struct Publisher {
    uint32_t client = 0;
    uint32_t part = 0;
    uint64_t issued = 0;
    uint64_t finished = 0;          // received by all, or written off
    std::vector<uint64_t> numbers;  // the server's, of what is in flight: a ring of `window`
    uint64_t seen = 0;              // own messages that came back
    uint64_t progress_ns = 0;
  };

  bool nothing_under_way() override;
  bool can_send(uint32_t actor) override;
  bool send(uint32_t actor, uint64_t intended_ns) override;
  void fill_windows() override;
  void write_off() override;

  Part& part_of(uint32_t client) noexcept;
  Publisher* publisher_of(uint32_t client) noexcept;
  void advance(Part& part, uint64_t from, uint64_t to);
  void withdraw(Part& part, uint64_t last);
  void settle_passed(Part& part);
  uint64_t passed_by_all(const Part& part) const noexcept;
  uint64_t highest(const Part& part) const;  // number that a member of this ring has seen
  void pump(Publisher& publisher);
  void wake_publishers(const Part& part);
  void came_back(uint32_t client, uint64_t number, uint64_t n);
  void new_origin(const Part& part, Member& member, uint64_t origin);
  void cut_stream(Member& member, uint64_t number);
  void publish(Publisher& publisher, uint64_t intended_ns);

  const uint64_t members_;  // of a full room
  const uint32_t publishers_each_;
  const uint64_t window_;
  uint32_t joined_ = 0;
  uint64_t first_room_ = 0;
  uint64_t next_probe_ns_ = 0;
  LazyArray<Member> table_;
  std::vector<Part> parts_;
  std::vector<Publisher> publishers_;  // in order of client
  std::vector<uint32_t> moved_;
};

}  // namespace ringtalk::loadgen
