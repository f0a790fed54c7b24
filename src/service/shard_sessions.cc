// From accept to close: what happens to one connection of a shard.
#include <algorithm>

#include "base/assert.h"
#include "proto/error_text.h"
#include "service/accounts.h"
#include "service/admission.h"
#include "service/chat.h"
#include "service/drain.h"
#include "service/node.h"
#include "service/outgoing.h"
#include "service/shard.h"

namespace ringtalk::service {
namespace {

constexpr size_t kTurnsPerLook = 16;

CloseReason reason_of(ring::Error error) noexcept {
  switch (error) {
    case ring::Error::none:
      return CloseReason::peer_closed;
    case ring::Error::reset:
    case ring::Error::broken:
      return CloseReason::peer_reset;
    case ring::Error::cancelled:
    case ring::Error::refused:
    case ring::Error::timed_out:
    case ring::Error::unreachable:
    case ring::Error::address_in_use:
    case ring::Error::address_unavailable:
    case ring::Error::permission:
    case ring::Error::no_slots:
    case ring::Error::no_descriptors:
    case ring::Error::no_memory:
    case ring::Error::unsupported:
    case ring::Error::other:
      return CloseReason::network;
  }
  UNREACHABLE();
}

}  // namespace

void Shard::complete(const ring::Completion& completion) {
  if (!clock_read_) read_clock();
  switch (completion.operation) {
    case ring::Operation::accept:
      if (completion.connection.slot != ring::kSlotNone) {
        opened(completion.connection, completion.peer);
      }
      if (!completion.more) std::erase(listeners_, completion.listener);
      return;
    case ring::Operation::receive:
      return received(completion);
    case ring::Operation::send:
      return sent(completion.connection.slot, completion.error);
    case ring::Operation::shutdown_write:
      return half_closed(completion.connection.slot);
    case ring::Operation::close:
      return closed(completion.connection.slot);
    case ring::Operation::wake:
      return;
    case ring::Operation::connect:
      break;  // a shard connects to nobody
  }
  UNREACHABLE();
}

void Shard::opened(ring::ConnectionId connection, const ring::Address& peer) {
  stats_.accepted++;
  Session& session = sessions_.open(connection);
  session.number = ++sessions_numbered_ * node_.shard_count() + index_;
  outgoing_->open(connection);
  proactor_.receive(connection);
  const uint32_t slot = connection.slot;
  if (!node_.admit_connection()) {
    stats_.refused_busy++;
    end_with_error(slot, 0, wire::ErrorCode::ServerBusy, CloseReason::server_busy,
                   static_cast<uint32_t>(limits_->busy_retry_ms));
    return;
  }
  if (drain_->active()) {
    end_with_error(slot, 0, wire::ErrorCode::Draining, CloseReason::draining);
    return;
  }
  if (!admission_->enter(slot, peer, now_ns_)) {
    end_with_error(slot, 0, wire::ErrorCode::TooManyRequests, CloseReason::address_limit,
                   static_cast<uint32_t>(limits_->busy_retry_ms));
    return;
  }
  const uint32_t evicted = admission_->to_evict();
  if (evicted == base::kNoSlot) return;
  end_with_error(evicted, 0, wire::ErrorCode::PreLoginEvicted, CloseReason::prelogin_evicted,
                 static_cast<uint32_t>(limits_->busy_retry_ms));
}

// ---- input

void Shard::received(const ring::Completion& completion) {
  const uint32_t slot = completion.connection.slot;
  Session& session = sessions_[slot];
  ASSERT(session.generation == completion.connection.generation);
  if (completion.bytes.empty()) {
    if (!completion.more) input_ended(slot, completion.error);
    return;
  }
  if (session.phase == Phase::closing) return;
  if (session.phase == Phase::ending) return discard(slot, completion.bytes.size());

  const auto frame_bytes_max = [&session] {
    return session.phase == Phase::online ? proto::kFrameBytesMax
                                          : proto::kFrameBytesMaxBeforeLogin;
  };
  const auto sink = [this, slot](std::span<const std::byte> bytes) { return frame(slot, bytes); };
  const proto::ReadEnd end = reader_.read(session.partial, completion.bytes, frame_bytes_max, sink);
  switch (end) {
    case proto::ReadEnd::consumed:
      break;
    case proto::ReadEnd::stopped:
      return;
    case proto::ReadEnd::over_budget:
      if (session.frame_turn) break;
      return wait_for_budget(slot);
    case proto::ReadEnd::too_large:
      stats_.frames_bad++;
      return end_with_error(slot, 0, wire::ErrorCode::TooLarge, CloseReason::too_large);
    case proto::ReadEnd::bad_frame:
      stats_.frames_bad++;
      return end_with_error(slot, 0, wire::ErrorCode::BadFrame, CloseReason::bad_frame);
    case proto::ReadEnd::no_memory:
      return end_with_error(slot, 0, wire::ErrorCode::ServerBusy, CloseReason::no_memory,
                            static_cast<uint32_t>(limits_->busy_retry_ms));
  }
  if (!may_read(slot)) pause(slot);
}

void Shard::discard(uint32_t slot, size_t bytes) {
  SessionRest& rest = sessions_.rest(slot);
  rest.discarded_bytes += static_cast<uint32_t>(bytes);
  if (rest.discarded_bytes > limits_->discard_bytes) close(slot, sessions_[slot].close_reason);
}

void Shard::input_ended(uint32_t slot, ring::Error error) {
  Session& session = sessions_[slot];
  session.set(session_flags::kInputEnded);
  if (session.phase == Phase::closing) return;
  if (error != ring::Error::none) return close(slot, reason_of(error));
  if (session.phase != Phase::ending) return end(slot, CloseReason::peer_closed);
  if (session.has(session_flags::kWriteEnded)) close(slot, session.close_reason);
}

bool Shard::may_read(uint32_t slot) {
  const Session& session = sessions_[slot];
  if (session.phase >= Phase::ending) return true;
  return session.list != WaitList::mailbox &&
         session.requests_in_flight < limits_->requests_in_flight &&
         session.unacknowledged_bytes < limits_->unacknowledged_bytes &&
         outgoing_->queued_bytes(slot) < limits_->unacknowledged_bytes;
}

void Shard::pause(uint32_t slot) {
  Session& session = sessions_[slot];
  if (session.has(session_flags::kPaused)) return;
  stats_.reads_paused++;
  session.set(session_flags::kPaused);
  sessions_.missed(slot) = kNotSwept;
  proactor_.receive_pause({slot, session.generation});
}

void Shard::resume_if_free(uint32_t slot) {
  Session& session = sessions_[slot];
  if (!session.has(session_flags::kPaused) || session.phase == Phase::closing) return;
  if (!may_read(slot)) return;
  const bool carries = session.phase < Phase::ending && session.partial.filled > 0;
  session.frame_turn = false;
  if (carries && !reader_.has_room(session.partial)) return wait_for_budget(slot);
  read_on(slot);
}

void Shard::read_on(uint32_t slot) {
  Session& session = sessions_[slot];
  session.clear(session_flags::kPaused);
  if (session.phase == Phase::online) sessions_.missed(slot) = 0;
  proactor_.receive_resume({slot, session.generation});
}

void Shard::wait_for_budget(uint32_t slot) {
  Session& session = sessions_[slot];
  pause(slot);
  if (session.waits_for_budget) return;
  session.waits_for_budget = true;
  if (budget_waiters_.empty()) {
    next_look_ns_ = now_ns_ + limits_->frame_timeout_ms * base::kNsPerMs;
  }
  budget_waiters_.push_back({slot, session.generation});
}

void Shard::resume_for_budget() {
  std::vector<ring::ConnectionId> waiters;
  waiters.swap(budget_waiters_);
  for (const ring::ConnectionId& waiter : waiters) {
    Session* session = sessions_.find(waiter.slot, waiter.generation);
    if (session == nullptr) continue;
    session->waits_for_budget = false;
    resume_if_free(waiter.slot);
  }
}

// Frames that never end must not keep the memory from those who wait for it. Who is in the midst of
// a frame gets a turn at a look, from which on it is read whatever the budget says; whoever is at
// the same frame at the next look has had its time. Of those who wait only a few get one: they may
// need more memory.
void Shard::look_at_cut_frames() {
  next_look_ns_ = now_ns_ + limits_->frame_timeout_ms * base::kNsPerMs;
  for (uint32_t slot = 0; slot < sessions_.used_slots(); slot++) {
    Session& session = sessions_[slot];
    if (session.phase == Phase::free || session.phase >= Phase::ending) continue;
    if (session.partial.filled == 0 || session.has(session_flags::kPaused)) continue;
    if (session.frame_turn) {
      end_with_error(slot, 0, wire::ErrorCode::ServerBusy, CloseReason::frame_timeout,
                     static_cast<uint32_t>(limits_->busy_retry_ms));
    } else {
      session.frame_turn = true;
    }
  }
  const auto end = budget_waiters_.begin() +
                   static_cast<ptrdiff_t>(std::min(budget_waiters_.size(), kTurnsPerLook));
  const std::vector<ring::ConnectionId> first(budget_waiters_.begin(), end);
  budget_waiters_.erase(budget_waiters_.begin(), end);
  for (const ring::ConnectionId& waiter : first) {
    Session* session = sessions_.find(waiter.slot, waiter.generation);
    if (session == nullptr) continue;
    session->waits_for_budget = false;
    if (session->phase >= Phase::ending || !may_read(waiter.slot)) continue;
    read_on(waiter.slot);
    session->frame_turn = true;
  }
}

// ---- output

void Shard::reply(uint32_t slot, std::span<const std::byte> frame) {
  if (sessions_[slot].phase >= Phase::ending) return;
  outgoing_->answer(slot, frame);
}

void Shard::reply_ok(uint32_t slot, uint64_t id) {
  if (id != 0) reply(slot, frames_.ok(id));
}

void Shard::reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code, uint32_t retry_after_ms,
                        std::string_view text) {
  stats_.errors_out++;
  if (text.empty()) text = proto::sentence_of(code);
  reply(slot, frames_.error(id, code, text, retry_after_ms));
}

void Shard::reply_busy(uint32_t slot, uint64_t id) {
  reply_error(slot, id, wire::ErrorCode::ServerBusy, static_cast<uint32_t>(limits_->busy_retry_ms));
}

void Shard::sent(uint32_t slot, ring::Error error) {
  outgoing_->sent(slot, error == ring::Error::none);
  const Session& session = sessions_[slot];
  if (session.phase == Phase::closing) return;
  if (error != ring::Error::none) return close(slot, reason_of(error));
  if (session.phase == Phase::ending) return half_close_if_flushed(slot);
  resume_if_free(slot);
}

// ---- the end

void Shard::end_with_error(uint32_t slot, uint64_t id, wire::ErrorCode code, CloseReason reason,
                           uint32_t retry_after_ms) {
  reply_error(slot, id, code, retry_after_ms);
  end(slot, reason);
}

void Shard::kick(uint32_t slot, wire::KickReason reason) {
  reply(slot, frames_.kicked(reason));
  end(slot, CloseReason::kicked);
}

void Shard::end(uint32_t slot, CloseReason reason) {
  ASSERT(reason != CloseReason::none);
  Session& session = sessions_[slot];
  ASSERT(session.phase != Phase::free);
  if (session.phase >= Phase::ending) return;
  leave_parts(slot);
  session.close_reason = reason;
  session.phase = Phase::ending;
  reader_.release(session.partial);
  admission_->begin_ending(slot, now_ns_);
  resume_if_free(slot);  // to see its end and to discard what it still sends
  half_close_if_flushed(slot);
}

void Shard::half_close_if_flushed(uint32_t slot) {
  Session& session = sessions_[slot];
  ASSERT(session.phase == Phase::ending);
  if (session.has(session_flags::kWriteEnded) || !outgoing_->idle(slot)) return;
  session.set(session_flags::kWriteEnded);
  proactor_.shutdown_write({slot, session.generation});
}

void Shard::half_closed(uint32_t slot) {
  Session& session = sessions_[slot];
  if (session.phase == Phase::closing) return;
  if (session.has(session_flags::kInputEnded)) close(slot, session.close_reason);
}

void Shard::close(uint32_t slot, CloseReason reason) {
  Session& session = sessions_[slot];
  ASSERT(session.phase != Phase::free);
  if (session.phase == Phase::closing) return;
  if (session.phase != Phase::ending) {
    leave_parts(slot);
    session.close_reason = reason;
  }
  admission_->leave(slot);
  session.phase = Phase::closing;
  stats_.closes[static_cast<size_t>(session.close_reason)]++;
  reader_.release(session.partial);
  outgoing_->discard(slot);
  proactor_.close({slot, session.generation});
}

// What the session takes part in ends here, before its last bytes have left.
void Shard::leave_parts(uint32_t slot) {
  Session& session = sessions_[slot];
  sessions_.missed(slot) = kNotSwept;
  accounts_->session_closing(slot);
  if (session.phase != Phase::online) return;
  ASSERT(online_ > 0);
  online_--;
  chat_->closing(slot);
}

void Shard::closed(uint32_t slot) {
  const CloseReason reason = sessions_[slot].close_reason;
  outgoing_->closed(slot);
  sessions_.release(slot);
  if (reason != CloseReason::server_busy) node_.connection_closed();
}

}  // namespace ringtalk::service
