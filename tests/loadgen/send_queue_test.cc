#include "loadgen/send_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace ringtalk::loadgen {
namespace {

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string gathered(const SendPool& pool, const SendQueue& queue, uint32_t* blocks) {
  std::array<iovec, ring::kSendVectorsMax> vectors;
  *blocks = pool.gather(queue, vectors);
  std::string text;
  for (uint32_t i = 0; i < *blocks; i++) {
    text.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return text;
}

TEST(SendQueue, KeepsBytesInOrderOverBlocks) {
  SendPool pool;
  SendQueue queue;
  std::string all;
  for (int i = 0; i < 100; i++) {
    const std::string part(50, static_cast<char>('a' + i % 26));
    pool.append(queue, bytes(part), false);
    all += part;
  }
  uint32_t blocks = 0;
  EXPECT_EQ(gathered(pool, queue, &blocks), all);
  EXPECT_EQ(blocks, (all.size() + SendPool::kBlockBytes - 1) / SendPool::kBlockBytes);
  pool.drop(queue, blocks);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(pool.blocks_in_use(), 0u);
}

TEST(SendQueue, ASealedBlockIsNeverAppendedTo) {
  SendPool pool;
  SendQueue queue;
  pool.append(queue, bytes("under way"), false);
  uint32_t blocks = 0;
  gathered(pool, queue, &blocks);
  ASSERT_EQ(blocks, 1u);
  pool.append(queue, bytes("next"), true);
  pool.append(queue, bytes(" too"), false);
  pool.drop(queue, 1);
  EXPECT_EQ(gathered(pool, queue, &blocks), "next too");
  EXPECT_EQ(blocks, 1u);
  pool.clear(queue);
  EXPECT_EQ(pool.blocks_in_use(), 0u);
}

TEST(SendQueue, GathersNoMoreThanASendTakes) {
  SendPool pool;
  SendQueue queue;
  pool.append(queue, bytes(std::string(20 * SendPool::kBlockBytes, 'x')), false);
  uint32_t blocks = 0;
  gathered(pool, queue, &blocks);
  EXPECT_EQ(blocks, ring::kSendVectorsMax);
  EXPECT_TRUE(pool.longer_than(queue, 19));
  EXPECT_FALSE(pool.longer_than(queue, 20));
  pool.drop(queue, blocks);
  gathered(pool, queue, &blocks);
  EXPECT_EQ(blocks, 4u);
  pool.clear(queue);
}

}  // namespace
}  // namespace ringtalk::loadgen
