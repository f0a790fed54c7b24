// src/service/rooms.h: internal to the service. The members that this shard has in each room.
//
//   room -> slots [ 3 | 17 | 4 ]  memberships [ 0 | 9 | 2 ]     (dense, side by side)
//   session -> membership -> membership                          (its rooms)
// A burst goes to all members in one pass over `slots`; who is over its limits or has been told
// nothing of an earlier skip is looked at afterwards: a skip is kept in its membership and said as
// RoomGap when its queue has drained, at the latest before the next message that fits. A member
// that asks for no echo of its own message gets a RoomGap of 0 missed in its place, so that n stays
// dense for everybody. Thread rule: the shard's thread. Invariants: a session stands in `slots`
// from its RoomJoined to its leave; the home knows this shard as long as it has members or joins
// under way; no copy and no allocation for a member that takes the burst (both are counted).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proto/room_numbers.h"
#include "service/id_map.h"
#include "service/port.h"
#include "service/postbox.h"
#include "service/slot_array.h"

namespace ringtalk::service {

class Rooms {
 public:
  Rooms(Port& port, Postbox& postbox);

  // ---- a session's frames
  void join(uint32_t slot, uint64_t id, proto::RoomId room);
  void leave(uint32_t slot, uint64_t id, proto::RoomId room);
  void publish(uint32_t slot, uint64_t id, const wire::RoomPublish& publish);
  void closing(uint32_t slot);

  // ---- from the home
  void joined(const Mail& mail, const proto::Range& frame);
  void messages(const Mail& mail, const proto::Range& burst);
  void gap(const Mail& mail);
  void published(const Mail& mail);

  // Room messages or a RoomGap that were queued for this session have been thrown away.
  void dropped(uint32_t slot, const proto::RoomNumbers& messages);
  void dropped(uint32_t slot, const wire::RoomGap& gap);
  // The session's queue is empty: says what it has missed.
  void drained(uint32_t slot);

  // Tells homes of rooms that have ended here, whose way was full.
  void retry();
  bool waiting() const noexcept { return !ended_.empty(); }

  uint32_t rooms() const noexcept { return static_cast<uint32_t>(index_.count()); }

 private:
  static constexpr uint32_t kNone = 0;  // of memberships and gaps

  struct Room {
    proto::RoomId id = 0;
    uint32_t joins_under_way = 0;
    bool known = false;  // to its home
    bool ended = false;  // in ended_: its home is to be told, unless somebody joins again
    std::vector<uint32_t> slots;
    std::vector<uint32_t> memberships;
  };
  struct Membership {
    uint32_t room = 0;
    uint32_t slot = 0;
    uint32_t position = 0;  // in the room's arrays, once joined
    uint32_t next = kNone;  // of the same session
    uint32_t gaps = kNone;
    bool joined = false;
    bool leaving = false;  // it left before the answers to its joins had come
    uint16_t joins = 0;    // under way
    uint64_t leave_id = 0;
  };
  // What a member has not been given, by origin.
  struct Gap {
    uint64_t origin = 0;
    uint64_t n = 0;
    uint64_t missed = 0;
    uint32_t next = kNone;
  };

  Room& room_of(proto::RoomId id);
  uint32_t find(uint32_t slot, proto::RoomId id) const noexcept;
  void unlink(uint32_t slot, uint32_t membership);
  void remove(uint32_t membership);
  void end_if_empty(uint32_t room);
  void miss(uint32_t membership, uint64_t origin, uint64_t n, uint64_t missed);
  bool say_gaps(uint32_t membership);
  void free_gaps(Membership& membership);
  void look_at_refused(const Room& room, const proto::Range& burst, uint32_t frames,
                       uint32_t messages);
  void miss_own(const Room& room, uint32_t slot, const proto::Range& burst);

  Port& port_;
  Postbox& postbox_;
  IdMap index_;
  std::vector<Room> rooms_;
  std::vector<uint32_t> free_rooms_;
  SlotArray<uint32_t> first_;  // a session's memberships
  std::vector<Membership> memberships_;
  std::vector<uint32_t> free_memberships_;
  std::vector<Gap> gaps_;
  uint32_t free_gap_ = kNone;
  std::vector<uint32_t> refused_;
  std::vector<uint32_t> ended_;
};

}  // namespace ringtalk::service
