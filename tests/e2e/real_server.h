// tests/e2e/real_server.h: internal to tests/e2e. The same test on each back end, and what it did.
//
// Thread rule: tests only. Invariant: none.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/raw_client.h"
#include "tests/support/server.h"

namespace ringtalk::tests {

// The n-th load user: it needs no account.
inline constexpr uint64_t load_user(uint64_t n) {
  return proto::kLoadUserFirst + n;
}
inline constexpr uint64_t kAdministrator = load_user(1'000'000);

// Why a server cannot run on `backend` here; empty when it can.
std::string why_without(const std::string& backend);
// In CI a missing precondition is a failure, elsewhere the test is skipped.
bool runs_in_ci();

// A suite that runs on each back end: TEST_P and ON_EACH_BACKEND(Suite).
class OnEachBackend : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  // A failure prints what server_ says of itself.
  void TearDown() override;
  ServerOptions options(std::vector<std::string> arguments = {}) const;
  void start(const std::vector<std::string>& arguments = {});
  bool log_in(RawClient& client, uint64_t n);  // as the n-th load user

  std::optional<Server> server_;
};

// Statistics of a server, asked for as its administrator.
class Statistics {
 public:
  explicit Statistics(const Server& server);
  // A number by its JSON pointer, "/closes/bad_frame"; aborts the test when the server is silent.
  uint64_t operator[](const std::string& pointer);
  // True: within half a minute it was `value`. Ends are counted after they have been told.
  bool comes_to(const std::string& pointer, uint64_t value);

 private:
  RawClient client_;
};

}  // namespace ringtalk::tests

#define ON_EACH_BACKEND(Suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(Backend, Suite, testing::Values("io_uring", "epoll"),    \
                           [](const testing::TestParamInfo<const char*>& backend) { \
                             return std::string(backend.param);                     \
                           })
