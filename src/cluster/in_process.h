// src/cluster/in_process.h: public. Directory and Relay among nodes that live in one process.
//
// A Switchboard joins any number of nodes (one in ringtalkd without a cluster, several in the
// simulator). Ownership: the switchboard outlives the ports that it made; a port belongs to its
// node. Thread rule: any thread; one mutex guards the switchboard and is taken per login, per
// room's first and last member and per publish only when a second node is joined.
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
  // `sink` must outlive the port.
  std::unique_ptr<Port> join(NodeId node, RelaySink& sink);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace ringtalk::cluster
