// tests/store/store_under_test.h: tests. One face for every store that the conformance suite
// judges.
//
// ask() submits and waits for the answer. Thread rule: the test's thread. The suite's rules are in
// conformance_test.cc; what each store adds is in its own maker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/store.h"

namespace ringtalk::store::test {

class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  // Waits until `count` replies have arrived since the last call and gives them, by arrival.
  virtual std::vector<Reply> wait(size_t count) = 0;
  // Stops it and opens the same data again.
  virtual void reopen() = 0;

  std::vector<Reply> ask_all(std::vector<Request> requests);
  Answer ask(Request request);
  template <class A, class R>
  A get(R request) {
    Answer answer = ask(Request(std::move(request)));
    if (A* found = std::get_if<A>(&answer)) return std::move(*found);
    unexpected(answer);
    return A{};
  }
  template <class R>
  StoreError refused(R request) {
    Answer answer = ask(Request(std::move(request)));
    if (const Failed* failed = std::get_if<Failed>(&answer)) return failed->error;
    return StoreError::none;
  }

 private:
  static void unexpected(const Answer& answer);
};

struct Maker {
  const char* name;
  std::unique_ptr<StoreUnderTest> (*make)(const std::string& folder);
};

std::unique_ptr<StoreUnderTest> make_sqlite_file(const std::string& folder);
std::unique_ptr<StoreUnderTest> make_sqlite_memory(const std::string& folder);
// With races and commits of unknown outcome, which nobody may notice.
std::unique_ptr<StoreUnderTest> make_simulated(const std::string& folder);

}  // namespace ringtalk::store::test
