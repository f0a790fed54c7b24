// src/cluster/directory.h: public. Which nodes hold sessions of a user.
//
// Advice, never truth: a wrong answer costs a hint, and hints are healed from the store
// (docs/delivery.md). Thread rule: any shard; implementations lock or keep a copy per shard.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/ids.h"

namespace ringtalk::cluster {

using NodeId = uint16_t;

class Directory {
 public:
  virtual ~Directory() = default;
  virtual void session_opened(proto::UserId user, proto::DeviceId device, uint32_t epoch) = 0;
  virtual void session_closed(proto::UserId user, proto::DeviceId device, uint32_t epoch) = 0;
  // Other nodes than this one where the user has sessions; appended to `nodes`.
  virtual void other_nodes_of(proto::UserId user, std::vector<NodeId>& nodes) const = 0;
};

}  // namespace ringtalk::cluster
