#include "ring/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "ring/socket.h"

namespace ringtalk::ring {

TEST(Address, ParsesAndPrintsBothFamilies) {
  for (const char* text : {"127.0.0.1:7380", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:7380",
                           "[::]:0", "[2001:db8::ff00:42:8329]:443"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
}

TEST(Address, KeepsNetworkOrderAndZeroesTheRest) {
  const Address v4 = *Address::parse("10.20.30.40:258");
  EXPECT_EQ(v4.family, Family::v4);
  EXPECT_EQ(v4.port, 258);
  const std::array<uint8_t, 16> bytes{10, 20, 30, 40};
  EXPECT_EQ(v4.bytes, bytes);
  EXPECT_EQ(Address::loopback(258), *Address::parse("127.0.0.1:258"));
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* text : {"",
                           ":",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:x",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:+1",
                           "127.0.0.1: 1",
                           "127.0.0.1:1 ",
                           "127.0.0:1",
                           "127.0.0.256:1",
                           "localhost:1",
                           "::1:7380",
                           "[::1]",
                           "[::1]7380",
                           "[127.0.0.1]:1",
                           "[]:1",
                           "[:1",
                           "]:1",
                           "[::g]:1",
                           "127.0.0.1:1:2",
                           "[1:2:3:4:5:6:7:8:9]:1",
                           "[0000:0000:0000:0000:0000:ffff:1234:5678:9abc:def0]:1",
                           ":7380"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
  EXPECT_FALSE(Address::parse(std::string_view("127.0.0.1\0x:1", 14)));
}

TEST(Address, KnowsTheLoopback) {
  EXPECT_TRUE(Address::parse("127.255.0.9:1")->is_loopback());
  EXPECT_TRUE(Address::parse("[::1]:1")->is_loopback());
  EXPECT_FALSE(Address::parse("128.0.0.1:1")->is_loopback());
  EXPECT_FALSE(Address::parse("[::2]:1")->is_loopback());
  EXPECT_FALSE(Address{}.is_loopback());
}

TEST(Address, GoesToTheKernelAndBack) {
  for (const char* text : {"192.0.2.7:80", "[2001:db8::7]:8080"}) {
    const Address address = *Address::parse(text);
    SocketAddress kernel;
    EXPECT_EQ(to_socket_address(address, kernel),
              address.family == Family::v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(from_socket_address(kernel), address);
  }
  SocketAddress local{};
  local.any.sa_family = AF_UNIX;
  EXPECT_EQ(from_socket_address(local).family, Family::none);
  EXPECT_EQ(Address{}.text(), "none");
}

}  // namespace ringtalk::ring
