// tools/ringtalk/connection.h: one connection of a Proactor, driven for one ClientSession.
//
// Turns what the session asks for (connect, transmit, close) into operations and their completions
// into what the session is told. Tries the addresses of the server in turn. Ownership: of the bytes
// that wait to be sent. Thread rule: one owner. Invariant: the session is told nothing from inside
// one of its own calls.
#pragma once

#include <string>
#include <vector>

#include "client/client.h"
#include "ring/proactor.h"

namespace ringtalk::tool {

class Connection final : public ring::Handler {
 public:
  Connection(ring::Proactor& proactor, std::vector<ring::Address> addresses);

  void attach(client::ClientSession& session, const client::ClientRef& at);

  // ---- asked for by the session
  void connect();
  void transmit(client::Bytes frame);
  void close();

  // Closes without waiting for what was not sent.
  void abandon() { close_now(); }

  void complete(const ring::Completion& completion) override;
  // Tells the session about a connect that could not even be started.
  void tell_failures();

  bool ever_connected() const noexcept { return ever_connected_; }
  // Why the last connection failed or ended; none: the server closed it.
  ring::Error last_error() const noexcept { return last_error_; }

 private:
  void start_connect();
  void send_pending();
  void close_now();
  void closed();

  ring::Proactor& proactor_;
  const std::vector<ring::Address> addresses_;
  client::ClientSession* session_ = nullptr;
  const client::ClientRef* at_ = nullptr;
  size_t next_address_ = 0;
  ring::ConnectionId id_{};
  std::vector<std::byte> pending_;
  std::vector<std::byte> sending_;
  ring::Error last_error_ = ring::Error::none;
  bool open_ = false;
  bool connected_ = false;
  bool close_wanted_ = false;
  bool closing_ = false;
  bool failed_ = false;
  bool ever_connected_ = false;
};

}  // namespace ringtalk::tool
