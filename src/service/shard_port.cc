#include "service/shard_port.h"

#include "service/node.h"
#include "service/send_buckets.h"
#include "service/shard.h"

namespace ringtalk::service {

uint32_t ShardPort::index() const {
  return shard_.index();
}
uint32_t ShardPort::shard_count() const {
  return shard_.node().shard_count();
}
uint32_t ShardPort::home_of_user(proto::UserId user) const {
  return shard_.node().home_of_user(user);
}
uint32_t ShardPort::home_of_room(proto::RoomId room) const {
  return shard_.node().home_of_room(room);
}
uint16_t ShardPort::node() const {
  return shard_.node().identity().node;
}
uint32_t ShardPort::boot() const {
  return shard_.node().identity().boot;
}
uint64_t ShardPort::now_ns() const {
  return shard_.now_ns();
}
const Limits& ShardPort::limits() const {
  return shard_.limits();
}
Outgoing& ShardPort::outgoing() {
  return shard_.outgoing();
}
Sessions& ShardPort::sessions() {
  return shard_.sessions();
}
ShardStats& ShardPort::stats() {
  return shard_.stats();
}
proto::FrameWriter& ShardPort::frames() {
  return shard_.frames();
}
cluster::Relay& ShardPort::relay() {
  return shard_.node().relay();
}
cluster::Directory& ShardPort::directory() {
  return shard_.node().directory();
}
bool ShardPort::mail(uint32_t to, const Mail& mail) {
  return shard_.mail(to, mail);
}
void ShardPort::reply_ok(uint32_t slot, uint64_t id) {
  shard_.reply_ok(slot, id);
}
void ShardPort::reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code,
                            uint32_t retry_after_ms) {
  shard_.reply_error(slot, id, code, retry_after_ms);
}
void ShardPort::kick(uint32_t slot, wire::KickReason reason) {
  shard_.kick(slot, reason);
}

void ShardPort::end(uint32_t slot, CloseReason reason) {
  // What a slow reader has queued is the very thing that has to go.
  if (reason == CloseReason::slow_reader) return shard_.close(slot, reason);
  shard_.end(slot, reason);
}

void ShardPort::pause(uint32_t slot) {
  shard_.pause(slot);
}
void ShardPort::resume(uint32_t slot) {
  shard_.resume_if_free(slot);
}

void ShardPort::session_routed(uint32_t slot) {
  shard_.session_routed(slot);
}

uint32_t ShardPort::admit_send(uint32_t slot, const proto::ConversationId& conversation) {
  const Session& session = shard_.sessions()[slot];
  if (session.has(session_flags::kLoad)) return 0;
  const uint32_t wait_ms = shard_.send_buckets().admit(session.user, conversation, shard_.now_ns());
  if (wait_ms != 0) shard_.stats().sends_limited++;
  return wait_ms;
}

bool ShardPort::submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
                       store::Request&& request) {
  return shard_.submit(slot, id, bytes, reply_to, std::move(request));
}
void ShardPort::answered(uint32_t slot, uint32_t generation, uint32_t bytes) {
  shard_.answered(slot, generation, bytes);
}

}  // namespace ringtalk::service
