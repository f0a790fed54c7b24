// src/cluster/in_process.h: public. Directory and Relay among nodes that live in one process.
//
// A Switchboard joins any number of nodes (one in ringtalkd without a cluster, several in the
// simulator). Ownership: the switchboard outlives the ports that it made; a port belongs to its
// node. Thread rule: any thread; one mutex guards the switchboard and is taken only while a second
// node is joined, so a node alone pays an atomic load. Invariants: nothing is delivered to the node
// that sent it; sessions that a node opened while it was alone are not kept: such a node is named
// for every user (the directory is advice).
#pragma once

#include <memory>

#include "cluster/directory.h"
#include "cluster/relay.h"

namespace ringtalk::cluster {

class Switchboard {
 public:
  class Port : public Directory, public Relay {};

  Switchboard();
  ~Switchboard();
  Switchboard(const Switchboard&) = delete;
  Switchboard& operator=(const Switchboard&) = delete;

  // `sink` must outlive the port; it is called with the switchboard locked and only posts.
  std::unique_ptr<Port> join(NodeId node, RelaySink& sink);

  struct State;

 private:
  const std::unique_ptr<State> state_;
};

}  // namespace ringtalk::cluster
