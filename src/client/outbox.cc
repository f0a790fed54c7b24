#include "client/outbox.h"

#include <utility>

namespace ringtalk::client {

using State = Outgoing::State;

Outgoing* Outbox::push(uint32_t max) {
  if (unfinished_ >= max) return nullptr;
  if (end_ - first_ == slots_.size()) grow();
  Outgoing& message = slot(end_);
  end_++;
  unfinished_++;
  message.state = State::queued;
  message.tried = false;
  return &message;
}

void Outbox::grow() {
  std::vector<Outgoing> larger(slots_.empty() ? 4 : slots_.size() * 2);
  for (uint32_t at = first_; at != end_; at++) {
    larger[at & (larger.size() - 1)] = std::move(slot(at));
  }
  slots_ = std::move(larger);
}

Outgoing* Outbox::find(uint32_t request) noexcept {
  for (uint32_t at = first_; at != end_; at++) {
    Outgoing& message = slot(at);
    if (message.state == State::in_flight && message.request == request) return &message;
  }
  return nullptr;
}

bool Outbox::contains(const proto::ClientMessageId& id) const noexcept {
  for (uint32_t at = first_; at != end_; at++) {
    if (slot(at).state != State::done && slot(at).id == id) return true;
  }
  return false;
}

void Outbox::transmitted(Outgoing& message, uint32_t request) noexcept {
  ASSERT(message.state == State::queued);
  message.state = State::in_flight;
  message.request = request;
  message.tried = true;
  in_flight_++;
  in_flight_bytes_ += message.body.size();
}

void Outbox::queue_again(Outgoing& message) noexcept {
  ASSERT(message.state == State::in_flight && in_flight_ > 0);
  message.state = State::queued;
  in_flight_--;
  in_flight_bytes_ -= message.body.size();
  queued_from_ = first_;
}

void Outbox::finish(Outgoing& message) noexcept {
  ASSERT(message.state == State::in_flight && in_flight_ > 0 && unfinished_ > 0);
  message.state = State::done;
  in_flight_--;
  unfinished_--;
  in_flight_bytes_ -= message.body.size();
  while (first_ != end_ && slot(first_).state == State::done) {
    if (queued_from_ == first_) queued_from_++;
    first_++;
  }
}

void Outbox::queue_all_again() noexcept {
  for (uint32_t at = first_; at != end_; at++) {
    if (slot(at).state == State::in_flight) queue_again(slot(at));
  }
  ASSERT(in_flight_ == 0 && in_flight_bytes_ == 0);
}

}  // namespace ringtalk::client
