// src/service/room_home.h: internal to the service. The rooms that are at home in this shard.
//
// The home numbers a room's messages, encodes each once and mails it to the shards that have
// members: what one sender published in one turn as one frame, and frames that lie side by side as
// one mail.
//   publish x 4 -> [ RoomMessages n+1..n+3 | RoomMessage n+4 ] -> flush: one range to each shard
// A room exists while a shard has members of it. Thread rule: the shard's thread. Invariants: n is
// dense per (room, origin), from 1, and a room that comes back has a new origin; a joiner is
// told n, then gets everything after n; a shard whose mailbox is full is told what it missed
// when no mail waits any more, at the latest before it gets the next message.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "proto/limits.h"
#include "proto/segment.h"
#include "service/id_map.h"
#include "service/limits.h"
#include "service/port.h"
#include "service/postbox.h"

namespace ringtalk::service {

inline constexpr uint32_t kBurstFramesMax = 128;
static_assert(kBurstFramesMax * proto::kRoomBatchMessagesMax <= UINT16_MAX);  // in a mail
// A node takes so many origins in a row, from the one that its boot gives it.
inline constexpr uint64_t kOriginsPerBoot = uint64_t{1} << 24;

class RoomHome {
 public:
  RoomHome(Port& port, Postbox& postbox, proto::SegmentDepot& depot, uint64_t origin);

  // room_join, room_leave, room_publish, room_relayed. Ranges are the caller's.
  void join(const Mail& mail);
  void leave(const Mail& mail);
  void publish(const Mail& mail, const proto::Range& frame);
  void relayed(const proto::Range& frame);

  // Mails what was published since the last call.
  void flush();
  // Shards are to be told what they missed, as soon as no mail waits.
  bool waiting() const noexcept { return !missed_.empty(); }
  void release();

  uint32_t rooms() const noexcept { return static_cast<uint32_t>(index_.count()); }

 private:
  // Who gets no copy of a burst: its publisher, when it asked for no echo.
  struct Except {
    uint32_t shard = UINT32_MAX;
    uint32_t slot = 0;
    uint32_t generation = 0;
    bool operator==(const Except&) const = default;
  };
  struct Missed {
    uint32_t shard;
    uint32_t count;
    uint64_t n;
  };
  struct Room {
    proto::RoomId id = 0;
    uint64_t origin = 0;
    uint64_t n = 0;
    std::array<uint64_t, kShardsMax / 64> shards{};
    uint32_t shard_count = 0;
    uint32_t burst_frames = 0;
    uint32_t burst_messages = 0;
    uint64_t burst_n = 0;  // of its last message; 0: it is another node's
    proto::Range burst{};  // held while burst_frames > 0
    Except except{};
    bool listed = false;                 // in bursts_
    bool missing = false;                // in missed_
    std::vector<wire::RoomHead> others;  // origins of other nodes
    std::vector<Missed> missed;
  };

  // Messages that are going to be one frame: of one room, sender and Except. Their publishes are
  // held until then, so that a body is copied once.
  struct Batch {
    uint32_t room = kNoIndex;  // of rooms_, while there are messages
    proto::UserId sender = 0;
    Except except{};
    uint32_t body_bytes = 0;
    std::vector<proto::Range> publishes;
    std::vector<proto::Bytes> bodies;
  };

  bool ours(uint64_t origin) const noexcept { return origin - origin_ < kOriginsPerBoot; }
  Room* find(proto::RoomId id) noexcept;
  uint32_t make(proto::RoomId id);
  void remove(Room& room);
  void put(Room& room, proto::UserId sender, const Except& except, const proto::Range& publish,
           proto::Bytes body);
  void close_batch();
  void release_batch();
  void add(Room& room, const proto::Range& frame, uint32_t messages, const Except& except);
  void send_all(Room& room);
  void send_burst(Room& room);
  bool say_missed(Room& room, uint32_t shard, Need need);
  void say_all_missed();
  void send_burst_to(Room& room, uint32_t shard, const Mail& mail);
  void relay_burst(const Room& room);

  Port& port_;
  Postbox& postbox_;
  proto::SegmentWriter writer_;  // of bursts alone, so that they lie side by side
  const uint64_t origin_;
  IdMap index_;
  std::vector<Room> rooms_;
  std::vector<uint32_t> free_;
  Batch batch_;
  std::vector<uint32_t> bursts_;  // rooms with something to send, in order
  std::vector<uint32_t> missed_;  // rooms of which a shard has missed something
  std::vector<wire::RoomHead> heads_;
  uint64_t rooms_ended_ = 0;
};

}  // namespace ringtalk::service
