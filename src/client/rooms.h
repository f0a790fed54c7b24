// src/client/rooms.h: private to src/client. The rooms that a client wants to be in.
//
// Keeps the last number seen of each origin, so that a gap, a repeat and a late message are told
// apart. Membership is asked for again after each login. Thread rule: one owner. Invariant: a
// number of an origin is shown at most once.
#pragma once

#include <cstdint>
#include <vector>

#include "client/context.h"

namespace ringtalk::client {

class Rooms {
 public:
  void join(const ClientRef& at, proto::RoomId room, bool online);
  void leave(const ClientRef& at, proto::RoomId room, bool online);

  void online(const ClientRef& at);
  void offline() noexcept;
  void tick(const ClientRef& at, uint32_t now_ms);
  uint32_t due_ms() const noexcept;

  void joined(const ClientRef& at, const wire::RoomJoined& joined);
  void message(const ClientRef& at, const wire::RoomMessage& message);
  void messages(const ClientRef& at, const wire::RoomMessages& batch);
  void gap(const ClientRef& at, const wire::RoomGap& gap);
  // True when the room is given up.
  bool join_failed(const ClientRef& at, uint32_t request, const wire::Error& error, bool retryable);

 private:
  struct Origin {
    uint64_t origin;
    uint64_t n;     // the highest seen
    uint64_t seen;  // bit i: n - i was seen
  };
  struct Room {
    proto::RoomId id;
    uint32_t request = 0;
    uint32_t retry_due_ms = kNever;
    bool joined = false;
    std::vector<Origin> origins;
  };

  Room* find(proto::RoomId room) noexcept;
  void ask(const ClientRef& at, Room& room);
  void show(const ClientRef& at, RoomMessageFields fields);
  static Origin& origin_of(Room& room, uint64_t origin);

  std::vector<Room> rooms_;
  uint32_t next_request_ = 0;
};

}  // namespace ringtalk::client
