#include "proto/token.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace ringtalk::proto {
namespace {

TokenKey key_from(uint8_t first) {
  TokenKey key;
  for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<uint8_t>(first + i);
  return key;
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<uint8_t>(b) >> 4];
    text += kDigits[static_cast<uint8_t>(b) & 15];
  }
  return text;
}

constexpr uint64_t kNow = 1'700'000'000'000;
const Token kToken{.key_id = 7,
                   .flags = kTokenLoad,
                   .epoch = 3,
                   .user = kLoadUserFirst + 5,
                   .device = 0x0123456789abcdef,
                   .expires_ms = kNow + 1'000};

// The mac was computed by an implementation that is not ours (Python's hashlib.blake2b).
TEST(Token, has_the_documented_layout) {
  KeyRing ring;
  ring.add(7, key_from(0));
  EXPECT_EQ(hex(ring.mint(kToken)),
            "01070100030000000500000000000040"
            "efcdab8967452301e86be5cf8b010000"
            "9d6b0a2ac4352d960b10f5cd847b2556"
            "8e3167628ff1eb49a0cf2a84a5dcade3");
}

TEST(Token, comes_back_as_it_was) {
  KeyRing ring;
  ring.add(7, key_from(0));
  const auto token = ring.check(ring.mint(kToken), kNow);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(*token, kToken);
  EXPECT_TRUE(token->load());
  EXPECT_FALSE(token->admin());
}

TEST(Token, is_refused_when_a_single_bit_differs) {
  KeyRing ring;
  ring.add(7, key_from(0));
  const TokenBytes good = ring.mint(kToken);
  for (size_t bit = 0; bit < good.size() * 8; bit++) {
    TokenBytes bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    const auto token = ring.check(bad, kNow);
    ASSERT_FALSE(token.ok()) << bit;
    const TokenError expected = bit < 8    ? TokenError::unknown_version
                                : bit < 16 ? TokenError::unknown_key
                                           : TokenError::forged;
    EXPECT_EQ(token.error(), expected) << bit;
  }
}

TEST(Token, is_refused_with_another_size) {
  KeyRing ring;
  ring.add(7, key_from(0));
  const TokenBytes good = ring.mint(kToken);
  std::vector<std::byte> longer(good.begin(), good.end());
  longer.push_back({});
  EXPECT_EQ(ring.check(longer, kNow).error(), TokenError::malformed);
  EXPECT_EQ(ring.check(std::span(good).first(63), kNow).error(), TokenError::malformed);
  EXPECT_EQ(ring.check({}, kNow).error(), TokenError::malformed);
}

TEST(Token, is_good_until_it_expires) {
  KeyRing ring;
  ring.add(7, key_from(0));
  const TokenBytes bytes = ring.mint(kToken);
  EXPECT_TRUE(ring.check(bytes, kToken.expires_ms - 1).ok());
  EXPECT_EQ(ring.check(bytes, kToken.expires_ms).error(), TokenError::expired);
}

TEST(Token, survives_the_rotation_of_keys_until_its_key_is_forgotten) {
  KeyRing ring;
  ring.add(1, key_from(10));
  const TokenBytes old = ring.mint(kToken);
  ring.add(2, key_from(99));
  const TokenBytes young = ring.mint(kToken);
  EXPECT_TRUE(ring.check(old, kNow).ok());
  EXPECT_EQ(ring.check(young, kNow)->key_id, 2);
  ring.forget(1);
  EXPECT_EQ(ring.check(old, kNow).error(), TokenError::unknown_key);
  EXPECT_TRUE(ring.check(young, kNow).ok());

  KeyRing other;
  other.add(2, key_from(98));
  EXPECT_EQ(other.check(young, kNow).error(), TokenError::forged);
}

class TokenKeyFile : public testing::Test {
 protected:
  TokenKeyFile() {
    char name[] = "/tmp/ringtalk-key-XXXXXX";
    const int file = mkstemp(name);
    EXPECT_GE(file, 0);
    close(file);
    path_ = name;
  }
  ~TokenKeyFile() override { unlink(path_.c_str()); }

  base::Result<TokenKey, KeyFileError> read(std::string_view content, mode_t mode = 0600) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
    EXPECT_EQ(chmod(path_.c_str(), mode), 0);
    return read_token_key(path_);
  }

  std::string path_;
};

TEST_F(TokenKeyFile, holds_32_raw_bytes_or_64_digits) {
  const TokenKey key = key_from(0xa0);
  const std::string raw(reinterpret_cast<const char*>(key.data()), key.size());
  EXPECT_EQ(*read(raw), key);
  const std::string digits = hex(std::as_bytes(std::span(key)));
  EXPECT_EQ(*read(digits), key);
  EXPECT_EQ(*read(digits + "\n"), key);
  EXPECT_EQ(*read(digits + " \r\n"), key);
}

TEST_F(TokenKeyFile, is_refused_with_anything_else) {
  const std::string digits(64, 'a');
  for (const std::string& content :
       {std::string(), std::string(31, 'x'), std::string(33, 'x'), digits.substr(1), digits + "a",
        digits + "\nx", std::string(63, 'a') + "g", std::string(5'000, 'a')}) {
    const auto key = read(content);
    ASSERT_FALSE(key.ok()) << content;
    EXPECT_NE(key.error().text.find("64 hexadecimal digits"), std::string::npos);
  }
}

TEST_F(TokenKeyFile, is_refused_when_others_can_read_it) {
  for (const mode_t mode : {0640, 0604, 0620, 0644}) {
    const auto key = read(std::string(64, 'a'), mode);
    ASSERT_FALSE(key.ok());
    EXPECT_NE(key.error().text.find("chmod 600 '" + path_ + "'"), std::string::npos);
  }
}

TEST_F(TokenKeyFile, is_refused_when_it_is_not_there) {
  const auto key = read_token_key(path_ + ".not");
  ASSERT_FALSE(key.ok());
  EXPECT_NE(key.error().text.find("No such file"), std::string::npos);
  EXPECT_FALSE(read_token_key("/tmp").ok());
}

}  // namespace
}  // namespace ringtalk::proto
