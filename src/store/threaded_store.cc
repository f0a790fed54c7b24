#include "store/threaded_store.h"

#include <utility>

#include <pthread.h>

#include "base/assert.h"
#include "store/commit.h"
#include "store/reads.h"

namespace ringtalk::store {
namespace {

// Reads of one turn share a snapshot; few, so that a page does not wait for many others.
constexpr uint32_t kReadsPerTurn = 16;

}  // namespace

ThreadedStore::ThreadedStore(std::string name, std::unique_ptr<Connection> writer,
                             std::vector<std::unique_ptr<Connection>> readers, ReplySink& sink,
                             const base::Clock& clock, const StoreOptions& options)
    : name_(std::move(name)),
      sink_(sink),
      clock_(clock),
      options_(options),
      writer_(std::move(writer)),
      readers_(std::move(readers)),
      writes_(options.requests_max, options.bytes_max),
      reads_(options.requests_max, options.bytes_max) {
  threads_.emplace_back([this] { write(); });
  ::pthread_setname_np(threads_.back().native_handle(), "store-writer");
  for (const auto& reader : readers_) {
    threads_.emplace_back([this, &reader] { read(*reader); });
    ::pthread_setname_np(threads_.back().native_handle(), "store-reader");
  }
}

ThreadedStore::~ThreadedStore() {
  stop();
}

bool ThreadedStore::submit(Request&& request, const Ticket& ticket) noexcept {
  const bool by_writer = readers_.empty() || is_write(request);
  return (by_writer ? writes_ : reads_).push(std::move(request), ticket);
}

void ThreadedStore::stop() noexcept {
  writes_.close();
  reads_.close();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ThreadedStore::write() {
  Commit commit(*writer_, clock_);
  std::vector<Work> batch;
  std::vector<Answer> answers;
  while (writes_.take(options_.batch_requests_max, options_.batch_bytes_max, batch)) {
    if (commit.run(batch, answers) == Ended::broken) {
      return give_up("commit: " + writer_->error_text());
    }
    deliver(batch, answers, sink_);
    if (writer_->tidy() == SqlError::broken) {
      return give_up("checkpoint: " + writer_->error_text());
    }
  }
}

void ThreadedStore::read(Connection& connection) {
  std::vector<Work> batch;
  std::vector<Answer> answers;
  while (reads_.take(kReadsPerTurn, options_.batch_bytes_max, batch)) {
    answers.assign(batch.size(), Answer{});
    bool open = connection.begin_read() == SqlError::none;
    for (size_t i = 0; i < batch.size(); i++) {
      if (!is_valid(batch[i].request)) {
        answers[i] = failed(batch[i].request, StoreError::bad_request);
      } else if (!open || !answer_read(connection, batch[i].request, answers[i])) {
        open = false;
        answers[i] = failed(batch[i].request, StoreError::unavailable);
      }
    }
    connection.rollback();
    std::lock_guard lock(delivering_);
    if (failed_) return;
    deliver(batch, answers, sink_);
  }
}

void ThreadedStore::give_up(const std::string& reason) {
  std::lock_guard lock(delivering_);
  failed_ = true;
  writes_.drop();
  reads_.drop();
  sink_.store_failed(name_ + ": " + reason);
}

}  // namespace ringtalk::store
