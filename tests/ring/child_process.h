// tests/ring/child_process.h: internal to tests/ring. Runs a piece of a test in a process of its
// own.
//
// For what a process cannot take back: limits, system call filters. Thread rule: only where the
// test has no other threads (fork). Invariant: the child never returns into the test runner.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace ringtalk::ring {

// What `body` returned in the child; "no answer, status N" when it crashed.
template <class Body>
std::string in_child_process(Body body) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child < 0) return "no fork";
  if (child == 0) {
    close(ends[0]);
    const std::string answer = body();
    const ssize_t written = write(ends[1], answer.data(), answer.size());
    _exit(written == static_cast<ssize_t>(answer.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string answer;
  char piece[512];
  for (ssize_t count; (count = read(ends[0], piece, sizeof piece)) > 0;) {
    answer.append(piece, static_cast<size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? answer : "no answer, status " + std::to_string(status);
}

}  // namespace ringtalk::ring
