#include "tools/ringtalk/connection.h"

#include <utility>

#include "base/assert.h"

namespace ringtalk::tool {

Connection::Connection(ring::Proactor& proactor, std::vector<ring::Address> addresses)
    : proactor_(proactor), addresses_(std::move(addresses)) {
  ASSERT(!addresses_.empty());
}

void Connection::attach(client::ClientSession& session, const client::ClientRef& at) {
  session_ = &session;
  at_ = &at;
}

void Connection::connect() {
  ASSERT(!open_);
  next_address_ = 0;
  start_connect();
}

void Connection::start_connect() {
  const auto id = proactor_.connect(addresses_[next_address_++], nullptr);
  connected_ = false;
  close_wanted_ = false;
  closing_ = false;
  pending_.clear();
  if (!id.ok()) {
    last_error_ = id.error();
    failed_ = true;
    return;
  }
  id_ = *id;
  open_ = true;
}

void Connection::tell_failures() {
  if (!std::exchange(failed_, false)) return;
  session_->disconnected(*at_);
}

void Connection::transmit(client::Bytes frame) {
  if (!connected_ || close_wanted_) return;
  pending_.insert(pending_.end(), frame.begin(), frame.end());
  send_pending();
}

void Connection::send_pending() {
  if (!sending_.empty() || pending_.empty() || closing_) return;
  std::swap(sending_, pending_);
  const iovec vector{sending_.data(), sending_.size()};
  proactor_.send(id_, {&vector, 1});
}

void Connection::close() {
  // Asked for twice: what waits has had its time.
  const bool again = std::exchange(close_wanted_, true);
  if (again || (sending_.empty() && pending_.empty())) close_now();
}

void Connection::close_now() {
  if (!open_ || std::exchange(closing_, true)) return;
  proactor_.close(id_);
}

void Connection::closed() {
  open_ = false;
  connected_ = false;
  sending_.clear();
  pending_.clear();
  const bool try_next = !ever_connected_ && !close_wanted_ && next_address_ < addresses_.size();
  if (try_next) return start_connect();
  session_->disconnected(*at_);
}

void Connection::complete(const ring::Completion& c) {
  if (c.operation == ring::Operation::wake || !(c.connection == id_)) return;
  if (c.error != ring::Error::none && c.error != ring::Error::cancelled) last_error_ = c.error;
  switch (c.operation) {
    case ring::Operation::connect:
      if (c.error != ring::Error::none || closing_) return close_now();
      connected_ = true;
      ever_connected_ = true;
      last_error_ = ring::Error::none;
      proactor_.receive(id_);
      return session_->connected(*at_);
    case ring::Operation::receive:
      if (!c.bytes.empty() && !closing_) session_->received(*at_, c.bytes);
      if (!c.more) close_now();
      return;
    case ring::Operation::send:
      sending_.clear();
      if (c.error != ring::Error::none) return close_now();
      send_pending();
      if (close_wanted_ && sending_.empty()) close_now();
      return;
    case ring::Operation::close:
      return closed();
    case ring::Operation::shutdown_write:
    case ring::Operation::accept:
    case ring::Operation::wake:
      return;
  }
}

}  // namespace ringtalk::tool
