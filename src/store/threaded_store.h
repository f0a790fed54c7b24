// src/store/threaded_store.h: private to src/store. The Store on threads of its own.
//
// One writer makes every change in batches: it takes what has queued up while the last batch was
// committed, so batches grow under load and nobody waits for one to fill. Readers answer the rest
// on connections of their own; without readers the writer does it all. Ownership: owns connections
// and threads; sink and clock outlive it. Thread rule: submit from any thread; stop once, from the
// thread that made it. Invariant: nothing is delivered after the sink was told of a failure.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "store/open_store.h"
#include "store/sql.h"
#include "store/work_queue.h"

namespace ringtalk::store {

class ThreadedStore final : public Store {
 public:
  ThreadedStore(std::string name, std::unique_ptr<Connection> writer,
                std::vector<std::unique_ptr<Connection>> readers, ReplySink& sink,
                const base::Clock& clock, const StoreOptions& options);
  ~ThreadedStore() override;

  bool submit(Request&& request, const Ticket& ticket) noexcept override;
  void stop() noexcept override;
  std::string describe() const override { return name_; }

 private:
  void write();
  void read(Connection& connection);
  void give_up(const std::string& reason);

  const std::string name_;
  ReplySink& sink_;
  const base::Clock& clock_;
  const StoreOptions options_;
  const std::unique_ptr<Connection> writer_;
  const std::vector<std::unique_ptr<Connection>> readers_;
  WorkQueue writes_;
  WorkQueue reads_;
  std::mutex delivering_;  // of readers, against a failure of the writer
  bool failed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ringtalk::store
