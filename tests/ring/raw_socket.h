// tests/ring/raw_socket.h: internal to tests/ring. A blocking TCP peer without a proactor.
//
// For what a proactor never does to itself: resets, urgent data, tiny windows. Ownership: its
// descriptor.
#pragma once

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "ring/socket.h"

namespace ringtalk::ring {

class RawSocket {
 public:
  explicit RawSocket(Family family = Family::v4)
      : descriptor_(socket(family == Family::v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0)) {
    EXPECT_GE(descriptor_, 0);
  }
  ~RawSocket() { close(); }
  RawSocket(RawSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RawSocket& operator=(RawSocket&&) = delete;

  int descriptor() const { return descriptor_; }

  void connect(const Address& to) {
    SocketAddress address;
    const socklen_t length = to_socket_address(to, address);
    ASSERT_EQ(::connect(descriptor_, &address.any, length), 0);
  }

  void send(std::string_view text, int flags = 0) {
    ASSERT_EQ(::send(descriptor_, text.data(), text.size(), flags | MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  // At most `most` bytes; "" when the peer has ended its side or nothing has come.
  std::string receive(size_t most, int flags = MSG_DONTWAIT) {
    std::string text(most, '\0');
    const ssize_t count = recv(descriptor_, text.data(), most, flags);
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return text;
  }

  void set(int level, int name, int value) {
    ASSERT_EQ(setsockopt(descriptor_, level, name, &value, sizeof value), 0);
  }

  void shut_write() { ASSERT_EQ(shutdown(descriptor_, SHUT_WR), 0); }

  // Ends with a reset instead of a FIN.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ASSERT_EQ(setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close();
  }

  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_;
};

}  // namespace ringtalk::ring
