#include "proto/frame_writer.h"

#include <cstring>

#include "base/assert.h"

namespace ringtalk::proto {
namespace {

// A frame, and the builder's notes on fields and vtables at the other end of its buffer. Only what
// is used is ever touched.
constexpr size_t kBuilderBytes = kFrameBytesMax + 4 * 1024;
// What a Messages frame needs beside its heads and bodies, rounded up.
constexpr size_t kPageOverheadBytes = 256;

wire::Conv to_wire(const ConversationId& id) noexcept {
  return {id.a, id.b};
}
wire::MessageId to_wire(const ClientMessageId& id) noexcept {
  return {id.high, id.low};
}

}  // namespace

PageBuilder::PageBuilder() {
  heads_.reserve(kPageMessagesMax);
  bodies_.reserve(kFrameBytesMax);
}

void PageBuilder::clear() noexcept {
  heads_.clear();
  bodies_.clear();
}

bool PageBuilder::add(const MessageFields& m) {
  ASSERT(m.body.size() <= kBodyBytesMax);
  const size_t bytes = (heads_.size() + 1) * sizeof(wire::MessageHead) + bodies_.size() +
                       m.body.size() + kPageOverheadBytes;
  if (heads_.size() == kPageMessagesMax || bytes > kFrameBytesMax) return false;
  bodies_.insert(bodies_.end(), m.body.begin(), m.body.end());
  heads_.emplace_back(m.seq, m.sender, to_wire(m.client_msg_id), m.time_ms, m.reply_to,
                      static_cast<uint32_t>(bodies_.size()), m.kind);
  return true;
}

uint8_t* FrameWriter::Memory::allocate(size_t bytes) {
  allocations++;
  return new uint8_t[bytes];
}

void FrameWriter::Memory::deallocate(uint8_t* memory, size_t) {
  delete[] memory;
}

FrameWriter::FrameWriter() : builder_(kBuilderBytes, &memory_) {
  offsets_.reserve(kPageMessagesMax);
  ok(0);  // the builder takes its memory with the first frame
}

FrameWriter::Builder& FrameWriter::begin() {
  builder_.Clear();
  return builder_;
}

template <class T>
Bytes FrameWriter::finish(uint64_t id, flatbuffers::Offset<T> body) {
  const wire::Head head(id);
  wire::FinishSizePrefixedFrameBuffer(
      builder_, wire::CreateFrame(builder_, &head, wire::BodyTraits<T>::enum_value, body.Union()));
  const Bytes frame(reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()),
                    builder_.GetSize());
  ASSERT(frame.size() % kFrameAlignment == 0);
  ASSERT(frame.size() >= kFrameBytesMin && frame.size() <= kFrameBytesMax);
  return frame;
}

flatbuffers::Offset<flatbuffers::Vector<uint8_t>> FrameWriter::vector(Bytes bytes) {
  return builder_.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

flatbuffers::Offset<flatbuffers::String> FrameWriter::text(std::string_view value) {
  if (value.empty()) return 0;
  return builder_.CreateString(value.data(), value.size());
}

flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>>
FrameWriter::strings(std::span<const std::string_view> list) {
  ASSERT(list.size() <= kPageMessagesMax);
  offsets_.clear();
  for (std::string_view name : list) {
    offsets_.push_back(builder_.CreateString(name.data(), name.size()));
  }
  return builder_.CreateVector(offsets_.data(), offsets_.size());
}

// ---- session, client to server

Bytes FrameWriter::hello(uint64_t id, std::string_view client, DeviceId device,
                         wire::DeviceClass device_class, uint16_t version) {
  Builder& b = begin();
  return finish(id, wire::CreateHello(b, version, text(client), device, device_class));
}

Bytes FrameWriter::register_user(uint64_t id, std::string_view name, std::string_view password) {
  Builder& b = begin();
  const auto name_at = b.CreateString(name.data(), name.size());
  return finish(id,
                wire::CreateRegister(b, name_at, b.CreateString(password.data(), password.size())));
}

Bytes FrameWriter::login(uint64_t id, std::string_view name, UserId user,
                         std::string_view password) {
  Builder& b = begin();
  const auto name_at = text(name);
  return finish(
      id, wire::CreateLogin(b, name_at, user, b.CreateString(password.data(), password.size())));
}

Bytes FrameWriter::resume(uint64_t id, Bytes token) {
  Builder& b = begin();
  return finish(id, wire::CreateResume(b, vector(token)));
}

Bytes FrameWriter::sync(uint64_t id, std::span<const wire::Cursor> cursors) {
  Builder& b = begin();
  return finish(id, wire::CreateSync(b, b.CreateVectorOfStructs(cursors.data(), cursors.size())));
}

Bytes FrameWriter::logout(uint64_t id, bool all_devices) {
  return finish(id, wire::CreateLogout(begin(), all_devices));
}

Bytes FrameWriter::heartbeat(uint64_t id, uint64_t received) {
  return finish(id, wire::CreateHeartbeat(begin(), received));
}

Bytes FrameWriter::stats(uint64_t id) {
  return finish(id, wire::CreateStats(begin()));
}

// ---- session, server to client

Bytes FrameWriter::welcome(uint64_t id, const WelcomeFields& f) {
  Builder& b = begin();
  const auto limits = wire::CreateLimits(b, f.frame_bytes, f.body_bytes, f.requests_in_flight,
                                         f.unacknowledged_bytes, f.page_messages);
  return finish(
      id, wire::CreateWelcome(b, kVersion, f.node, f.heartbeat_ms, f.jitter_ms, f.time_ms, limits));
}

Bytes FrameWriter::registered(uint64_t id, UserId user) {
  return finish(id, wire::CreateRegistered(begin(), user));
}

Bytes FrameWriter::logged_in(uint64_t id, UserId user, Bytes token, uint64_t session) {
  Builder& b = begin();
  return finish(id, wire::CreateLoggedIn(b, user, vector(token), session));
}

Bytes FrameWriter::heartbeat_ack(uint64_t id, uint64_t time_ms, uint64_t pushed) {
  return finish(id, wire::CreateHeartbeatAck(begin(), time_ms, pushed));
}

Bytes FrameWriter::goaway(wire::GoawayReason reason, uint32_t reconnect_after_ms,
                          std::span<const std::string_view> nodes) {
  Builder& b = begin();
  return finish(0, wire::CreateGoaway(b, reason, reconnect_after_ms, strings(nodes)));
}

Bytes FrameWriter::kicked(wire::KickReason reason) {
  return finish(0, wire::CreateKicked(begin(), reason));
}

Bytes FrameWriter::error(uint64_t id, wire::ErrorCode code, std::string_view explanation,
                         uint32_t retry_after_ms) {
  Builder& b = begin();
  return finish(id, wire::CreateError(b, code, text(explanation), retry_after_ms));
}

Bytes FrameWriter::ok(uint64_t id, bool more) {
  return finish(id, wire::CreateOk(begin(), more));
}

Bytes FrameWriter::stats_reply(uint64_t id, std::string_view json) {
  Builder& b = begin();
  return finish(id, wire::CreateStatsReply(b, b.CreateString(json.data(), json.size())));
}

// ---- people

Bytes FrameWriter::users(uint64_t id, std::span<const UserId> ids,
                         std::span<const std::string_view> names) {
  Builder& b = begin();
  const auto ids_at = b.CreateVector(ids.data(), ids.size());
  return finish(id, wire::CreateUsers(b, ids_at, strings(names)));
}

Bytes FrameWriter::user_list(uint64_t id, std::span<const UserId> ids,
                             std::span<const std::string_view> names) {
  ASSERT(ids.size() == names.size());
  Builder& b = begin();
  const auto ids_at = b.CreateVector(ids.data(), ids.size());
  return finish(id, wire::CreateUserList(b, ids_at, strings(names)));
}

// ---- conversations

Bytes FrameWriter::send(uint64_t id, const ConversationId& conversation,
                        const ClientMessageId& client_msg_id, wire::MessageKind kind, Bytes body,
                        Seq reply_to) {
  Builder& b = begin();
  const wire::Conv conv = to_wire(conversation);
  const wire::MessageId message_id = to_wire(client_msg_id);
  return finish(id, wire::CreateSend(b, &conv, &message_id, kind, vector(body), reply_to));
}

Bytes FrameWriter::sent(uint64_t id, const ConversationId& conversation, Seq seq, uint64_t time_ms,
                        bool duplicate) {
  const wire::Conv conv = to_wire(conversation);
  return finish(id, wire::CreateSent(begin(), &conv, seq, time_ms, duplicate));
}

Bytes FrameWriter::message(const MessageFields& m) {
  Builder& b = begin();
  const wire::Conv conv = to_wire(m.conversation);
  const wire::MessageId message_id = to_wire(m.client_msg_id);
  return finish(0, wire::CreateMessage(b, &conv, m.seq, m.sender, &message_id, m.time_ms, m.kind,
                                       vector(m.body), m.reply_to));
}

Bytes FrameWriter::pull(uint64_t id, const ConversationId& conversation, Seq from_seq,
                        uint32_t limit, bool backwards) {
  const wire::Conv conv = to_wire(conversation);
  return finish(id, wire::CreatePull(begin(), &conv, from_seq, limit, backwards));
}

Bytes FrameWriter::messages(uint64_t id, const ConversationId& conversation,
                            const PageBuilder& page, Seq first_available, Seq last_seq, bool more) {
  Builder& b = begin();
  const wire::Conv conv = to_wire(conversation);
  const auto heads = b.CreateVectorOfStructs(page.heads().data(), page.heads().size());
  return finish(id, wire::CreateMessages(b, &conv, heads, vector(page.bodies()), first_available,
                                         last_seq, more));
}

Bytes FrameWriter::sync_hint(uint64_t id, const ConversationId& conversation, Seq last_seq) {
  const wire::Conv conv = to_wire(conversation);
  return finish(id, wire::CreateSyncHint(begin(), &conv, last_seq));
}

// ---- rooms

Bytes FrameWriter::room_join(uint64_t id, RoomId room) {
  return finish(id, wire::CreateRoomJoin(begin(), room));
}

Bytes FrameWriter::room_leave(uint64_t id, RoomId room) {
  return finish(id, wire::CreateRoomLeave(begin(), room));
}

Bytes FrameWriter::room_publish(uint64_t id, RoomId room, Bytes body, bool echo) {
  Builder& b = begin();
  return finish(id, wire::CreateRoomPublish(b, room, vector(body), echo));
}

Bytes FrameWriter::room_joined(uint64_t id, RoomId room, std::span<const wire::RoomHead> heads) {
  Builder& b = begin();
  return finish(
      id, wire::CreateRoomJoined(b, room, b.CreateVectorOfStructs(heads.data(), heads.size())));
}

Bytes FrameWriter::room_message(RoomId room, uint64_t origin, uint64_t n, UserId sender,
                                Bytes body) {
  Builder& b = begin();
  return finish(0, wire::CreateRoomMessage(b, room, origin, n, sender, vector(body)));
}

Bytes FrameWriter::room_messages(RoomId room, uint64_t origin, uint64_t first_n, UserId sender,
                                 std::span<const Bytes> bodies) {
  ASSERT(!bodies.empty() && bodies.size() <= kRoomBatchMessagesMax);
  Builder& b = begin();
  uint32_t* ends = nullptr;
  const auto ends_at = b.CreateUninitializedVector(bodies.size(), &ends);
  uint32_t end = 0;
  for (const Bytes& body : bodies) flatbuffers::WriteScalar(ends++, end += body.size());
  ASSERT(end + bodies.size() * sizeof(uint32_t) <= kRoomBatchBytesMax);
  uint8_t* to = nullptr;
  const auto bodies_at = b.CreateUninitializedVector(end, &to);
  for (const Bytes& body : bodies) {
    if (!body.empty()) std::memcpy(to, body.data(), body.size());
    to += body.size();
  }
  return finish(0, wire::CreateRoomMessages(b, room, origin, first_n, sender, ends_at, bodies_at));
}

Bytes FrameWriter::room_gap(RoomId room, uint64_t origin, uint64_t n, uint64_t missed) {
  return finish(0, wire::CreateRoomGap(begin(), room, origin, n, missed));
}

// ---- test

Bytes FrameWriter::echo(uint64_t id, Bytes body) {
  Builder& b = begin();
  return finish(id, wire::CreateEcho(b, vector(body)));
}

}  // namespace ringtalk::proto
