#include "ring/socket.h"

#include <gtest/gtest.h>

#include "raw_socket.h"

namespace ringtalk::ring {
namespace {

int option(int descriptor, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(descriptor, level, name, &value, &length), 0);
  return value;
}

void expect_stream_options(int descriptor) {
  EXPECT_EQ(option(descriptor, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(descriptor, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_GT(option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

}  // namespace

TEST(Socket, WhatIsAcceptedInheritsTheListenersOptions) {
  const ListenSocket listener = *open_listener(Address::loopback(0), {});
  RawSocket peer;
  peer.connect(listener.address);
  // The listener does not block; the peer is in its queue when connect(2) has come back.
  const int accepted = accept4(listener.descriptor, nullptr, nullptr, SOCK_NONBLOCK);
  ASSERT_GE(accepted, 0);
  expect_stream_options(accepted);
  EXPECT_LT(option(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 7'200);
  EXPECT_GE(option(accepted, SOL_SOCKET, SO_SNDBUF), 64 * 1024);
  close(accepted);
  close(listener.descriptor);
}

TEST(Socket, SharingThePortIsAskedFor) {
  const ListenSocket shared = *open_listener(Address::loopback(0), {.share_port = true});
  EXPECT_EQ(option(shared.descriptor, SOL_SOCKET, SO_REUSEPORT), 1);
  const auto again = open_listener(shared.address, {.share_port = true});
  ASSERT_TRUE(again.ok());
  const auto alone = open_listener(shared.address, {.share_port = false});
  ASSERT_FALSE(alone.ok());
  EXPECT_EQ(alone.error(), Error::address_in_use);
  close(shared.descriptor);
  close(again->descriptor);
}

TEST(Socket, TheBacklogIsTheListeners) {
  const ListenSocket listener = *open_listener(Address::loopback(0), {.backlog = 7});
  tcp_info info{};
  socklen_t length = sizeof info;
  // For a listener the kernel tells its backlog here.
  ASSERT_EQ(getsockopt(listener.descriptor, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  EXPECT_EQ(info.tcpi_sacked, 7U);
  close(listener.descriptor);
}

TEST(Socket, AConnectorIsBoundToItsSource) {
  const Address source = *Address::parse("127.0.0.9:0");
  const ListenSocket listener = *open_listener(Address::loopback(0), {});
  const int connector = *open_connector(listener.address, &source);
  expect_stream_options(connector);
  EXPECT_EQ(option(connector, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
  SocketAddress address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(getsockname(connector, &address.any, &length), 0);
  // The port is chosen by connect(2), not before.
  EXPECT_EQ(from_socket_address(address), source);
  close(connector);
  close(listener.descriptor);
}

TEST(Socket, FailuresAreErrors) {
  const auto foreign = open_listener(*Address::parse("192.0.2.1:0"), {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error(), Error::address_unavailable);
  const Address source = *Address::parse("192.0.2.1:0");
  const auto connector = open_connector(Address::loopback(1), &source);
  ASSERT_FALSE(connector.ok());
  EXPECT_EQ(connector.error(), Error::address_unavailable);
}

}  // namespace ringtalk::ring
