#include "service/shard.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "service/accounts.h"
#include "service/admission.h"
#include "service/chat.h"
#include "service/drain.h"
#include "service/heartbeat.h"
#include "service/node.h"
#include "service/outgoing.h"
#include "service/password.h"
#include "service/send_buckets.h"
#include "service/shard_port.h"

namespace ringtalk::service {
namespace {

// How soon a full mailbox of another shard is tried again.
constexpr uint64_t kRetryNs = base::kNsPerMs / 4;
// A mass of sessions that went silent together is ended over several turns.
constexpr size_t kLostPerTurn = 1'024;
// Nodes of send queues beyond two for each session, for the few that have long queues.
constexpr uint32_t kNodesSpare = 1 << 18;

uint64_t earlier(uint64_t one, uint64_t other) noexcept {
  if (one == 0 || other == 0) return one | other;
  return std::min(one, other);
}

}  // namespace

Shard::Shard(Node& node, uint32_t index, ring::Proactor& proactor, const ShardOptions& options)
    : node_(node),
      index_(index),
      proactor_(proactor),
      limits_(node.limits()),
      random_(options.seed),
      sessions_(options.slots),
      reader_(limits_->partial_frame_bytes),
      door_(proactor, options.mailbox_entries) {
  read_clock();
  clock_read_ = false;
  // Numbers of room messages start anew with each boot.
  const NodeIdentity& identity = node.identity();
  const uint64_t origin = uint64_t{identity.node} << 48 | uint64_t{identity.boot & 0xffffff} << 24;
  port_ = std::make_unique<ShardPort>(*this);
  chat_ = std::make_unique<Chat>(*port_, node.depot(), origin);
  outgoing_ = std::make_unique<Outgoing>(options.slots, outgoing_limits(), node.depot(), *chat_);
  accounts_ = std::make_unique<Accounts>(*this);
  admission_ = std::make_unique<Admission>(sessions_, *limits_, node.addresses());
  drain_ = std::make_unique<Drain>(*this);
  send_buckets_ = std::make_unique<SendBuckets>(*limits_);
  next_sweep_ns_ = now_ns_ + limits_->heartbeat_interval_ms * base::kNsPerMs;
}

Shard::~Shard() = default;

void Shard::release() {
  chat_->release();
  outgoing_->release();
  for (uint32_t slot = 0; slot < sessions_.used_slots(); slot++) {
    if (sessions_[slot].phase != Phase::free) reader_.release(sessions_[slot].partial);
  }
  for (Mail mail; door_.pop(mail);) discard_mail(mail);
}

base::Result<ring::Address, ring::Error> Shard::listen(const ring::Address& at) {
  const auto listener = proactor_.listen(at, ring::ListenOptions{});
  if (!listener) return base::Failure{listener.error()};
  listeners_.push_back(*listener);
  return proactor_.listener_address(*listener);
}

void Shard::stop_listening() {
  for (const ring::ListenerId listener : listeners_) proactor_.close_listener(listener);
}

bool Shard::stopping() const noexcept {
  return drain_->active();
}

OutgoingLimits Shard::outgoing_limits() const {
  OutgoingLimits limits;
  limits.session_bytes = limits_->outgoing_bytes;
  limits.session_frames = limits_->outgoing_frames;
  limits.pinned_bytes = limits_->pinned_bytes;
  limits.flush_slice = limits_->flush_slice;
  limits.nodes = kNodesSpare + 2 * sessions_.slots();
  return limits;
}

// ---- one turn

void Shard::turn(uint64_t deadline_ns) {
  const uint64_t until = sleep_until(deadline_ns);
  clock_read_ = false;
  proactor_.run_once(limits_->turn_completions, until, *this);
  door_.awake();
  if (!clock_read_) read_clock();
  take_orders();
  take_mail();
  take_replies();
  take_passwords();
  take_questions();
  run_timers();
  chat_->flush();
  outgoing_->flush(proactor_);
  outgoing_->relieve();
  if (drain_->active() && listeners_.empty() && sessions_.open_count() == 0) {
    stopped_.store(true, std::memory_order_release);
  }
}

void Shard::read_clock() noexcept {
  now_ns_ = node_.clock().now_ns();
  wall_ms_ = node_.clock().wall_ms();
  clock_read_ = true;
}

bool Shard::work_left() const noexcept {
  return outgoing_->dirty() || door_.has_mail() || !lost_.empty();
}

uint64_t Shard::sleep_until(uint64_t deadline_ns) noexcept {
  if (deadline_ns == 0 || work_left() || !door_.prepare_sleep()) return 0;
  uint64_t until = earlier(deadline_ns, next_sweep_ns_);
  if (chat_->waiting()) until = earlier(until, now_ns_ + kRetryNs);
  if (!budget_waiters_.empty()) until = earlier(until, next_look_ns_);
  until = earlier(until, admission_->next_deadline(now_ns_));
  return earlier(until, drain_->next_deadline());
}

void Shard::take_orders() {
  const uint32_t bits = door_.orders();
  if (bits == 0) return;
  if ((bits & orders::kReload) != 0) {
    limits_ = node_.limits();
    admission_->configure(*limits_);
    send_buckets_->configure(*limits_);
    outgoing_->set_limits(outgoing_limits());
  }
  if ((bits & orders::kDrain) != 0) drain_->begin();
  if ((bits & orders::kHurry) != 0) drain_->hurry();
}

void Shard::take_mail() {
  Mail mail;
  // At most one mailbox full a turn, so that completions are not starved by chatty neighbours.
  for (uint32_t taken = 0; taken < kMailboxEntries && door_.pop(mail); taken++) {
    stats_.mail_in++;
    chat_->take(mail);
  }
}

bool Shard::mail(uint32_t to, Mail mail) {
  ASSERT(mail.kind != MailKind::none);
  mail.from = static_cast<uint16_t>(index_);
  stats_.mail_out++;
  if (node_.shard(to).door().post(mail)) return true;
  stats_.mail_full++;
  return false;
}

// ---- replies

bool Shard::submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
                   store::Request&& request) {
  Session& session = sessions_[slot];
  ASSERT(session.phase == Phase::online || session.phase == Phase::logging_in);
  const store::Ticket ticket{reply_to, slot, session.generation, bytes, id, index_};
  if (!node_.store().submit(std::move(request), ticket)) {
    stats_.store_refused++;
    return false;
  }
  stats_.store_submitted++;
  session.requests_in_flight++;
  session.unacknowledged_bytes += bytes;
  return true;
}

void Shard::take_replies() {
  for (store::ReplyBatch* next = door_.replies(); next != nullptr;) {
    const std::unique_ptr<store::ReplyBatch> batch(next);
    next = batch->handoff_next;
    for (store::Reply& reply : batch->replies) take(reply);
  }
}

void Shard::answered(uint32_t slot, uint32_t generation, uint32_t bytes) {
  Session* session = sessions_.find(slot, generation);
  if (session == nullptr) return;
  ASSERT(session->requests_in_flight > 0 && session->unacknowledged_bytes >= bytes);
  session->requests_in_flight--;
  session->unacknowledged_bytes -= bytes;
  resume_if_free(slot);
}

void Shard::take(store::Reply& reply) {
  stats_.store_replies++;
  if (Chat::takes(reply.answer)) return chat_->take(reply.ticket, std::move(reply.answer));
  take_own(reply);
  answered(reply.ticket.slot, reply.ticket.generation, reply.ticket.bytes);
}

void Shard::session_online(uint32_t slot) {
  Session& session = sessions_[slot];
  ASSERT(session.phase == Phase::greeted || session.phase == Phase::logging_in);
  session.phase = Phase::online;
  online_++;
  admission_->leave(slot);
  if (!session.has(session_flags::kPaused)) sessions_.missed(slot) = 0;
  chat_->open(slot);
}

void Shard::session_routed(uint32_t slot) {
  Session& session = sessions_[slot];
  ASSERT(session.phase == Phase::online);
  session.set(session_flags::kRouted);
  accounts_->routed(slot);
}

void Shard::take_passwords() {
  for (PasswordJob* next = door_.passwords(); next != nullptr;) {
    std::unique_ptr<PasswordJob> job(next);
    next = job->handoff_next;
    accounts_->take(std::move(job));
  }
}

void Shard::take_questions() {
  for (StatsPart* part = door_.questions(); part != nullptr;) {
    StatsPart* next = part->handoff_next;
    snapshot(*part);
    node_.part_filled(part->round);
    part = next;
  }
  for (StatsRound* next = door_.answers(); next != nullptr;) {
    const std::unique_ptr<StatsRound> round(next);
    next = round->handoff_next;
    if (sessions_.find_online(round->slot, round->generation) == nullptr) continue;
    reply(round->slot, frames_.stats_reply(round->request, stats_json(*round)));
  }
}

void Shard::snapshot(StatsPart& part) {
  stats_.sessions = sessions_.open_count();
  stats_.online = online_;
  stats_.prelogin = admission_->before_login();
  stats_.queued_bytes = outgoing_->stats().queued_bytes;
  stats_.pinned_bytes = outgoing_->pinned_bytes();
  stats_.rooms = chat_->rooms();
  stats_.users_homed = chat_->users_homed();
  stats_.mail_kept = chat_->mail_kept();
  const OutgoingStats& outgoing = outgoing_->stats();
  stats_.sends_started = outgoing.sends;
  stats_.frames_out = outgoing.frames;
  stats_.ranges_merged = outgoing.merged;
  stats_.recipient_copies = outgoing.recipient_copies;
  stats_.recipient_allocations = outgoing.recipient_allocations;
  part.shard = stats_;
  part.proactor = proactor_.stats();
  part.reader = reader_.stats();
  part.backend = proactor_.backend();
  part.rung = proactor_.rung();
}

// ---- timers

void Shard::run_timers() {
  for (uint32_t slot = admission_->expired(now_ns_); slot != base::kNoSlot;
       slot = admission_->expired(now_ns_)) {
    if (sessions_[slot].phase == Phase::ending) {
      close(slot, sessions_[slot].close_reason);
    } else {
      end_with_error(slot, 0, wire::ErrorCode::LoginTimeout, CloseReason::login_timeout);
    }
  }
  if (now_ns_ >= next_sweep_ns_) sweep_heartbeats();
  if (!lost_.empty()) end_lost_sessions();
  drain_->tick();
  if (budget_waiters_.empty()) return;
  if (now_ns_ >= next_look_ns_) look_at_cut_frames();
  if (reader_.budget_free()) resume_for_budget();
}

void Shard::sweep_heartbeats() {
  stats_.heartbeat_sweeps++;
  next_sweep_ns_ = now_ns_ + limits_->heartbeat_interval_ms * base::kNsPerMs;
  sweep_missed(sessions_.missed_bytes(), sessions_.used_slots(),
               static_cast<uint8_t>(limits_->heartbeat_missed), lost_);
}

void Shard::end_lost_sessions() {
  for (size_t n = 0; n < kLostPerTurn && !lost_.empty(); n++) {
    const uint32_t slot = lost_.back();
    lost_.pop_back();
    const uint8_t missed = sessions_.missed(slot);
    // It may have been heard of, or have gone, since the sweep.
    if (missed == kNotSwept || missed <= limits_->heartbeat_missed) continue;
    end_with_error(slot, 0, wire::ErrorCode::HeartbeatLost, CloseReason::heartbeat_lost);
  }
}

}  // namespace ringtalk::service
