// src/proto/frame_writer.h: public. Encodes each message of the wire into one reused buffer.
//
// A call gives the whole frame, prefix included, a multiple of 8 bytes: to be appended to a
// Segment or copied into a send buffer. `id` is the frame's head.id: the request's own in requests
// and replies, 0 in pushes. Ownership: the span lies in the writer and is valid until its next
// call. Thread rule: one owner. Invariants: no allocation after construction; a frame never exceeds
// kFrameBytesMax (the caller keeps bodies, names and pages within the limits of limits.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "proto/ids.h"
#include "proto/limits.h"
#include "ringtalk_generated.h"

namespace ringtalk::proto {

using Bytes = std::span<const std::byte>;

struct WelcomeFields {
  uint16_t node = 0;
  uint32_t heartbeat_ms = 0;
  uint32_t jitter_ms = 0;
  uint64_t time_ms = 0;
  uint32_t frame_bytes = kFrameBytesMax;
  uint32_t body_bytes = kBodyBytesMax;
  uint32_t requests_in_flight = 0;
  uint32_t unacknowledged_bytes = 0;
  uint32_t page_messages = kPageMessagesMax;
};

struct MessageFields {
  ConversationId conversation;
  Seq seq = 0;
  UserId sender = 0;
  ClientMessageId client_msg_id;
  uint64_t time_ms = 0;
  wire::MessageKind kind = wire::MessageKind::Text;
  Seq reply_to = 0;
  Bytes body;
};

// The messages of one `Messages` frame: as many as fit into a frame and kPageMessagesMax. Reusable.
class PageBuilder {
 public:
  PageBuilder();
  void clear() noexcept;
  // False: the page is full, nothing was added. The conversation of `message` is not looked at.
  [[nodiscard]] bool add(const MessageFields& message);
  std::span<const wire::MessageHead> heads() const noexcept { return heads_; }
  Bytes bodies() const noexcept { return bodies_; }

 private:
  std::vector<wire::MessageHead> heads_;
  std::vector<std::byte> bodies_;
};

class FrameWriter {
 public:
  FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  // ---- session, client to server
  Bytes hello(uint64_t id, std::string_view client, DeviceId device, wire::DeviceClass device_class,
              uint16_t version = kVersion);
  Bytes register_user(uint64_t id, std::string_view name, std::string_view password);
  // By name or, where `name` is empty, by user.
  Bytes login(uint64_t id, std::string_view name, UserId user, std::string_view password);
  Bytes resume(uint64_t id, Bytes token);
  Bytes sync(uint64_t id, std::span<const wire::Cursor> cursors);
  Bytes logout(uint64_t id, bool all_devices);
  Bytes heartbeat(uint64_t id, uint64_t received);
  Bytes stats(uint64_t id);

  // ---- session, server to client
  Bytes welcome(uint64_t id, const WelcomeFields& fields);
  Bytes registered(uint64_t id, UserId user);
  Bytes logged_in(uint64_t id, UserId user, Bytes token, uint64_t session);
  Bytes heartbeat_ack(uint64_t id, uint64_t time_ms, uint64_t pushed);
  Bytes goaway(wire::GoawayReason reason, uint32_t reconnect_after_ms,
               std::span<const std::string_view> nodes = {});
  Bytes kicked(wire::KickReason reason);
  Bytes error(uint64_t id, wire::ErrorCode code, std::string_view text,
              uint32_t retry_after_ms = 0);
  Bytes ok(uint64_t id, bool more = false);
  Bytes stats_reply(uint64_t id, std::string_view json);

  // ---- people
  Bytes users(uint64_t id, std::span<const UserId> ids, std::span<const std::string_view> names);
  // `ids` and `names` have the same length, at most kPageMessagesMax.
  Bytes user_list(uint64_t id, std::span<const UserId> ids,
                  std::span<const std::string_view> names);

  // ---- conversations
  Bytes send(uint64_t id, const ConversationId& conversation, const ClientMessageId& client_msg_id,
             wire::MessageKind kind, Bytes body, Seq reply_to = 0);
  Bytes sent(uint64_t id, const ConversationId& conversation, Seq seq, uint64_t time_ms,
             bool duplicate);
  Bytes message(const MessageFields& fields);
  Bytes pull(uint64_t id, const ConversationId& conversation, Seq from_seq, uint32_t limit,
             bool backwards = false);
  Bytes messages(uint64_t id, const ConversationId& conversation, const PageBuilder& page,
                 Seq first_available, Seq last_seq, bool more);
  // `id` of the Sync that it answers, or 0.
  Bytes sync_hint(uint64_t id, const ConversationId& conversation, Seq last_seq);

  // ---- rooms
  Bytes room_join(uint64_t id, RoomId room);
  Bytes room_leave(uint64_t id, RoomId room);
  Bytes room_publish(uint64_t id, RoomId room, Bytes body, bool echo);
  Bytes room_joined(uint64_t id, RoomId room, std::span<const wire::RoomHead> heads);
  Bytes room_message(RoomId room, uint64_t origin, uint64_t n, UserId sender, Bytes body);
  // `bodies` within kRoomBatchMessagesMax and kRoomBatchBytesMax, numbered from `first_n`.
  Bytes room_messages(RoomId room, uint64_t origin, uint64_t first_n, UserId sender,
                      std::span<const Bytes> bodies);
  Bytes room_gap(RoomId room, uint64_t origin, uint64_t n, uint64_t missed);

  // ---- test
  Bytes echo(uint64_t id, Bytes body);

  // How often memory was taken: 1, the buffer itself.
  uint64_t allocations() const noexcept { return memory_.allocations; }

 private:
  struct Memory final : flatbuffers::Allocator {
    uint8_t* allocate(size_t bytes) override;
    void deallocate(uint8_t* memory, size_t bytes) override;
    uint64_t allocations = 0;
  };
  using Builder = flatbuffers::FlatBufferBuilder;
  template <class T>
  Bytes finish(uint64_t id, flatbuffers::Offset<T> body);
  Builder& begin();
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> vector(Bytes bytes);
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>> strings(
      std::span<const std::string_view> list);
  // The string, or an absent field where it is empty.
  flatbuffers::Offset<flatbuffers::String> text(std::string_view value);

  Memory memory_;
  Builder builder_;
  std::vector<flatbuffers::Offset<flatbuffers::String>> offsets_;
};

}  // namespace ringtalk::proto
